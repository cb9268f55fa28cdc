//! Executions blocked under one build, which are offered to others.

use super::fixture::{NOW, TTL, at, ending, id, new};
use super::work::{abandoned_request, claim_request, claimed_ids, worker_of_build};
use super::{Outcome, Store, expect_eq};
use crate::store::{Change, Claimed, ExecutionStatus, ExecutionUpdate};

async fn blocked(store: &Store, name: &str, build: &str) -> Outcome {
    store.start(new(name)?).await?;
    let claimed = store
        .claim_due(&worker_of_build(build), claim_request(1, NOW))
        .await?;
    expect_eq!(claimed_ids(&claimed), [name], "claimed");
    block(store, &claimed).await
}

async fn block(store: &Store, claimed: &Claimed) -> Outcome {
    for lease in &claimed.leases {
        let report = "renamed".to_owned();
        let blocks = ending(1, ExecutionUpdate::Block { report });
        store.checkpoint(&lease.fence, blocks).await?;
    }
    Ok(())
}

pub(super) async fn a_blocked_execution_is_offered_once_to_every_other_build(
    store: Store,
) -> Outcome {
    blocked(&store, "a", "1").await?;
    let (one, two) = (worker_of_build("1"), worker_of_build("2"));
    let request = abandoned_request(at(1), TTL);
    expect_eq!(
        claimed_ids(&store.claim_due(&one, request).await?).len(),
        0,
        "offered to its own build"
    );
    expect_eq!(
        claimed_ids(&store.claim_due(&two, claim_request(9, at(1))).await?).len(),
        0,
        "claimed without `recover`"
    );
    let claimed = store.claim_due(&two, request).await?;
    expect_eq!(claimed_ids(&claimed), ["a"], "offered to another");
    block(&store, &claimed).await?;
    for worker in [&one, &two] {
        expect_eq!(
            claimed_ids(&store.claim_due(worker, request).await?).len(),
            0,
            "offered again"
        );
    }
    expect_eq!(
        claimed_ids(&store.claim_due(&worker_of_build("3"), request).await?),
        ["a"],
        "offered to a third"
    );
    Ok(())
}

pub(super) async fn progress_lets_earlier_builds_try_again(store: Store) -> Outcome {
    blocked(&store, "a", "1").await?;
    let request = abandoned_request(at(1), TTL);
    let claimed = store.claim_due(&worker_of_build("2"), request).await?;
    for lease in &claimed.leases {
        let wake_at = Some(at(1));
        let sleeps = ending(1, ExecutionUpdate::Suspend { wake_at });
        store.checkpoint(&lease.fence, sleeps).await?;
    }
    let claimed = store
        .claim_due(&worker_of_build("2"), claim_request(9, at(1)))
        .await?;
    block(&store, &claimed).await?;
    expect_eq!(
        claimed_ids(&store.claim_due(&worker_of_build("1"), request).await?),
        ["a"],
        "offered to the first build"
    );
    Ok(())
}

pub(super) async fn a_resumed_execution_is_due_for_any_build(store: Store) -> Outcome {
    blocked(&store, "a", "1").await?;
    store.change(&id("a")?, Change::Resume, at(1)).await?;
    let execution = store.get(&id("a")?).await?;
    expect_eq!(
        (execution.status, execution.report),
        (ExecutionStatus::Suspended, None),
        "state"
    );
    let claimed = store
        .claim_due(&worker_of_build("1"), claim_request(9, at(1)))
        .await?;
    expect_eq!(claimed_ids(&claimed), ["a"], "claimed");
    Ok(())
}

pub(super) async fn resuming_offers_to_every_build_again(store: Store) -> Outcome {
    blocked(&store, "a", "1").await?;
    let request = abandoned_request(at(1), TTL);
    block(
        &store,
        &store.claim_due(&worker_of_build("2"), request).await?,
    )
    .await?;
    store.change(&id("a")?, Change::Resume, at(1)).await?;
    let claimed = store
        .claim_due(&worker_of_build("1"), claim_request(9, at(1)))
        .await?;
    block(&store, &claimed).await?;
    let claimed = store.claim_due(&worker_of_build("2"), request).await?;
    expect_eq!(claimed_ids(&claimed), ["a"], "offered to an earlier build");
    Ok(())
}
