//! Who may run an execution, and until when.

use tokio::task::JoinSet;

use super::fixture::{
    NOW, TTL, at, batch, ending, id, json, leased, new, put, step, suspend, taken_over,
};
use super::{Defect, Outcome, Store, refused, same};
use crate::model::error::OperationError;
use crate::store::{ExecutionStatus, ExecutionUpdate, Lease, StoreErrorKind};
use crate::{ErrorKind, Timestamp};

pub(super) async fn one_holder_at_a_time(store: Store) -> Outcome {
    let lease = leased(&store, "a").await?;
    refused!(
        store.claim(&id("a")?, at(1), TTL).await,
        Leased,
        "a second claim"
    );
    refused!(
        store.claim(&id("a")?, at(59), TTL).await,
        Leased,
        "a claim just before the end"
    );
    put(&store, &lease.fence, batch(1, vec![step(1, "1")])).await?;
    leased(&store, "b").await?;
    Ok(())
}

pub(super) async fn a_claim_sets_the_execution_running(store: Store) -> Outcome {
    let lease = leased(&store, "a").await?;
    same!(
        lease.was_interrupted,
        false,
        "was_interrupted, at the first claim"
    );
    same!(lease.fence.execution, id("a")?, "whom the fence is for");
    same!(lease.execution.status, ExecutionStatus::Running, "status");
    same!(lease.execution.input, new("a")?.input, "input");
    same!(
        store.get(&id("a")?).await?,
        lease.execution,
        "what is stored"
    );
    Ok(())
}

pub(super) async fn an_expired_lease_is_taken_over(store: Store) -> Outcome {
    let old = leased(&store, "a").await?;
    let lease = store.claim(&id("a")?, at(60), TTL).await?;
    same!(lease.was_interrupted, true, "was_interrupted");
    same!(
        lease.fence == old.fence,
        false,
        "the old fence is the new one"
    );
    same!(lease.execution.status, ExecutionStatus::Running, "status");
    refused!(
        store.claim(&id("a")?, at(61), TTL).await,
        Leased,
        "a third claim"
    );
    Ok(())
}

pub(super) async fn a_lease_given_up_is_clean(store: Store) -> Outcome {
    let first = leased(&store, "a").await?;
    store.checkpoint(&first.fence, ending(1, suspend())).await?;
    let second = store.claim(&id("a")?, at(1), TTL).await?;
    same!(
        second.was_interrupted,
        false,
        "was_interrupted, after a release"
    );
    let third = taken_over(&store, &second).await?;
    same!(
        third.was_interrupted,
        true,
        "was_interrupted, after an expiry"
    );
    store.checkpoint(&third.fence, ending(1, suspend())).await?;
    let fourth = store.claim(&id("a")?, at(7200), TTL).await?;
    same!(
        fourth.was_interrupted,
        false,
        "was_interrupted, after another release"
    );
    Ok(())
}

pub(super) async fn an_ended_execution_cannot_be_claimed(store: Store) -> Outcome {
    let output = json("1");
    let error = OperationError::new("a", ErrorKind::Failed, "no");
    let endings = [
        ("a", ExecutionUpdate::Succeed { output }),
        ("b", ExecutionUpdate::Fail { error }),
    ];
    for (name, update) in endings {
        let lease = leased(&store, name).await?;
        store.checkpoint(&lease.fence, ending(1, update)).await?;
        let before = store.get(&id(name)?).await?;
        refused!(store.claim(&id(name)?, at(3600), TTL).await, Conflict, name);
        same!(store.get(&id(name)?).await?, before, "after the claim");
    }
    Ok(())
}

pub(super) async fn a_blocked_execution_can_be_claimed(store: Store) -> Outcome {
    let lease = leased(&store, "a").await?;
    let report = "renamed".to_owned();
    store
        .checkpoint(&lease.fence, ending(1, ExecutionUpdate::Block { report }))
        .await?;
    let lease = store.claim(&id("a")?, at(1), TTL).await?;
    same!(lease.was_interrupted, false, "was_interrupted");
    let execution = (lease.execution.status, lease.execution.report);
    same!(
        execution,
        (ExecutionStatus::Running, None),
        "status and report"
    );
    Ok(())
}

pub(super) async fn renewal_moves_the_expiry(store: Store) -> Outcome {
    let lease = leased(&store, "a").await?;
    store.renew(&lease.fence, at(50), TTL).await?;
    refused!(
        store.claim(&id("a")?, at(100), TTL).await,
        Leased,
        "within the renewed time"
    );
    let taken = store.claim(&id("a")?, at(110), TTL).await?;
    same!(
        taken.was_interrupted,
        true,
        "was_interrupted, after the renewed time"
    );
    Ok(())
}

pub(super) async fn renewal_is_fenced(store: Store) -> Outcome {
    let old = leased(&store, "a").await?;
    let current = taken_over(&store, &old).await?;
    refused!(
        store.renew(&old.fence, at(3600), TTL * 100).await,
        FenceLost,
        "the old holder"
    );
    same!(
        store.claim(&id("a")?, at(3660), TTL).await?.was_interrupted,
        true,
        "was_interrupted"
    );
    refused!(
        store.renew(&current.fence, at(3660), TTL).await,
        FenceLost,
        "once taken over"
    );
    let lease = leased(&store, "b").await?;
    store.checkpoint(&lease.fence, ending(1, suspend())).await?;
    refused!(
        store.renew(&lease.fence, at(1), TTL).await,
        FenceLost,
        "once released"
    );
    Ok(())
}

pub(super) async fn a_clock_that_goes_backwards(store: Store) -> Outcome {
    let lease = leased(&store, "a").await?;
    refused!(
        store.claim(&id("a")?, at(-3600), TTL).await,
        Leased,
        "a claim in the past"
    );
    store.renew(&lease.fence, at(-3600), TTL).await?;
    put(&store, &lease.fence, batch(1, vec![step(1, "1")])).await?;
    store.checkpoint(&lease.fence, ending(2, suspend())).await?;
    let lease = store.claim(&id("a")?, at(-7200), TTL).await?;
    same!(lease.was_interrupted, false, "was_interrupted");
    let taken = store
        .claim(&id("a")?, Timestamp::from_millis(i64::MAX), TTL)
        .await?;
    same!(
        taken.was_interrupted,
        true,
        "was_interrupted, at the end of time"
    );
    Ok(())
}

pub(super) async fn of_many_claims_one_wins(store: Store) -> Outcome {
    for round in 0..8 {
        let name = format!("run-{round}");
        store.start(new(&name)?).await?;
        only_one_wins(&store, &name, NOW).await?;
    }
    Ok(())
}

pub(super) async fn of_many_takeovers_one_wins(store: Store) -> Outcome {
    let old = leased(&store, "a").await?;
    let lease = only_one_wins(&store, "a", at(3600)).await?;
    same!(lease.was_interrupted, true, "was_interrupted");
    refused!(
        store.checkpoint(&old.fence, batch(1, vec![])).await,
        FenceLost,
        "the old holder"
    );
    put(&store, &lease.fence, batch(1, vec![step(1, "1")])).await?;
    Ok(())
}

/// Claims from many tasks at once and gives the one lease that was granted.
async fn only_one_wins(store: &Store, name: &str, now: Timestamp) -> Result<Lease, Defect> {
    let mut claims = JoinSet::new();
    for _ in 0..16 {
        let (store, id) = (store.clone(), id(name)?);
        claims.spawn(async move { store.claim(&id, now, TTL).await });
    }
    let mut granted = None;
    while let Some(done) = claims.join_next().await {
        match done.map_err(|lost| Defect::new(format!("a task was lost: {lost}")))? {
            Ok(lease) if granted.is_none() => granted = Some(lease),
            Ok(_) => return Err(Defect::new("two claims were granted")),
            Err(error) if error.kind() == StoreErrorKind::Leased => {}
            Err(error) => return Err(error.into()),
        }
    }
    granted.ok_or_else(|| Defect::new("no claim was granted"))
}
