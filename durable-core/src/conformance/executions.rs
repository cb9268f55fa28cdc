//! Executions: start, updates, listing and history.

use super::fixture::{
    NOW, TTL, at, batch, checkpoint, ending, id, json, new, start_and_claim, step, stored_state,
    suspend,
};
use super::{Defect, Outcome, Store, expect_eq, expect_error};
use crate::ErrorKind;
use crate::model::error::OperationError;
use crate::store::{Batch, Execution, ExecutionStatus, ExecutionUpdate, Fence, Filter, Started};

pub(super) async fn start_is_idempotent(store: Store) -> Outcome {
    let expected = Execution::queued(new("a")?);
    expect_eq!(
        store.start(new("a")?).await?,
        Started::Created(expected.clone()),
        "the first start"
    );
    expect_eq!(
        store.get(&id("a")?).await?,
        expected,
        "the stored execution"
    );
    expect_eq!(
        store.start(new("a")?).await?,
        Started::Existing(expected),
        "the second start"
    );
    expect_eq!(
        store.history(&id("a")?).await?,
        vec![],
        "history after the start"
    );
    Ok(())
}

pub(super) async fn start_does_not_change_an_existing_execution(store: Store) -> Outcome {
    let lease = start_and_claim(&store, "a").await?;
    let succeed = ExecutionUpdate::Succeed { output: json("7") };
    store.checkpoint(&lease.fence, ending(1, succeed)).await?;
    let before = store.get(&id("a")?).await?;
    let mut other = new("a")?;
    (other.handler, other.input, other.created_at) = ("other".to_owned(), json("0"), at(9));
    expect_eq!(
        store.start(other).await?,
        Started::Existing(before.clone()),
        "the start"
    );
    expect_eq!(store.get(&id("a")?).await?, before, "the stored execution");
    Ok(())
}

pub(super) async fn unknown_executions_are_not_found(store: Store) -> Outcome {
    let mut fence = start_and_claim(&store, "a").await?.fence;
    let other = id("b")?;
    expect_error!(store.get(&other).await, NotFound, "get");
    expect_error!(store.history(&other).await, NotFound, "history");
    expect_error!(store.claim(&other, NOW, TTL).await, NotFound, "claim");
    fence.execution = other;
    let written = store.checkpoint(&fence, batch(1, vec![step(1, "1")])).await;
    expect_eq!(
        written.is_err(),
        true,
        "a fence that names another execution is refused"
    );
    expect_eq!(
        store.history(&id("a")?).await?,
        vec![],
        "history of the first execution"
    );
    Ok(())
}

/// Ends a lease with `update` and returns the execution afterwards.
async fn updated(store: &Store, update: ExecutionUpdate) -> Result<(Fence, Execution), Defect> {
    let lease = start_and_claim(store, "a").await?;
    store.checkpoint(&lease.fence, ending(1, update)).await?;
    Ok((lease.fence, store.get(&id("a")?).await?))
}

pub(super) async fn suspend_keeps_the_wake_up_time(store: Store) -> Outcome {
    let wake_at = Some(at(86_400));
    let (_, execution) = updated(&store, ExecutionUpdate::Suspend { wake_at }).await?;
    expect_eq!(execution.status, ExecutionStatus::Suspended, "status");
    expect_eq!(execution.wake_at, wake_at, "wake_at");
    let lease = store.claim(&id("a")?, at(1), TTL).await?;
    expect_eq!(lease.execution.wake_at, None, "wake_at after the claim");
    store.checkpoint(&lease.fence, ending(1, suspend())).await?;
    let execution = store.get(&id("a")?).await?;
    expect_eq!(
        (execution.status, execution.wake_at),
        (ExecutionStatus::Suspended, None),
        "status and wake_at without a time"
    );
    Ok(())
}

pub(super) async fn succeed_keeps_the_output(store: Store) -> Outcome {
    let output = json(vec![0, 159, 146, 150]);
    let (_, execution) = updated(
        &store,
        ExecutionUpdate::Succeed {
            output: output.clone(),
        },
    )
    .await?;
    expect_eq!(execution.status, ExecutionStatus::Succeeded, "status");
    expect_eq!(execution.output, Some(output), "output");
    expect_eq!(execution.input, new("a")?.input, "input");
    Ok(())
}

pub(super) async fn fail_keeps_the_error(store: Store) -> Outcome {
    let mut error =
        OperationError::new("files[a.csv]/parse", ErrorKind::TimedOut, "no “end”").with_attempts(6);
    error.type_name = "app::TransientError".to_owned();
    error.chain = vec!["reset".to_owned(), "by peer".to_owned()];
    let (_, execution) = updated(
        &store,
        ExecutionUpdate::Fail {
            error: error.clone(),
        },
    )
    .await?;
    expect_eq!(execution.status, ExecutionStatus::Failed, "status");
    expect_eq!(execution.error, Some(error), "error");
    Ok(())
}

pub(super) async fn block_keeps_the_report(store: Store) -> Outcome {
    let report = "step `load` is a wait now\n  at src/etl.rs:7".to_owned();
    let (_, execution) = updated(
        &store,
        ExecutionUpdate::Block {
            report: report.clone(),
        },
    )
    .await?;
    expect_eq!(execution.status, ExecutionStatus::Blocked, "status");
    expect_eq!(execution.report, Some(report), "report");
    Ok(())
}

pub(super) async fn update_and_records_are_written_together(store: Store) -> Outcome {
    let lease = start_and_claim(&store, "a").await?;
    let both = Batch {
        id: 1,
        records: vec![step(1, "1")],
        children: Vec::new(),
        seen: 0,
        messages_after: None,
        execution: Some(ExecutionUpdate::Succeed { output: json("1") }),
    };
    store.checkpoint(&lease.fence, both.into()).await?;
    let (execution, history) = stored_state(&store, &id("a")?).await?;
    expect_eq!(execution.status, ExecutionStatus::Succeeded, "status");
    expect_eq!(history, vec![step(1, "1")], "history");
    Ok(())
}

async fn listed(store: &Store, filter: Filter) -> Result<Vec<String>, Defect> {
    let found = store.list(filter).await?;
    Ok(found
        .iter()
        .map(|execution| execution.id.to_string())
        .collect())
}

pub(super) async fn list_is_sorted_and_paged(store: Store) -> Outcome {
    expect_eq!(
        listed(&store, Filter::default()).await?,
        Vec::<String>::new(),
        "an empty store"
    );
    for name in ["b", "a-2", "a-10", "Z", "a"] {
        store.start(new(name)?).await?;
    }
    let all = ["Z", "a", "a-10", "a-2", "b"];
    expect_eq!(listed(&store, Filter::default()).await?, all, "everything");
    let mut filter = Filter {
        limit: 2,
        ..Filter::default()
    };
    expect_eq!(
        listed(&store, filter.clone()).await?,
        all[..2],
        "the first page"
    );
    filter.after = Some(id("a")?);
    expect_eq!(
        listed(&store, filter.clone()).await?,
        all[2..4],
        "the second page"
    );
    filter.after = Some(id("a-3")?);
    expect_eq!(
        listed(&store, filter.clone()).await?,
        all[4..],
        "after an unknown id"
    );
    filter.after = Some(id("b")?);
    expect_eq!(
        listed(&store, filter).await?,
        Vec::<String>::new(),
        "after the last"
    );
    expect_eq!(
        store.list(Filter::default()).await?[1],
        store.get(&id("a")?).await?,
        "list and get"
    );
    Ok(())
}

pub(super) async fn list_applies_the_filter(store: Store) -> Outcome {
    for name in ["c", "d"] {
        store.start(new(name)?).await?;
    }
    let mut other = new("e")?;
    other.handler = "other".to_owned();
    store.start(other).await?;
    start_and_claim(&store, "a").await?;
    let ended = start_and_claim(&store, "b").await?;
    store.checkpoint(&ended.fence, ending(1, suspend())).await?;
    let (queued, suspended) = (ExecutionStatus::Queued, ExecutionStatus::Suspended);
    let mut filter = Filter {
        status: vec![queued],
        ..Filter::default()
    };
    expect_eq!(
        listed(&store, filter.clone()).await?,
        ["c", "d", "e"],
        "one status"
    );
    filter.status.push(suspended);
    expect_eq!(
        listed(&store, filter.clone()).await?,
        ["b", "c", "d", "e"],
        "two statuses"
    );
    filter.handler = Some("etl".to_owned());
    expect_eq!(
        listed(&store, filter.clone()).await?,
        ["b", "c", "d"],
        "and a handler"
    );
    (filter.after, filter.limit) = (Some(id("b")?), 1);
    expect_eq!(listed(&store, filter.clone()).await?, ["c"], "and a page");
    filter.handler = Some("none".to_owned());
    expect_eq!(
        listed(&store, filter).await?,
        Vec::<String>::new(),
        "an unknown handler"
    );
    Ok(())
}

pub(super) async fn history_needs_no_lease(store: Store) -> Outcome {
    let lease = start_and_claim(&store, "a").await?;
    let fence = checkpoint(&store, &lease.fence, batch(1, vec![step(1, "1")])).await?;
    expect_eq!(
        store.history(&id("a")?).await?,
        vec![step(1, "1")],
        "while leased"
    );
    store.checkpoint(&fence, ending(2, suspend())).await?;
    expect_eq!(
        store.history(&id("a")?).await?,
        vec![step(1, "1")],
        "after the release"
    );
    Ok(())
}

pub(super) async fn executions_are_counted_by_handler_and_status(store: Store) -> Outcome {
    expect_eq!(
        store.counts(9).await?.total(),
        0,
        "counted in an empty store"
    );
    for name in ["a", "b", "c"] {
        store.start(new(name)?).await?;
    }
    let mut other = new("d")?;
    (other.handler, other.created_at) = ("other\u{0}".into(), at(5));
    store.start(other).await?;
    let lease = store.claim(&id("b")?, at(7), TTL).await?;
    let output = json("1");
    let fence = checkpoint(&store, &lease.fence, batch(1, vec![step(1, "1")])).await?;
    let end = ending(2, ExecutionUpdate::Succeed { output });
    store.checkpoint(&fence, end).await?;
    let counts = store.counts(9).await?;
    let all = counts.counts.iter();
    let all = all.map(|count| (count.handler.as_str(), count.status, count.executions));
    expect_eq!(
        all.collect::<Vec<_>>(),
        [
            ("etl", ExecutionStatus::Queued, 2),
            ("etl", ExecutionStatus::Succeeded, 1),
            ("other\u{0}", ExecutionStatus::Queued, 1),
        ],
        "by handler and status"
    );
    expect_eq!(counts.complete, true, "everything is counted");
    expect_eq!(counts.counts[2].oldest, at(5), "the oldest");
    let ids = [id("b")?, id("a")?, id("unknown")?];
    expect_eq!(
        store.operation_counts(&ids).await?,
        [1, 0, 0],
        "recorded operations"
    );
    let some = store.counts(2).await?;
    expect_eq!((some.total(), some.complete), (2, false), "up to a limit");
    Ok(())
}
