//! An execution is asked to stop.

use super::fixture::{
    NOW, TTL, asking, at, ending, ending_seen, id, json, leased, new, state, suspend, told,
};
use super::{Outcome, Store, refused, same};
use crate::ErrorKind;
use crate::model::error::OperationError;
use crate::store::{ExecutionStatus, ExecutionUpdate};

pub(super) async fn one_that_never_ran_ends_at_once(store: Store) -> Outcome {
    store.start(new("a")?).await?;
    store.cancel(&id("a")?, at(5)).await?;
    let execution = store.get(&id("a")?).await?;
    let found = (execution.status, execution.cancel, execution.updated_at);
    same!(found, (ExecutionStatus::Cancelled, true, at(5)), "status");
    let kind = execution.error.as_ref().map(OperationError::kind);
    same!(kind, Some(ErrorKind::Cancelled), "error");
    refused!(store.claim(&id("a")?, at(6), TTL).await, Conflict, "claim");
    Ok(())
}

pub(super) async fn one_that_waits_is_woken(store: Store) -> Outcome {
    let lease = leased(&store, "a").await?;
    store.checkpoint(&lease.fence, ending(1, suspend())).await?;
    store.cancel(&id("a")?, at(5)).await?;
    let execution = store.get(&id("a")?).await?;
    let found = (execution.status, execution.wake_at, execution.changes);
    same!(
        found,
        (ExecutionStatus::Suspended, Some(at(5)), 1),
        "status"
    );
    let lease = store.claim(&id("a")?, at(6), TTL).await?;
    let found = (lease.execution.cancel, lease.execution.changes);
    same!(found, (true, 1), "as of the claim");
    Ok(())
}

pub(super) async fn one_that_is_blocked_is_due(store: Store) -> Outcome {
    let lease = leased(&store, "a").await?;
    let report = "another input".to_owned();
    let blocked = ending(1, ExecutionUpdate::Block { report });
    store.checkpoint(&lease.fence, blocked).await?;
    store.cancel(&id("a")?, at(5)).await?;
    let execution = store.get(&id("a")?).await?;
    let found = (execution.status, execution.wake_at, execution.cancel);
    let expected = (ExecutionStatus::Suspended, Some(at(5)), true);
    same!(found, expected, "status");
    same!(execution.report, None, "report");
    let lease = store.claim(&id("a")?, at(6), TTL).await?;
    same!(lease.execution.cancel, true, "as of the claim");
    Ok(())
}

pub(super) async fn one_that_runs_is_told(store: Store) -> Outcome {
    let lease = leased(&store, "a").await?;
    let (fence, ack) = told(&store, &lease.fence, asking(1, 0)).await?;
    same!((ack.cancel, ack.changes), (false, 0), "before");
    for _ in 0..2 {
        store.cancel(&id("a")?, at(5)).await?;
        let (_, ack) = told(&store, &fence, asking(2, 0)).await?;
        same!((ack.cancel, ack.changes), (true, 1), "what is told");
        same!(ack.changed_records, vec![], "records that have changed");
    }
    let execution = store.get(&id("a")?).await?;
    same!(execution.status, ExecutionStatus::Running, "status");
    let ack = store.checkpoint(&fence, ending(3, suspend())).await?;
    same!(ack.cancel, true, "as of the suspension");
    let woken = store.get(&id("a")?).await?.wake_at.is_some();
    same!(woken, true, "a suspension that missed it is due at once");
    Ok(())
}

pub(super) async fn a_cancelled_execution_keeps_its_error(store: Store) -> Outcome {
    let lease = leased(&store, "a").await?;
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
    same!(found, (ExecutionStatus::Cancelled, Some(error)), "the end");
    refused!(store.claim(&id("a")?, at(6), TTL).await, Conflict, "claim");
    Ok(())
}

pub(super) async fn one_that_has_ended_is_left_alone(store: Store) -> Outcome {
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
        let lease = leased(&store, name).await?;
        store.checkpoint(&lease.fence, ending(1, update)).await?;
        let before = state(&store, &id(name)?).await?;
        store.cancel(&id(name)?, at(5)).await?;
        same!(state(&store, &id(name)?).await?, before, name);
    }
    let e = store.get(&id("e")?).await?;
    same!(e.status, ExecutionStatus::Queued, "the next of a chain");
    let unknown = store.cancel(&id("nobody")?, NOW).await;
    refused!(unknown, NotFound, "an unknown execution");
    Ok(())
}
