//! Callbacks: they are completed once, keep their outcome, and notify the execution.

use std::time::Duration;

use tokio::task::JoinSet;

use super::fixture::{
    TTL, at, batch, callback, checkpoint, checkpoint_ack, empty_batch, ending, ending_seen, id,
    json, load_all, settled, start_and_claim, step, stored_state, suspend, with_callback,
    with_child,
};
use super::{Defect, Outcome, Store, expect_eq, expect_error};
use crate::model::error::OperationError;
use crate::model::record::{Completion, Status};
use crate::store::{CallbackId, ExecutionStatus, ExecutionUpdate, StoreErrorKind};
use crate::{ErrorKind, Timestamp};

fn yes() -> Completion {
    Completion::Succeed(json("\"yes\""))
}

fn no() -> Completion {
    let mut error = OperationError::new("approval", ErrorKind::Failed, "declined “so”");
    error.chain = vec!["budget".to_owned()];
    Completion::Fail(error)
}

pub(super) async fn a_completed_callback_keeps_its_outcome(store: Store) -> Outcome {
    for (name, outcome) in [("a", yes()), ("b", no())] {
        let (fence, callback, record) = with_callback(&store, name).await?;
        store.complete(&callback, outcome.clone(), at(5)).await?;
        let expected = settled(record, &outcome, at(5));
        let history = store.history(&id(name)?).await?;
        expect_eq!(history, vec![expected.clone()], "history");
        expect_eq!(store.get(&id(name)?).await?.changes, 1, "changes");
        let (fence, ack) = checkpoint_ack(&store, &fence, empty_batch(2, 0)).await?;
        expect_eq!(
            (ack.changes, ack.cancel),
            (1, false),
            "changes and cancellation in the ack"
        );
        expect_eq!(
            ack.changed_records,
            vec![expected.clone()],
            "changed records"
        );
        expect_eq!(load_all(&store, &fence, 0).await?, vec![expected], "load");
    }
    Ok(())
}

pub(super) async fn a_suspended_execution_becomes_due(store: Store) -> Outcome {
    let (fence, callback, _) = with_callback(&store, "a").await?;
    let wake_at = Some(at(3600));
    let update = ExecutionUpdate::Suspend { wake_at };
    store.checkpoint(&fence, ending(2, update)).await?;
    expect_eq!(
        store.get(&id("a")?).await?.wake_at,
        wake_at,
        "wake_at before"
    );
    store.complete(&callback, yes(), at(5)).await?;
    let execution = store.get(&id("a")?).await?;
    let found = (execution.status, execution.wake_at, execution.changes);
    let expected = (ExecutionStatus::Suspended, Some(at(5)), 1);
    expect_eq!(found, expected, "after the completion");
    let lease = store.claim(&id("a")?, at(6), TTL).await?;
    expect_eq!(lease.execution.changes, 1, "changes at the claim");
    Ok(())
}

pub(super) async fn the_first_outcome_counts(store: Store) -> Outcome {
    let (_, callback, _) = with_callback(&store, "a").await?;
    store.complete(&callback, no(), at(5)).await?;
    let before = stored_state(&store, &id("a")?).await?;
    for outcome in [no(), yes()] {
        expect_error!(
            store.complete(&callback, outcome, at(6)).await,
            Conflict,
            "second outcome"
        );
    }
    expect_error!(
        store.heartbeat(&callback, at(6)).await,
        Conflict,
        "heartbeat after the outcome"
    );
    expect_eq!(
        stored_state(&store, &id("a")?).await?,
        before,
        "state after the first outcome"
    );
    Ok(())
}

pub(super) async fn the_writer_cannot_overwrite_an_outcome(store: Store) -> Outcome {
    let (fence, callback, record) = with_callback(&store, "a").await?;
    store.complete(&callback, yes(), at(5)).await?;
    let expected = settled(record.clone(), &yes(), at(5));
    let late = OperationError::new("callback[1]", ErrorKind::TimedOut, "nobody answered");
    let failed = settled(record.clone(), &Completion::Fail(late), at(6));
    let mut cancelled = record.clone();
    cancelled.status = Status::Cancelled;
    let mut fence = fence;
    for (n, late) in (2..).zip([failed, cancelled, record]) {
        let records = vec![late, step(n, "1")];
        let ack;
        (fence, ack) = checkpoint_ack(&store, &fence, batch(n, records)).await?;
        expect_eq!(
            ack.changed_records,
            vec![expected.clone()],
            "changed records in the ack"
        );
    }
    let history = store.history(&id("a")?).await?;
    expect_eq!(history[0], expected, "record of the callback");
    expect_eq!(history.len(), 4, "records written along with it");
    Ok(())
}

pub(super) async fn a_callback_settled_by_the_writer_cannot_be_completed(store: Store) -> Outcome {
    let (fence, callback, record) = with_callback(&store, "a").await?;
    let late = OperationError::new("callback[1]", ErrorKind::TimedOut, "nobody answered");
    let failed = settled(record, &Completion::Fail(late), at(6));
    checkpoint(&store, &fence, batch(2, vec![failed.clone()])).await?;
    expect_error!(
        store.complete(&callback, yes(), at(7)).await,
        Conflict,
        "outcome after the timeout"
    );
    expect_eq!(store.history(&id("a")?).await?, vec![failed], "history");
    expect_eq!(store.get(&id("a")?).await?.changes, 0, "changes");
    Ok(())
}

pub(super) async fn a_callback_of_an_ended_execution_cannot_be_completed(store: Store) -> Outcome {
    let (fence, callback, _) = with_callback(&store, "a").await?;
    let output = json("1");
    let succeed = ExecutionUpdate::Succeed { output };
    store.checkpoint(&fence, ending(2, succeed)).await?;
    let before = stored_state(&store, &id("a")?).await?;
    let tried = store.complete(&callback, yes(), at(5)).await;
    expect_error!(tried, Conflict, "outcome after the end");
    let tried = store.heartbeat(&callback, at(5)).await;
    expect_error!(tried, Conflict, "heartbeat after the end");
    expect_eq!(
        stored_state(&store, &id("a")?).await?,
        before,
        "state after the end"
    );
    Ok(())
}

pub(super) async fn an_unknown_callback_is_not_found(store: Store) -> Outcome {
    let (fence, callback, record) = with_callback(&store, "a").await?;
    checkpoint(&store, &fence, batch(2, vec![step(2, "1")])).await?;
    with_child(&store, "b", "c").await?;
    let other =
        |name: &str, seq| Ok::<_, Defect>(CallbackId::unguessable(&id(name)?, seq, record.id));
    let unknown = [
        other("a", 1)?,
        other("a", 2)?,
        other("a", 3)?,
        other("a", u64::MAX)?,
        other("b", 1)?,
        other("nobody", 1)?,
    ];
    let before = stored_state(&store, &id("a")?).await?;
    for unknown in unknown {
        let tried = store.complete(&unknown, yes(), at(5)).await;
        expect_error!(tried, NotFound, unknown);
        let tried = store.heartbeat(&unknown, at(5)).await;
        expect_error!(tried, NotFound, unknown);
    }
    expect_eq!(
        stored_state(&store, &id("a")?).await?,
        before,
        "state after made-up ids"
    );
    store.complete(&callback, yes(), at(5)).await?;
    Ok(())
}

pub(super) async fn a_suspension_that_missed_a_change_is_due_at_once(store: Store) -> Outcome {
    let cases = [("a", 0, None), ("b", 0, Some(at(86_400)))];
    for (name, seen, wake_at) in cases {
        let (fence, callback, _) = with_callback(&store, name).await?;
        store.complete(&callback, yes(), at(5)).await?;
        let update = ExecutionUpdate::Suspend { wake_at };
        let ack = store
            .checkpoint(&fence, ending_seen(2, update, seen))
            .await?;
        expect_eq!(
            (ack.changes, ack.changed_records.len()),
            (1, 1),
            "changes in the ack"
        );
        let execution = store.get(&id(name)?).await?;
        expect_eq!(execution.status, ExecutionStatus::Suspended, "status");
        let woken = execution.wake_at.is_some_and(|at| Some(at) != wake_at);
        expect_eq!(woken, true, "due at once");
    }
    let (fence, callback, _) = with_callback(&store, "c").await?;
    store.complete(&callback, yes(), at(5)).await?;
    let seen = ending_seen(2, suspend(), 1);
    store.checkpoint(&fence, seen).await?;
    expect_eq!(
        store.get(&id("c")?).await?.wake_at,
        None,
        "wake-up time if the change was seen"
    );
    Ok(())
}

pub(super) async fn an_ack_contains_the_changes_not_yet_seen(store: Store) -> Outcome {
    let lease = start_and_claim(&store, "a").await?;
    let (first, one) = callback("a", 1)?;
    let (second, two) = callback("a", 2)?;
    let fence = checkpoint(
        &store,
        &lease.fence,
        batch(1, vec![one.clone(), two.clone()]),
    )
    .await?;
    store.complete(&second, yes(), at(5)).await?;
    let (fence, ack) = checkpoint_ack(&store, &fence, empty_batch(2, 0)).await?;
    let two = settled(two, &yes(), at(5));
    expect_eq!(
        (ack.changes, ack.changed_records),
        (1, vec![two.clone()]),
        "the first change"
    );
    store.complete(&first, no(), at(6)).await?;
    let one = settled(one, &no(), at(6));
    let (fence, ack) = checkpoint_ack(&store, &fence, empty_batch(3, 1)).await?;
    expect_eq!(
        (ack.changes, ack.changed_records),
        (2, vec![one]),
        "only the second change"
    );
    let (_, ack) = checkpoint_ack(&store, &fence, empty_batch(4, 2)).await?;
    expect_eq!(
        (ack.changes, ack.changed_records),
        (2, vec![]),
        "no further change"
    );
    Ok(())
}

pub(super) async fn a_heartbeat_postpones_the_timeout(store: Store) -> Outcome {
    let lease = start_and_claim(&store, "a").await?;
    let (alive, mut record) = callback("a", 1)?;
    record.heartbeat = Some(Duration::from_secs(30));
    (record.deadline, record.due_at) = (Some(at(60)), Some(at(30)));
    let (other, untimed) = callback("a", 2)?;
    let records = vec![record.clone(), untimed.clone()];
    let mut fence = checkpoint(&store, &lease.fence, batch(1, records)).await?;
    for (seen, time, due) in [(0, 20, 50), (1, 40, 60), (2, 59, 60)] {
        store.heartbeat(&alive, at(time)).await?;
        record.due_at = Some(at(due));
        let ack;
        (fence, ack) = checkpoint_ack(&store, &fence, empty_batch(2 + seen, seen)).await?;
        let expected = (seen + 1, vec![record.clone()]);
        expect_eq!(
            (ack.changes, ack.changed_records),
            expected,
            "changes in the ack"
        );
    }
    store.heartbeat(&other, at(59)).await?;
    expect_eq!(
        store.history(&id("a")?).await?,
        vec![record.clone(), untimed],
        "history"
    );
    store.complete(&alive, yes(), at(60)).await?;
    let settled = settled(record, &yes(), at(60));
    expect_eq!(
        store.history(&id("a")?).await?[0],
        settled,
        "record after the completion"
    );
    Ok(())
}

pub(super) async fn a_heartbeat_does_not_wake_the_execution(store: Store) -> Outcome {
    let (fence, callback, _) = with_callback(&store, "a").await?;
    let wake_at = Some(at(30));
    let update = ExecutionUpdate::Suspend { wake_at };
    store.checkpoint(&fence, ending(2, update)).await?;
    store.heartbeat(&callback, at(5)).await?;
    expect_eq!(store.get(&id("a")?).await?.wake_at, wake_at, "wake_at");
    Ok(())
}

pub(super) async fn only_one_of_concurrent_outcomes_counts(store: Store) -> Outcome {
    let (_, callback, record) = with_callback(&store, "a").await?;
    let mut tries = JoinSet::new();
    for n in 0..16_i64 {
        let (store, callback) = (store.clone(), callback.clone());
        let outcome = Completion::Succeed(json(n.to_string()));
        tries.spawn(async move {
            let tried = store.complete(&callback, outcome.clone(), at(n)).await;
            (outcome, at(n), tried)
        });
    }
    let mut counted: Vec<(Completion, Timestamp)> = Vec::new();
    while let Some(done) = tries.join_next().await {
        match done.map_err(|lost| Defect::new(format!("a task panicked: {lost}")))? {
            (outcome, now, Ok(())) => counted.push((outcome, now)),
            (.., Err(error)) if error.kind() == StoreErrorKind::Conflict => {}
            (.., Err(error)) => return Err(error.into()),
        }
    }
    let [(outcome, now)] = counted.as_slice() else {
        return Err(Defect::new(format!("accepted outcomes: {counted:?}")));
    };
    let expected = settled(record, outcome, *now);
    expect_eq!(store.history(&id("a")?).await?, vec![expected], "history");
    expect_eq!(store.get(&id("a")?).await?.changes, 1, "changes");
    Ok(())
}
