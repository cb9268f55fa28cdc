//! Executions that others start and wait for.

use tokio::task::JoinSet;

use super::fixture::{
    NOW, TTL, asking, at, at_its_time, batch, callback, child, ending, id, json, leased, new, put,
    run_to, settled, state, step, suspend, taken_over, told, with_child,
};
use super::{Defect, Outcome, Store, refused, same};
use crate::ErrorKind;
use crate::model::error::OperationError;
use crate::model::record::{Completion, Status};
use crate::store::{Batch, Execution, ExecutionStatus, ExecutionUpdate};

fn ok(output: &str) -> ExecutionUpdate {
    let output = json(output.to_owned());
    ExecutionUpdate::Succeed { output }
}

fn error(kind: ErrorKind) -> OperationError {
    let mut error = OperationError::new("etl", kind, "no “end”");
    error.chain = vec!["by peer".to_owned()];
    error
}

pub(super) async fn start_with_the_batch(store: Store) -> Outcome {
    let (_, record) = with_child(&store, "a", "a.1").await?;
    let (_, new) = child("a", 1, "a.1")?;
    let expected = Execution::queued(new);
    same!(store.get(&id("a.1")?).await?, expected, "the child");
    same!(store.history(&id("a")?).await?, vec![record], "the parent");
    let lease = store.claim(&id("a.1")?, NOW, TTL).await?;
    same!(lease.execution.parent, expected.parent, "as of the claim");
    let listed = store.list(Default::default()).await?;
    same!(listed[1], lease.execution, "as it is listed");
    Ok(())
}

pub(super) async fn start_once(store: Store) -> Outcome {
    let (fence, record) = with_child(&store, "a", "a.1").await?;
    run_to(&store, "a.1", ok("1")).await?;
    leased(&store, "b").await?;
    let before = (
        state(&store, &id("a.1")?).await?,
        store.get(&id("b")?).await?,
    );
    let (_, mut again) = child("a", 1, "a.1")?;
    (again.input, again.created_at) = (json("0"), at(9));
    let again = Batch {
        id: 2,
        records: vec![record],
        children: vec![again, child("a", 1, "b")?.1],
        seen: 0,
        execution: None,
    };
    let (fence, _) = told(&store, &fence, again.clone().into()).await?;
    store.checkpoint(&fence, again.into()).await?;
    let after = (
        state(&store, &id("a.1")?).await?,
        store.get(&id("b")?).await?,
    );
    same!(after, before, "what was there before");
    Ok(())
}

pub(super) async fn of_a_refused_batch_do_not_start(store: Store) -> Outcome {
    let old = leased(&store, "a").await?;
    taken_over(&store, &old).await?;
    let (record, child) = child("a", 1, "a.1")?;
    let late = Batch {
        id: 1,
        records: vec![record],
        children: vec![child],
        seen: 0,
        execution: None,
    };
    refused!(
        store.checkpoint(&old.fence, late.into()).await,
        FenceLost,
        "a late batch"
    );
    refused!(store.get(&id("a.1")?).await, NotFound, "its child");
    Ok(())
}

pub(super) async fn tell_how_they_end(store: Store) -> Outcome {
    let (failed, cancelled) = (error(ErrorKind::TimedOut), error(ErrorKind::Cancelled));
    let ends = [
        ("a", ok("[7]"), Completion::Succeed(json("[7]"))),
        (
            "b",
            ExecutionUpdate::Fail {
                error: failed.clone(),
            },
            Completion::Fail(failed),
        ),
        (
            "c",
            ExecutionUpdate::Cancel {
                error: cancelled.clone(),
            },
            Completion::Fail(cancelled),
        ),
    ];
    for (name, update, outcome) in ends {
        let child = format!("{name}.1");
        let (fence, record) = with_child(&store, name, &child).await?;
        run_to(&store, &child, ExecutionUpdate::Suspend { wake_at: None }).await?;
        same!(store.get(&id(name)?).await?.changes, 0, "while it waits");
        run_to(&store, &child, update).await?;
        let (_, ack) = told(&store, &fence, asking(2, 0)).await?;
        same!(ack.changes, 1, "changes");
        let [found] = ack.changed_records.as_slice() else {
            return Err(Defect::new(format!("changed: {:?}", ack.changed_records)));
        };
        same!(found.ended_at.is_some(), true, "it has a time");
        let expected = at_its_time(settled(record, &outcome, NOW));
        same!(at_its_time(found.clone()), expected, "what is told");
        let history = store.history(&id(name)?).await?;
        same!(history, ack.changed_records, "the parent's history");
    }
    Ok(())
}

pub(super) async fn wake_a_waiting_parent(store: Store) -> Outcome {
    let (fence, _) = with_child(&store, "a", "a.1").await?;
    store.checkpoint(&fence, ending(2, suspend())).await?;
    run_to(&store, "a.1", ok("1")).await?;
    let execution = store.get(&id("a")?).await?;
    let found = (execution.status, execution.changes);
    same!(found, (ExecutionStatus::Suspended, 1), "the parent");
    same!(execution.wake_at.is_some(), true, "it is due");
    let status = store.history(&id("a")?).await?[0].status;
    same!(status, Status::Succeeded, "its operation");
    Ok(())
}

pub(super) async fn that_never_ran_tell_of_their_cancellation(store: Store) -> Outcome {
    let (fence, _) = with_child(&store, "a", "a.1").await?;
    store.cancel(&id("a.1")?, at(5)).await?;
    let (_, ack) = told(&store, &fence, asking(2, 0)).await?;
    let found: Vec<_> = ack
        .changed_records
        .iter()
        .map(|record| {
            (
                record.status,
                record.error.as_ref().map(OperationError::kind),
            )
        })
        .collect();
    let expected = (Status::Failed, Some(ErrorKind::Cancelled));
    same!(found, vec![expected], "the parent's operation");
    same!(ack.cancel, false, "the parent is not cancelled");
    Ok(())
}

pub(super) async fn are_heard_once(store: Store) -> Outcome {
    let (fence, record) = with_child(&store, "a", "a.1").await?;
    let lease = store.claim(&id("a.1")?, NOW, TTL).await?;
    let end = ending(1, ok("1"));
    store.checkpoint(&lease.fence, end.clone()).await?;
    let before = state(&store, &id("a")?).await?;
    store.checkpoint(&lease.fence, end).await?;
    same!(
        state(&store, &id("a")?).await?,
        before,
        "after a repetition"
    );
    store.cancel(&id("a.1")?, at(5)).await?;
    same!(
        state(&store, &id("a")?).await?,
        before,
        "after a cancellation"
    );
    let fence = put(&store, &fence, batch(2, vec![record])).await?;
    same!(
        state(&store, &id("a")?).await?,
        before,
        "after a late START"
    );
    let lost = error(ErrorKind::Cancelled);
    let given_up = settled(child("a", 2, "a.2")?.0, &Completion::Fail(lost), NOW);
    let new = child("a", 2, "a.2")?.1;
    store.start(new).await?;
    put(&store, &fence, batch(3, vec![given_up])).await?;
    let before = state(&store, &id("a")?).await?;
    run_to(&store, "a.2", ok("2")).await?;
    same!(state(&store, &id("a")?).await?, before, "what was given up");
    Ok(())
}

pub(super) async fn leave_an_ended_parent_alone(store: Store) -> Outcome {
    let (fence, _) = with_child(&store, "a", "a.1").await?;
    store.checkpoint(&fence, ending(2, ok("1"))).await?;
    let before = state(&store, &id("a")?).await?;
    run_to(&store, "a.1", ok("2")).await?;
    same!(state(&store, &id("a")?).await?, before, "the parent");
    let status = store.get(&id("a.1")?).await?.status;
    same!(status, ExecutionStatus::Succeeded, "the child");
    Ok(())
}

pub(super) async fn settle_nothing_but_their_operation(store: Store) -> Outcome {
    let lease = leased(&store, "a").await?;
    let mut other = child("a", 1, "b")?.0;
    other.id = step(9, "1").id;
    let records = vec![other, step(2, "1"), callback("a", 3)?.1];
    put(&store, &lease.fence, batch(1, records)).await?;
    let before = state(&store, &id("a")?).await?;
    for seq in 1..=4 {
        let name = format!("a.{seq}");
        store.start(child("a", seq, &name)?.1).await?;
        run_to(&store, &name, ok("1")).await?;
    }
    same!(state(&store, &id("a")?).await?, before, "another's records");
    Ok(())
}

pub(super) async fn of_an_unknown_parent_end(store: Store) -> Outcome {
    store.start(child("nobody", 1, "a.1")?.1).await?;
    run_to(&store, "a.1", ok("1")).await?;
    let status = store.get(&id("a.1")?).await?.status;
    same!(status, ExecutionStatus::Succeeded, "the child");
    Ok(())
}

pub(super) async fn may_all_end_at_once(store: Store) -> Outcome {
    let lease = leased(&store, "a").await?;
    let mut batch = Batch {
        id: 1,
        records: Vec::new(),
        children: Vec::new(),
        seen: 0,
        execution: None,
    };
    for seq in 1..=16 {
        let (record, child) = child("a", seq, &format!("a.{seq}"))?;
        batch.records.push(record);
        batch.children.push(child);
    }
    let fence = put(&store, &lease.fence, batch.into()).await?;
    let mut tasks = JoinSet::new();
    for seq in 1..=16 {
        let store = store.clone();
        tasks.spawn(async move { run_to(&store, &format!("a.{seq}"), ok(&seq.to_string())).await });
    }
    while let Some(done) = tasks.join_next().await {
        done.map_err(|lost| Defect::new(format!("a task was lost: {lost}")))??;
    }
    let (_, ack) = told(&store, &fence, asking(2, 0)).await?;
    same!(ack.changes, 16, "changes");
    let found: Vec<_> = ack
        .changed_records
        .into_iter()
        .map(|r| (r.seq, r.payload))
        .collect();
    let expected: Vec<_> = (1..=16).map(|n| (n, Some(json(n.to_string())))).collect();
    same!(found, expected, "what has changed, in order");
    Ok(())
}

pub(super) async fn go_on_as_the_next_of_their_chain(store: Store) -> Outcome {
    let (fence, record) = with_child(&store, "a", "a.1").await?;
    let next = new("a.1~2")?;
    run_to(&store, "a.1", ExecutionUpdate::Continue { next }).await?;
    let child = store.get(&id("a.1")?).await?;
    let found = (child.status, child.next);
    let expected = (ExecutionStatus::Continued, Some(id("a.1~2")?));
    same!(found, expected, "the first of the chain");
    let next = store.get(&id("a.1~2")?).await?;
    let found = (next.status, next.parent, next.input);
    let expected = (ExecutionStatus::Queued, child.parent, new("a")?.input);
    same!(found, expected, "the next");
    same!(store.history(&id("a")?).await?, vec![record], "the parent");
    run_to(&store, "a.1~2", ok("2")).await?;
    let (_, ack) = told(&store, &fence, asking(2, 0)).await?;
    let values: Vec<_> = ack
        .changed_records
        .into_iter()
        .map(|record| record.payload)
        .collect();
    same!(values, vec![Some(json("2"))], "what the parent is told");
    Ok(())
}

pub(super) async fn a_chain_needs_no_parent(store: Store) -> Outcome {
    let lease = leased(&store, "a").await?;
    let next = new("a~2")?;
    let both = Batch {
        id: 1,
        records: vec![step(1, "1")],
        children: Vec::new(),
        seen: 0,
        execution: Some(ExecutionUpdate::Continue { next: next.clone() }),
    };
    store.checkpoint(&lease.fence, both.clone().into()).await?;
    let expected = Execution::queued(next);
    same!(store.get(&id("a~2")?).await?, expected, "the next");
    refused!(store.claim(&id("a")?, at(1), TTL).await, Conflict, "claim");
    run_to(&store, "a~2", ok("2")).await?;
    let before = state(&store, &id("a~2")?).await?;
    store.checkpoint(&lease.fence, both.into()).await?;
    same!(
        state(&store, &id("a~2")?).await?,
        before,
        "after a repetition"
    );
    Ok(())
}
