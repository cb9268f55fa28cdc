//! What an outside party settles: once, kept, and known to whoever waits.

use std::time::Duration;

use tokio::task::JoinSet;

use super::fixture::{
    TTL, asking, at, batch, callback, ending, ending_seen, id, json, leased, loaded, put, settled,
    state, step, suspend, told, with_callback, with_child,
};
use super::{Defect, Outcome, Store, refused, same};
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

pub(super) async fn an_outcome_comes_from_outside(store: Store) -> Outcome {
    for (name, outcome) in [("a", yes()), ("b", no())] {
        let (fence, callback, record) = with_callback(&store, name).await?;
        store.complete(&callback, outcome.clone(), at(5)).await?;
        let expected = settled(record, &outcome, at(5));
        let history = store.history(&id(name)?).await?;
        same!(history, vec![expected.clone()], "history");
        same!(store.get(&id(name)?).await?.changes, 1, "changes");
        let (fence, ack) = told(&store, &fence, asking(2, 0)).await?;
        same!(
            (ack.changes, ack.cancel),
            (1, false),
            "what the writer is told"
        );
        same!(
            ack.changed_records,
            vec![expected.clone()],
            "what has changed"
        );
        same!(loaded(&store, &fence, 0).await?, vec![expected], "load");
    }
    Ok(())
}

pub(super) async fn a_waiting_execution_is_woken(store: Store) -> Outcome {
    let (fence, callback, _) = with_callback(&store, "a").await?;
    let wake_at = Some(at(3600));
    let update = ExecutionUpdate::Suspend { wake_at };
    store.checkpoint(&fence, ending(2, update)).await?;
    same!(
        store.get(&id("a")?).await?.wake_at,
        wake_at,
        "wake_at before"
    );
    store.complete(&callback, yes(), at(5)).await?;
    let execution = store.get(&id("a")?).await?;
    let found = (execution.status, execution.wake_at, execution.changes);
    let expected = (ExecutionStatus::Suspended, Some(at(5)), 1);
    same!(found, expected, "once completed");
    let lease = store.claim(&id("a")?, at(6), TTL).await?;
    same!(lease.execution.changes, 1, "changes, as of the claim");
    Ok(())
}

pub(super) async fn the_first_outcome_counts(store: Store) -> Outcome {
    let (_, callback, _) = with_callback(&store, "a").await?;
    store.complete(&callback, no(), at(5)).await?;
    let before = state(&store, &id("a")?).await?;
    for outcome in [no(), yes()] {
        refused!(
            store.complete(&callback, outcome, at(6)).await,
            Conflict,
            "a second outcome"
        );
    }
    refused!(
        store.heartbeat(&callback, at(6)).await,
        Conflict,
        "a heartbeat after the outcome"
    );
    same!(state(&store, &id("a")?).await?, before, "after the first");
    Ok(())
}

pub(super) async fn a_settled_callback_keeps_its_outcome(store: Store) -> Outcome {
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
        (fence, ack) = told(&store, &fence, batch(n, records)).await?;
        same!(
            ack.changed_records,
            vec![expected.clone()],
            "what the writer is told"
        );
    }
    let history = store.history(&id("a")?).await?;
    same!(history[0], expected, "the callback");
    same!(history.len(), 4, "records written beside it");
    Ok(())
}

pub(super) async fn what_the_writer_settles_is_closed(store: Store) -> Outcome {
    let (fence, callback, record) = with_callback(&store, "a").await?;
    let late = OperationError::new("callback[1]", ErrorKind::TimedOut, "nobody answered");
    let failed = settled(record, &Completion::Fail(late), at(6));
    put(&store, &fence, batch(2, vec![failed.clone()])).await?;
    refused!(
        store.complete(&callback, yes(), at(7)).await,
        Conflict,
        "an outcome after the time"
    );
    same!(store.history(&id("a")?).await?, vec![failed], "history");
    same!(store.get(&id("a")?).await?.changes, 0, "changes");
    Ok(())
}

pub(super) async fn an_ended_execution_takes_no_outcome(store: Store) -> Outcome {
    let (fence, callback, _) = with_callback(&store, "a").await?;
    let output = json("1");
    let succeed = ExecutionUpdate::Succeed { output };
    store.checkpoint(&fence, ending(2, succeed)).await?;
    let before = state(&store, &id("a")?).await?;
    let tried = store.complete(&callback, yes(), at(5)).await;
    refused!(tried, Conflict, "an outcome");
    let tried = store.heartbeat(&callback, at(5)).await;
    refused!(tried, Conflict, "a heartbeat");
    same!(state(&store, &id("a")?).await?, before, "after the end");
    Ok(())
}

pub(super) async fn what_is_no_callback_is_not_found(store: Store) -> Outcome {
    let (fence, callback, record) = with_callback(&store, "a").await?;
    put(&store, &fence, batch(2, vec![step(2, "1")])).await?;
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
    let before = state(&store, &id("a")?).await?;
    for unknown in unknown {
        let tried = store.complete(&unknown, yes(), at(5)).await;
        refused!(tried, NotFound, unknown);
        let tried = store.heartbeat(&unknown, at(5)).await;
        refused!(tried, NotFound, unknown);
    }
    same!(state(&store, &id("a")?).await?, before, "after made-up ids");
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
        same!(
            (ack.changes, ack.changed_records.len()),
            (1, 1),
            "what is told"
        );
        let execution = store.get(&id(name)?).await?;
        same!(execution.status, ExecutionStatus::Suspended, "status");
        let woken = execution.wake_at.is_some_and(|at| Some(at) != wake_at);
        same!(woken, true, "due at once");
    }
    let (fence, callback, _) = with_callback(&store, "c").await?;
    store.complete(&callback, yes(), at(5)).await?;
    let seen = ending_seen(2, suspend(), 1);
    store.checkpoint(&fence, seen).await?;
    same!(store.get(&id("c")?).await?.wake_at, None, "once it is seen");
    Ok(())
}

pub(super) async fn a_writer_is_told_what_it_has_not_seen(store: Store) -> Outcome {
    let lease = leased(&store, "a").await?;
    let (first, one) = callback("a", 1)?;
    let (second, two) = callback("a", 2)?;
    let fence = put(
        &store,
        &lease.fence,
        batch(1, vec![one.clone(), two.clone()]),
    )
    .await?;
    store.complete(&second, yes(), at(5)).await?;
    let (fence, ack) = told(&store, &fence, asking(2, 0)).await?;
    let two = settled(two, &yes(), at(5));
    same!(
        (ack.changes, ack.changed_records),
        (1, vec![two.clone()]),
        "the first"
    );
    store.complete(&first, no(), at(6)).await?;
    let one = settled(one, &no(), at(6));
    let (fence, ack) = told(&store, &fence, asking(3, 1)).await?;
    same!(
        (ack.changes, ack.changed_records),
        (2, vec![one]),
        "the second alone"
    );
    let (_, ack) = told(&store, &fence, asking(4, 2)).await?;
    same!(
        (ack.changes, ack.changed_records),
        (2, vec![]),
        "nothing new"
    );
    Ok(())
}

pub(super) async fn a_heartbeat_moves_the_time(store: Store) -> Outcome {
    let lease = leased(&store, "a").await?;
    let (alive, mut record) = callback("a", 1)?;
    record.heartbeat = Some(Duration::from_secs(30));
    (record.deadline, record.due_at) = (Some(at(60)), Some(at(30)));
    let (other, untimed) = callback("a", 2)?;
    let records = vec![record.clone(), untimed.clone()];
    let mut fence = put(&store, &lease.fence, batch(1, records)).await?;
    for (seen, time, due) in [(0, 20, 50), (1, 40, 60), (2, 59, 60)] {
        store.heartbeat(&alive, at(time)).await?;
        record.due_at = Some(at(due));
        let ack;
        (fence, ack) = told(&store, &fence, asking(2 + seen, seen)).await?;
        let expected = (seen + 1, vec![record.clone()]);
        same!(
            (ack.changes, ack.changed_records),
            expected,
            "what the writer is told"
        );
    }
    store.heartbeat(&other, at(59)).await?;
    same!(
        store.history(&id("a")?).await?,
        vec![record.clone(), untimed],
        "history"
    );
    store.complete(&alive, yes(), at(60)).await?;
    let settled = settled(record, &yes(), at(60));
    same!(
        store.history(&id("a")?).await?[0],
        settled,
        "once completed"
    );
    Ok(())
}

pub(super) async fn a_heartbeat_wakes_nobody(store: Store) -> Outcome {
    let (fence, callback, _) = with_callback(&store, "a").await?;
    let wake_at = Some(at(30));
    let update = ExecutionUpdate::Suspend { wake_at };
    store.checkpoint(&fence, ending(2, update)).await?;
    store.heartbeat(&callback, at(5)).await?;
    same!(store.get(&id("a")?).await?.wake_at, wake_at, "wake_at");
    Ok(())
}

pub(super) async fn of_many_outcomes_one_counts(store: Store) -> Outcome {
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
        match done.map_err(|lost| Defect::new(format!("a task was lost: {lost}")))? {
            (outcome, now, Ok(())) => counted.push((outcome, now)),
            (.., Err(error)) if error.kind() == StoreErrorKind::Conflict => {}
            (.., Err(error)) => return Err(error.into()),
        }
    }
    let [(outcome, now)] = counted.as_slice() else {
        return Err(Defect::new(format!("accepted: {counted:?}")));
    };
    let expected = settled(record, outcome, *now);
    same!(store.history(&id("a")?).await?, vec![expected], "history");
    same!(store.get(&id("a")?).await?.changes, 1, "changes");
    Ok(())
}
