//! Leases: who may run an execution, and until when.

use tokio::task::JoinSet;

use super::fixture::{
    NOW, TTL, at, batch, checkpoint, ending, id, json, new, start_and_claim, step, suspend,
    take_over,
};
use super::{Defect, Outcome, Store, expect_eq, expect_error};
use crate::model::error::OperationError;
use crate::store::{ExecutionStatus, ExecutionUpdate, Lease, StoreErrorKind};
use crate::{ErrorKind, Timestamp};

pub(super) async fn only_one_holder_at_a_time(store: Store) -> Outcome {
    let lease = start_and_claim(&store, "a").await?;
    expect_error!(
        store.claim(&id("a")?, at(1), TTL).await,
        Leased,
        "second claim"
    );
    expect_error!(
        store.claim(&id("a")?, at(59), TTL).await,
        Leased,
        "claim just before the expiry"
    );
    checkpoint(&store, &lease.fence, batch(1, vec![step(1, "1")])).await?;
    start_and_claim(&store, "b").await?;
    Ok(())
}

pub(super) async fn a_claimed_execution_is_running(store: Store) -> Outcome {
    let lease = start_and_claim(&store, "a").await?;
    expect_eq!(
        lease.was_interrupted,
        false,
        "interruption at the first claim"
    );
    expect_eq!(lease.fence.execution, id("a")?, "execution of the fence");
    expect_eq!(lease.execution.status, ExecutionStatus::Running, "status");
    expect_eq!(lease.execution.input, new("a")?.input, "input");
    expect_eq!(
        store.get(&id("a")?).await?,
        lease.execution,
        "the stored execution"
    );
    Ok(())
}

pub(super) async fn an_expired_lease_can_be_taken_over(store: Store) -> Outcome {
    let old = start_and_claim(&store, "a").await?;
    let lease = store.claim(&id("a")?, at(60), TTL).await?;
    expect_eq!(lease.was_interrupted, true, "interruption");
    expect_eq!(
        lease.fence == old.fence,
        false,
        "the old fence is the new one"
    );
    expect_eq!(lease.execution.status, ExecutionStatus::Running, "status");
    expect_error!(
        store.claim(&id("a")?, at(61), TTL).await,
        Leased,
        "third claim"
    );
    Ok(())
}

pub(super) async fn ordered_fences_grow(store: Store) -> Outcome {
    if !store.capabilities().ordered_fences {
        return Ok(());
    }
    let mut lease = start_and_claim(&store, "a").await?;
    for hour in 1..4 {
        let next = store.claim(&id("a")?, at(3600 * hour), TTL).await?;
        let (before, after) = (lease.fence.ordered(), next.fence.ordered());
        let (Some((text, number)), Some((next_text, next_number))) = (before, after) else {
            return Err(Defect::new("a token has the form `text.number`"));
        };
        expect_eq!(text, next_text, "text of the token");
        expect_eq!(text.len() <= 40, true, "length of the text");
        expect_eq!(number < next_number, true, "the number grows");
        lease = next;
    }
    Ok(())
}

pub(super) async fn a_released_lease_does_not_count_as_interrupted(store: Store) -> Outcome {
    let first = start_and_claim(&store, "a").await?;
    store.checkpoint(&first.fence, ending(1, suspend())).await?;
    let second = store.claim(&id("a")?, at(1), TTL).await?;
    expect_eq!(
        second.was_interrupted,
        false,
        "interruption after a release"
    );
    let third = take_over(&store, &second).await?;
    expect_eq!(third.was_interrupted, true, "interruption after an expiry");
    store.checkpoint(&third.fence, ending(1, suspend())).await?;
    let fourth = store.claim(&id("a")?, at(7200), TTL).await?;
    expect_eq!(
        fourth.was_interrupted,
        false,
        "interruption after another release"
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
        let lease = start_and_claim(&store, name).await?;
        store.checkpoint(&lease.fence, ending(1, update)).await?;
        let before = store.get(&id(name)?).await?;
        expect_error!(store.claim(&id(name)?, at(3600), TTL).await, Conflict, name);
        expect_eq!(
            store.get(&id(name)?).await?,
            before,
            "execution after the claim"
        );
    }
    Ok(())
}

pub(super) async fn a_blocked_execution_can_be_claimed(store: Store) -> Outcome {
    let lease = start_and_claim(&store, "a").await?;
    let report = "renamed".to_owned();
    store
        .checkpoint(&lease.fence, ending(1, ExecutionUpdate::Block { report }))
        .await?;
    let lease = store.claim(&id("a")?, at(1), TTL).await?;
    expect_eq!(lease.was_interrupted, false, "interruption");
    let execution = (lease.execution.status, lease.execution.report);
    expect_eq!(
        execution,
        (ExecutionStatus::Running, None),
        "status and report"
    );
    Ok(())
}

pub(super) async fn renewal_postpones_the_expiry(store: Store) -> Outcome {
    let lease = start_and_claim(&store, "a").await?;
    store.renew(&lease.fence, at(50), TTL).await?;
    expect_error!(
        store.claim(&id("a")?, at(100), TTL).await,
        Leased,
        "within the renewed time"
    );
    let taken = store.claim(&id("a")?, at(110), TTL).await?;
    expect_eq!(
        taken.was_interrupted,
        true,
        "interruption after the renewed time"
    );
    Ok(())
}

pub(super) async fn renewal_is_fenced(store: Store) -> Outcome {
    let old = start_and_claim(&store, "a").await?;
    let current = take_over(&store, &old).await?;
    expect_error!(
        store.renew(&old.fence, at(3600), TTL * 100).await,
        FenceLost,
        "the old holder"
    );
    expect_eq!(
        store.claim(&id("a")?, at(3660), TTL).await?.was_interrupted,
        true,
        "interruption"
    );
    expect_error!(
        store.renew(&current.fence, at(3660), TTL).await,
        FenceLost,
        "renewal after a takeover"
    );
    let lease = start_and_claim(&store, "b").await?;
    store.checkpoint(&lease.fence, ending(1, suspend())).await?;
    expect_error!(
        store.renew(&lease.fence, at(1), TTL).await,
        FenceLost,
        "renewal after a release"
    );
    Ok(())
}

pub(super) async fn a_lease_survives_a_clock_that_is_set_back(store: Store) -> Outcome {
    let lease = start_and_claim(&store, "a").await?;
    expect_error!(
        store.claim(&id("a")?, at(-3600), TTL).await,
        Leased,
        "a claim in the past"
    );
    store.renew(&lease.fence, at(-3600), TTL).await?;
    checkpoint(&store, &lease.fence, batch(1, vec![step(1, "1")])).await?;
    store.checkpoint(&lease.fence, ending(2, suspend())).await?;
    let lease = store.claim(&id("a")?, at(-7200), TTL).await?;
    expect_eq!(lease.was_interrupted, false, "interruption");
    let taken = store
        .claim(&id("a")?, Timestamp::from_millis(i64::MAX), TTL)
        .await?;
    expect_eq!(
        taken.was_interrupted,
        true,
        "interruption at the latest possible time"
    );
    Ok(())
}

pub(super) async fn only_one_of_concurrent_claims_is_granted(store: Store) -> Outcome {
    for round in 0..8 {
        let name = format!("run-{round}");
        store.start(new(&name)?).await?;
        claim_concurrently(&store, &name, NOW).await?;
    }
    Ok(())
}

pub(super) async fn only_one_of_concurrent_takeovers_is_granted(store: Store) -> Outcome {
    let old = start_and_claim(&store, "a").await?;
    let lease = claim_concurrently(&store, "a", at(3600)).await?;
    expect_eq!(lease.was_interrupted, true, "interruption");
    expect_error!(
        store.checkpoint(&old.fence, batch(1, vec![])).await,
        FenceLost,
        "the old holder"
    );
    checkpoint(&store, &lease.fence, batch(1, vec![step(1, "1")])).await?;
    Ok(())
}

/// Claims from many tasks concurrently and returns the only lease that was granted.
async fn claim_concurrently(store: &Store, name: &str, now: Timestamp) -> Result<Lease, Defect> {
    let mut claims = JoinSet::new();
    for _ in 0..16 {
        let (store, id) = (store.clone(), id(name)?);
        claims.spawn(async move { store.claim(&id, now, TTL).await });
    }
    let mut granted = None;
    while let Some(done) = claims.join_next().await {
        match done.map_err(|lost| Defect::new(format!("a task panicked: {lost}")))? {
            Ok(lease) if granted.is_none() => granted = Some(lease),
            Ok(_) => return Err(Defect::new("two claims were granted")),
            Err(error) if error.kind() == StoreErrorKind::Leased => {}
            Err(error) => return Err(error.into()),
        }
    }
    granted.ok_or_else(|| Defect::new("no claim was granted"))
}
