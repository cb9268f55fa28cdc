//! Cancellation of executions.

use super::fixture::{
    NOW, TTL, at, checkpoint_ack, empty_batch, ending, ending_seen, id, json, new, start_and_claim,
    stored_state, suspend,
};
use super::{Outcome, Store, expect_eq, expect_error};
use crate::ErrorKind;
use crate::model::error::OperationError;
use crate::store::{ExecutionStatus, ExecutionUpdate};

pub(super) async fn a_queued_execution_ends_at_once(store: Store) -> Outcome {
    store.start(new("a")?).await?;
    store.cancel(&id("a")?, at(5)).await?;
    let execution = store.get(&id("a")?).await?;
    let found = (execution.status, execution.cancel, execution.updated_at);
    expect_eq!(found, (ExecutionStatus::Cancelled, true, at(5)), "status");
    let kind = execution.error.as_ref().map(OperationError::kind);
    expect_eq!(kind, Some(ErrorKind::Cancelled), "error");
    expect_error!(store.claim(&id("a")?, at(6), TTL).await, Conflict, "claim");
    Ok(())
}

pub(super) async fn a_suspended_execution_becomes_due(store: Store) -> Outcome {
    let lease = start_and_claim(&store, "a").await?;
    store.checkpoint(&lease.fence, ending(1, suspend())).await?;
    store.cancel(&id("a")?, at(5)).await?;
    let execution = store.get(&id("a")?).await?;
    let found = (execution.status, execution.wake_at, execution.changes);
    expect_eq!(
        found,
        (ExecutionStatus::Suspended, Some(at(5)), 1),
        "status"
    );
    let lease = store.claim(&id("a")?, at(6), TTL).await?;
    let found = (lease.execution.cancel, lease.execution.changes);
    expect_eq!(found, (true, 1), "at the claim");
    Ok(())
}

pub(super) async fn a_blocked_execution_becomes_due(store: Store) -> Outcome {
    let lease = start_and_claim(&store, "a").await?;
    let report = "another input".to_owned();
    let blocked = ending(1, ExecutionUpdate::Block { report });
    store.checkpoint(&lease.fence, blocked).await?;
    store.cancel(&id("a")?, at(5)).await?;
    let execution = store.get(&id("a")?).await?;
    let found = (execution.status, execution.wake_at, execution.cancel);
    let expected = (ExecutionStatus::Suspended, Some(at(5)), true);
    expect_eq!(found, expected, "status");
    expect_eq!(execution.report, None, "report");
    let lease = store.claim(&id("a")?, at(6), TTL).await?;
    expect_eq!(lease.execution.cancel, true, "cancellation at the claim");
    Ok(())
}

pub(super) async fn a_running_execution_sees_it_in_the_ack(store: Store) -> Outcome {
    let lease = start_and_claim(&store, "a").await?;
    let (fence, ack) = checkpoint_ack(&store, &lease.fence, empty_batch(1, 0)).await?;
    expect_eq!(
        (ack.cancel, ack.changes),
        (false, 0),
        "before the cancellation"
    );
    for _ in 0..2 {
        store.cancel(&id("a")?, at(5)).await?;
        let (_, ack) = checkpoint_ack(&store, &fence, empty_batch(2, 0)).await?;
        expect_eq!(
            (ack.cancel, ack.changes),
            (true, 1),
            "cancellation and changes in the ack"
        );
        expect_eq!(ack.changed_records, vec![], "changed records in the ack");
    }
    let execution = store.get(&id("a")?).await?;
    expect_eq!(execution.status, ExecutionStatus::Running, "status");
    let ack = store.checkpoint(&fence, ending(3, suspend())).await?;
    expect_eq!(
        ack.cancel,
        true,
        "cancellation in the ack of the suspension"
    );
    let woken = store.get(&id("a")?).await?.wake_at.is_some();
    expect_eq!(
        woken,
        true,
        "a suspension that missed the cancellation is due at once"
    );
    Ok(())
}

pub(super) async fn a_cancelled_execution_keeps_its_error(store: Store) -> Outcome {
    let lease = start_and_claim(&store, "a").await?;
    store.cancel(&id("a")?, at(5)).await?;
    let mut error = OperationError::new("etl", ErrorKind::Cancelled, "stopped at `load`");
    error.chain = vec!["undone".to_owned()];
    let update = ExecutionUpdate::Cancel {
        error: error.clone(),
    };
    store
        .checkpoint(&lease.fence, ending_seen(1, update, 1))
        .await?;
    let execution = store.get(&id("a")?).await?;
    let found = (execution.status, execution.error);
    expect_eq!(
        found,
        (ExecutionStatus::Cancelled, Some(error)),
        "status and error"
    );
    expect_error!(store.claim(&id("a")?, at(6), TTL).await, Conflict, "claim");
    Ok(())
}

pub(super) async fn an_ended_execution_is_not_changed(store: Store) -> Outcome {
    let error = OperationError::new("etl", ErrorKind::Failed, "no");
    let endings = [
        ("a", ExecutionUpdate::Succeed { output: json("1") }),
        (
            "b",
            ExecutionUpdate::Fail {
                error: error.clone(),
            },
        ),
        ("c", ExecutionUpdate::Cancel { error }),
        ("d", ExecutionUpdate::Continue { next: new("e")? }),
    ];
    for (name, update) in endings {
        let lease = start_and_claim(&store, name).await?;
        store.checkpoint(&lease.fence, ending(1, update)).await?;
        let before = stored_state(&store, &id(name)?).await?;
        store.cancel(&id(name)?, at(5)).await?;
        expect_eq!(stored_state(&store, &id(name)?).await?, before, name);
    }
    let e = store.get(&id("e")?).await?;
    expect_eq!(
        e.status,
        ExecutionStatus::Queued,
        "status of the next execution of the chain"
    );
    let unknown = store.cancel(&id("nobody")?, NOW).await;
    expect_error!(unknown, NotFound, "an unknown execution");
    Ok(())
}
