//! Changes made by operators.

use super::fixture::{
    TTL, at, batch, checkpoint, checkpoint_ack, empty_batch, ending, id, json, new,
    start_and_claim, step, stored_state,
};
use super::work::{claim_request, claimed_ids, worker_of_build};
use super::{Outcome, Store, expect_eq, expect_error};
use crate::model::error::{ErrorKind, OperationError};
use crate::store::{Change, ExecutionStatus, ExecutionUpdate, Rewind};

fn failure() -> ExecutionUpdate {
    let error = OperationError::new("etl", ErrorKind::Failed, "no");
    ExecutionUpdate::Fail { error }
}

/// Creates a failed execution with three steps.
async fn failed(store: &Store, name: &str) -> Outcome {
    let lease = start_and_claim(store, name).await?;
    let steps = vec![step(1, "1"), step(2, "2"), step(3, "3")];
    let fence = checkpoint(store, &lease.fence, batch(1, steps)).await?;
    store.checkpoint(&fence, ending(2, failure())).await?;
    Ok(())
}

pub(super) async fn a_queued_execution_can_be_paused(store: Store) -> Outcome {
    store.start(new("a")?).await?;
    store.change(&id("a")?, Change::Pause, at(1)).await?;
    expect_eq!(store.get(&id("a")?).await?.paused, true, "paused");
    expect_eq!(
        claimed_ids(
            &store
                .claim_due(&worker_of_build("1"), claim_request(9, at(2)))
                .await?
        )
        .len(),
        0,
        "claimed"
    );
    expect_error!(
        store.claim(&id("a")?, at(2), TTL).await,
        Conflict,
        "claim of a paused execution"
    );
    store.change(&id("a")?, Change::Resume, at(3)).await?;
    expect_eq!(
        claimed_ids(
            &store
                .claim_due(&worker_of_build("1"), claim_request(9, at(3)))
                .await?
        ),
        ["a"],
        "claimed"
    );
    Ok(())
}

pub(super) async fn pausing_keeps_the_wake_up_time(store: Store) -> Outcome {
    let lease = start_and_claim(&store, "a").await?;
    let wake_at = Some(at(50));
    let sleeps = ending(1, ExecutionUpdate::Suspend { wake_at });
    store.checkpoint(&lease.fence, sleeps).await?;
    store.change(&id("a")?, Change::Pause, at(1)).await?;
    store.change(&id("a")?, Change::Resume, at(2)).await?;
    let early = store
        .claim_due(&worker_of_build("1"), claim_request(9, at(3)))
        .await?;
    expect_eq!(
        (claimed_ids(&early).len(), early.next_due),
        (0, Some(at(50))),
        "claimed before its wake-up time"
    );
    Ok(())
}

pub(super) async fn a_running_execution_can_be_paused(store: Store) -> Outcome {
    let lease = start_and_claim(&store, "a").await?;
    store.change(&id("a")?, Change::Pause, at(1)).await?;
    let (fence, ack) = checkpoint_ack(&store, &lease.fence, empty_batch(1, 0)).await?;
    expect_eq!((ack.paused, ack.changes), (true, 1), "paused and changes");
    let wake_at = Some(at(1));
    let mut suspends = (*ending(2, ExecutionUpdate::Suspend { wake_at })).clone();
    suspends.seen = 1;
    store.checkpoint(&fence, suspends.into()).await?;
    expect_eq!(
        claimed_ids(
            &store
                .claim_due(&worker_of_build("1"), claim_request(9, at(9)))
                .await?
        )
        .len(),
        0,
        "claimed"
    );
    store.change(&id("a")?, Change::Resume, at(9)).await?;
    expect_eq!(
        claimed_ids(
            &store
                .claim_due(&worker_of_build("1"), claim_request(9, at(9)))
                .await?
        ),
        ["a"],
        "claimed"
    );
    Ok(())
}

pub(super) async fn cancelling_makes_a_paused_execution_due(store: Store) -> Outcome {
    let lease = start_and_claim(&store, "a").await?;
    let sleeps = ending(1, ExecutionUpdate::Suspend { wake_at: None });
    store.checkpoint(&lease.fence, sleeps).await?;
    store.change(&id("a")?, Change::Pause, at(1)).await?;
    store.cancel(&id("a")?, at(2)).await?;
    expect_eq!(
        claimed_ids(
            &store
                .claim_due(&worker_of_build("1"), claim_request(9, at(2)))
                .await?
        ),
        ["a"],
        "claimed"
    );
    Ok(())
}

pub(super) async fn an_ended_execution_is_not_changed(store: Store) -> Outcome {
    failed(&store, "a").await?;
    let before = stored_state(&store, &id("a")?).await?;
    for change in [Change::Pause, Change::Resume] {
        expect_error!(
            store.change(&id("a")?, change, at(1)).await,
            Conflict,
            "change after the end"
        );
    }
    expect_eq!(stored_state(&store, &id("a")?).await?, before, "state");
    expect_error!(
        store.change(&id("b")?, Change::Pause, at(1)).await,
        NotFound,
        "change of an unknown execution"
    );
    Ok(())
}

pub(super) async fn a_failed_execution_can_be_rewound(store: Store) -> Outcome {
    failed(&store, "a").await?;
    let rewind = Rewind {
        seen: 0,
        remove_from: Some(3),
        records: vec![step(2, "20")],
    };
    store
        .change(&id("a")?, Change::Rewind(rewind.clone()), at(1))
        .await?;
    let (execution, records) = stored_state(&store, &id("a")?).await?;
    expect_eq!(records, [step(1, "1"), step(2, "20")], "records");
    expect_eq!(
        (execution.status, execution.error),
        (ExecutionStatus::Suspended, None),
        "status and error"
    );
    expect_eq!(
        (execution.wake_at, execution.changes),
        (Some(at(1)), 1),
        "due and changes"
    );
    expect_error!(
        store.change(&id("a")?, Change::Rewind(rewind), at(2)).await,
        Conflict,
        "rewind of a state that has changed"
    );
    let claimed = store
        .claim_due(&worker_of_build("1"), claim_request(9, at(1)))
        .await?;
    expect_eq!(claimed_ids(&claimed), ["a"], "claimed");
    for lease in &claimed.leases {
        expect_eq!(
            (lease.was_interrupted, lease.crashes),
            (false, 0),
            "interruption and number of crashes"
        );
        let again = batch(1, vec![step(3, "30")]);
        checkpoint(&store, &lease.fence, again).await?;
    }
    Ok(())
}

pub(super) async fn a_running_execution_is_neither_rewound_nor_deleted(store: Store) -> Outcome {
    start_and_claim(&store, "a").await?;
    let before = stored_state(&store, &id("a")?).await?;
    let rewind = Change::Rewind(Rewind::default());
    expect_error!(
        store.change(&id("a")?, rewind, at(1)).await,
        Conflict,
        "rewind of a running execution"
    );
    expect_error!(
        store.change(&id("a")?, Change::Delete, at(1)).await,
        Conflict,
        "deletion of a running execution"
    );
    expect_eq!(stored_state(&store, &id("a")?).await?, before, "state");
    Ok(())
}

pub(super) async fn an_ended_execution_can_be_deleted(store: Store) -> Outcome {
    failed(&store, "a").await?;
    store.start(new("b")?).await?;
    expect_error!(
        store.change(&id("b")?, Change::Delete, at(1)).await,
        Conflict,
        "deletion of a queued execution"
    );
    store.change(&id("a")?, Change::Delete, at(1)).await?;
    expect_error!(
        store.get(&id("a")?).await,
        NotFound,
        "the deleted execution"
    );
    expect_eq!(
        store.history(&id("b")?).await?.len(),
        0,
        "records of another execution"
    );
    Ok(())
}

pub(super) async fn a_deleted_id_can_be_reused_and_old_fences_stay_invalid(
    store: Store,
) -> Outcome {
    let stale = start_and_claim(&store, "a").await?;
    let lease = store.claim(&id("a")?, at(3600), TTL).await?;
    let output = json("1");
    let ends = ending(1, ExecutionUpdate::Succeed { output });
    store.checkpoint(&lease.fence, ends).await?;
    store.change(&id("a")?, Change::Delete, at(3600)).await?;
    start_and_claim(&store, "a").await?;
    for old in [&stale.fence, &lease.fence] {
        expect_error!(
            store.checkpoint(old, batch(5, vec![step(1, "9")])).await,
            FenceLost,
            "checkpoint with an old fence"
        );
    }
    expect_eq!(store.history(&id("a")?).await?.len(), 0, "records");
    Ok(())
}
