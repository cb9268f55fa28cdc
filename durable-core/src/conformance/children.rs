//! Child executions, and chains of executions that continue each other.

use tokio::task::JoinSet;

use super::fixture::{
    NOW, TTL, at, batch, callback, checkpoint, checkpoint_ack, child, claim_and_end, empty_batch,
    ending, id, json, new, settled, start_and_claim, step, stored_state, suspend, take_over,
    with_child, without_end_time,
};
use super::{Defect, Outcome, Store, expect_eq, expect_error};
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

pub(super) async fn a_child_starts_with_its_batch(store: Store) -> Outcome {
    let (_, record) = with_child(&store, "a", "a.1").await?;
    let (_, new) = child("a", 1, "a.1")?;
    let expected = Execution::queued(new);
    expect_eq!(store.get(&id("a.1")?).await?, expected, "the child");
    expect_eq!(store.history(&id("a")?).await?, vec![record], "the parent");
    let lease = store.claim(&id("a.1")?, NOW, TTL).await?;
    expect_eq!(
        lease.execution.parent,
        expected.parent,
        "parent at the claim"
    );
    let listed = store.list(Default::default()).await?;
    expect_eq!(listed[1], lease.execution, "child in the list");
    Ok(())
}

pub(super) async fn a_child_starts_once(store: Store) -> Outcome {
    let (fence, record) = with_child(&store, "a", "a.1").await?;
    claim_and_end(&store, "a.1", ok("1")).await?;
    start_and_claim(&store, "b").await?;
    let before = (
        stored_state(&store, &id("a.1")?).await?,
        store.get(&id("b")?).await?,
    );
    let (_, mut again) = child("a", 1, "a.1")?;
    (again.input, again.created_at) = (json("0"), at(9));
    let again = Batch {
        id: 2,
        records: vec![record],
        children: vec![again, child("a", 1, "b")?.1],
        seen: 0,
        messages_after: None,
        execution: None,
    };
    let (fence, _) = checkpoint_ack(&store, &fence, again.clone().into()).await?;
    store.checkpoint(&fence, again.into()).await?;
    let after = (
        stored_state(&store, &id("a.1")?).await?,
        store.get(&id("b")?).await?,
    );
    expect_eq!(after, before, "the existing executions");
    Ok(())
}

pub(super) async fn a_child_of_a_refused_batch_does_not_start(store: Store) -> Outcome {
    let old = start_and_claim(&store, "a").await?;
    take_over(&store, &old).await?;
    let (record, child) = child("a", 1, "a.1")?;
    let late = Batch {
        id: 1,
        records: vec![record],
        children: vec![child],
        seen: 0,
        messages_after: None,
        execution: None,
    };
    expect_error!(
        store.checkpoint(&old.fence, late.into()).await,
        FenceLost,
        "late batch"
    );
    expect_error!(
        store.get(&id("a.1")?).await,
        NotFound,
        "child of the refused batch"
    );
    Ok(())
}

pub(super) async fn the_end_of_a_child_settles_its_operation(store: Store) -> Outcome {
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
        claim_and_end(&store, &child, ExecutionUpdate::Suspend { wake_at: None }).await?;
        expect_eq!(
            store.get(&id(name)?).await?.changes,
            0,
            "changes while the child is suspended"
        );
        claim_and_end(&store, &child, update).await?;
        let (_, ack) = checkpoint_ack(&store, &fence, empty_batch(2, 0)).await?;
        expect_eq!(ack.changes, 1, "changes");
        let [found] = ack.changed_records.as_slice() else {
            return Err(Defect::new(format!("changed: {:?}", ack.changed_records)));
        };
        expect_eq!(found.ended_at.is_some(), true, "the record has an end time");
        let expected = without_end_time(settled(record, &outcome, NOW));
        expect_eq!(without_end_time(found.clone()), expected, "changed record");
        let history = store.history(&id(name)?).await?;
        expect_eq!(history, ack.changed_records, "the parent's history");
    }
    Ok(())
}

pub(super) async fn the_end_of_a_child_makes_its_parent_due(store: Store) -> Outcome {
    let (fence, _) = with_child(&store, "a", "a.1").await?;
    store.checkpoint(&fence, ending(2, suspend())).await?;
    claim_and_end(&store, "a.1", ok("1")).await?;
    let execution = store.get(&id("a")?).await?;
    let found = (execution.status, execution.changes);
    expect_eq!(found, (ExecutionStatus::Suspended, 1), "the parent");
    expect_eq!(execution.wake_at.is_some(), true, "the parent is due");
    let status = store.history(&id("a")?).await?[0].status;
    expect_eq!(status, Status::Succeeded, "operation of the parent");
    Ok(())
}

pub(super) async fn cancelling_a_queued_child_settles_its_operation(store: Store) -> Outcome {
    let (fence, _) = with_child(&store, "a", "a.1").await?;
    store.cancel(&id("a.1")?, at(5)).await?;
    let (_, ack) = checkpoint_ack(&store, &fence, empty_batch(2, 0)).await?;
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
    expect_eq!(found, vec![expected], "the parent's operation");
    expect_eq!(ack.cancel, false, "the parent is not cancelled");
    Ok(())
}

pub(super) async fn a_child_settles_its_operation_once(store: Store) -> Outcome {
    let (fence, record) = with_child(&store, "a", "a.1").await?;
    let lease = store.claim(&id("a.1")?, NOW, TTL).await?;
    let end = ending(1, ok("1"));
    store.checkpoint(&lease.fence, end.clone()).await?;
    let before = stored_state(&store, &id("a")?).await?;
    store.checkpoint(&lease.fence, end).await?;
    expect_eq!(
        stored_state(&store, &id("a")?).await?,
        before,
        "after a repetition"
    );
    store.cancel(&id("a.1")?, at(5)).await?;
    expect_eq!(
        stored_state(&store, &id("a")?).await?,
        before,
        "after a cancellation"
    );
    let fence = checkpoint(&store, &fence, batch(2, vec![record])).await?;
    expect_eq!(
        stored_state(&store, &id("a")?).await?,
        before,
        "after a late start record"
    );
    let lost = error(ErrorKind::Cancelled);
    let abandoned = settled(child("a", 2, "a.2")?.0, &Completion::Fail(lost), NOW);
    let new = child("a", 2, "a.2")?.1;
    store.start(new).await?;
    checkpoint(&store, &fence, batch(3, vec![abandoned])).await?;
    let before = stored_state(&store, &id("a")?).await?;
    claim_and_end(&store, "a.2", ok("2")).await?;
    expect_eq!(
        stored_state(&store, &id("a")?).await?,
        before,
        "an abandoned operation"
    );
    Ok(())
}

pub(super) async fn an_ended_parent_is_not_changed(store: Store) -> Outcome {
    let (fence, _) = with_child(&store, "a", "a.1").await?;
    store.checkpoint(&fence, ending(2, ok("1"))).await?;
    let before = stored_state(&store, &id("a")?).await?;
    claim_and_end(&store, "a.1", ok("2")).await?;
    expect_eq!(stored_state(&store, &id("a")?).await?, before, "the parent");
    let status = store.get(&id("a.1")?).await?.status;
    expect_eq!(status, ExecutionStatus::Succeeded, "the child");
    Ok(())
}

pub(super) async fn a_child_settles_only_its_own_operation(store: Store) -> Outcome {
    let lease = start_and_claim(&store, "a").await?;
    let mut other = child("a", 1, "b")?.0;
    other.id = step(9, "1").id;
    let records = vec![other, step(2, "1"), callback("a", 3)?.1];
    checkpoint(&store, &lease.fence, batch(1, records)).await?;
    let before = stored_state(&store, &id("a")?).await?;
    for seq in 1..=4 {
        let name = format!("a.{seq}");
        store.start(child("a", seq, &name)?.1).await?;
        claim_and_end(&store, &name, ok("1")).await?;
    }
    expect_eq!(
        stored_state(&store, &id("a")?).await?,
        before,
        "records of other operations"
    );
    Ok(())
}

pub(super) async fn a_child_of_an_unknown_parent_can_end(store: Store) -> Outcome {
    store.start(child("nobody", 1, "a.1")?.1).await?;
    claim_and_end(&store, "a.1", ok("1")).await?;
    let status = store.get(&id("a.1")?).await?.status;
    expect_eq!(status, ExecutionStatus::Succeeded, "the child");
    Ok(())
}

pub(super) async fn children_may_end_concurrently(store: Store) -> Outcome {
    let lease = start_and_claim(&store, "a").await?;
    let mut batch = Batch {
        id: 1,
        records: Vec::new(),
        children: Vec::new(),
        seen: 0,
        messages_after: None,
        execution: None,
    };
    for seq in 1..=16 {
        let (record, child) = child("a", seq, &format!("a.{seq}"))?;
        batch.records.push(record);
        batch.children.push(child);
    }
    let fence = checkpoint(&store, &lease.fence, batch.into()).await?;
    let mut tasks = JoinSet::new();
    for seq in 1..=16 {
        let store = store.clone();
        tasks.spawn(async move {
            claim_and_end(&store, &format!("a.{seq}"), ok(&seq.to_string())).await
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.map_err(|lost| Defect::new(format!("a task panicked: {lost}")))??;
    }
    let (_, ack) = checkpoint_ack(&store, &fence, empty_batch(2, 0)).await?;
    expect_eq!(ack.changes, 16, "changes");
    let found: Vec<_> = ack
        .changed_records
        .into_iter()
        .map(|r| (r.seq, r.payload))
        .collect();
    let expected: Vec<_> = (1..=16).map(|n| (n, Some(json(n.to_string())))).collect();
    expect_eq!(found, expected, "changed records, in order");
    Ok(())
}

pub(super) async fn a_continued_child_settles_its_operation_at_the_end_of_the_chain(
    store: Store,
) -> Outcome {
    let (fence, record) = with_child(&store, "a", "a.1").await?;
    let next = new("a.1~2")?;
    claim_and_end(&store, "a.1", ExecutionUpdate::Continue { next }).await?;
    let child = store.get(&id("a.1")?).await?;
    let found = (child.status, child.next);
    let expected = (ExecutionStatus::Continued, Some(id("a.1~2")?));
    expect_eq!(found, expected, "the first of the chain");
    let next = store.get(&id("a.1~2")?).await?;
    let found = (next.status, next.parent, next.input);
    let expected = (ExecutionStatus::Queued, child.parent, new("a")?.input);
    expect_eq!(found, expected, "the next");
    expect_eq!(store.history(&id("a")?).await?, vec![record], "the parent");
    claim_and_end(&store, "a.1~2", ok("2")).await?;
    let (_, ack) = checkpoint_ack(&store, &fence, empty_batch(2, 0)).await?;
    let values: Vec<_> = ack
        .changed_records
        .into_iter()
        .map(|record| record.payload)
        .collect();
    expect_eq!(
        values,
        vec![Some(json("2"))],
        "values in the ack of the parent"
    );
    Ok(())
}

pub(super) async fn an_execution_without_a_parent_can_be_continued(store: Store) -> Outcome {
    let lease = start_and_claim(&store, "a").await?;
    let next = new("a~2")?;
    let both = Batch {
        id: 1,
        records: vec![step(1, "1")],
        children: Vec::new(),
        seen: 0,
        messages_after: None,
        execution: Some(ExecutionUpdate::Continue { next: next.clone() }),
    };
    store.checkpoint(&lease.fence, both.clone().into()).await?;
    let expected = Execution::queued(next);
    expect_eq!(store.get(&id("a~2")?).await?, expected, "the next");
    expect_error!(store.claim(&id("a")?, at(1), TTL).await, Conflict, "claim");
    claim_and_end(&store, "a~2", ok("2")).await?;
    let before = stored_state(&store, &id("a~2")?).await?;
    store.checkpoint(&lease.fence, both.into()).await?;
    expect_eq!(
        stored_state(&store, &id("a~2")?).await?,
        before,
        "after a repetition"
    );
    Ok(())
}
