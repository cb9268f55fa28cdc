//! Executions whose history begins with that of another one.

use super::fixture::{TTL, at, batch, checkpoint, ending, id, json, new, start_and_claim, step};
use super::work::{claim_request, claimed_ids, worker_of_build};
use super::{Defect, Outcome, Store, expect_eq};
use crate::Labels;
use crate::model::record::Record;
use crate::store::{
    Change, ExecutionStatus, ExecutionUpdate, Filter, ForkedFrom, NewExecution, Queue, QueueEntry,
    Started,
};

fn forked(name: &str, records: u64) -> Result<NewExecution, Defect> {
    let labels = Labels::new().with("tenant", "acme");
    Ok(NewExecution {
        labels: labels.map_err(|error| Defect::new(error.to_string()))?,
        forked_from: Some(Box::new(ForkedFrom {
            execution: id("origin")?,
            seq: records + 2,
            records,
        })),
        ..new(name)?
    })
}

fn steps(count: u64) -> Vec<Record> {
    (1..=count).map(|seq| step(seq, &seq.to_string())).collect()
}

pub(super) async fn a_fork_begins_with_its_records(store: Store) -> Outcome {
    let started = store.fork(forked("a", 3)?, steps(3)).await?;
    expect_eq!(matches!(started, Started::Created(_)), true, "created");
    let execution = store.get(&id("a")?).await?;
    let state = (execution.status, execution.wake_at);
    expect_eq!(
        state,
        (ExecutionStatus::Suspended, Some(at(0))),
        "status and wake-up time"
    );
    expect_eq!(execution.forked_from, forked("a", 3)?.forked_from, "origin");
    expect_eq!(store.history(&id("a")?).await?, steps(3), "history");
    let listed = store
        .list(Filter {
            labels: execution.labels,
            ..Filter::default()
        })
        .await?;
    expect_eq!(listed.len(), 1, "listed by label");
    Ok(())
}

pub(super) async fn a_fork_runs_like_any_other_execution(store: Store) -> Outcome {
    store.fork(forked("a", 2)?, steps(2)).await?;
    let claimed = store
        .claim_due(&worker_of_build("1"), claim_request(9, at(1)))
        .await?;
    expect_eq!(claimed_ids(&claimed), ["a"], "claimed");
    let lease = claimed.leases.into_iter().next();
    let lease = lease.ok_or_else(|| Defect::new("no lease"))?;
    expect_eq!(lease.was_interrupted, false, "interrupted");
    expect_eq!(
        lease.execution.forked_from,
        forked("a", 2)?.forked_from,
        "origin"
    );
    let page = store.load(&lease.fence, 0).await?;
    expect_eq!(page.records, steps(2), "loaded records");
    let fence = checkpoint(&store, &lease.fence, batch(1, vec![step(3, "3")])).await?;
    let output = json("1");
    store
        .checkpoint(&fence, ending(2, ExecutionUpdate::Succeed { output }))
        .await?;
    expect_eq!(store.history(&id("a")?).await?, steps(3), "history");
    store.change(&id("a")?, Change::Delete, at(9)).await?;
    store.start(new("a")?).await?;
    expect_eq!(
        store.history(&id("a")?).await?.len(),
        0,
        "history after the deletion"
    );
    expect_eq!(
        store.get(&id("a")?).await?.forked_from,
        None,
        "origin after the deletion"
    );
    Ok(())
}

pub(super) async fn a_fork_does_not_change_an_existing_execution(store: Store) -> Outcome {
    let lease = start_and_claim(&store, "a").await?;
    checkpoint(&store, &lease.fence, batch(1, steps(1))).await?;
    match store.fork(forked("a", 3)?, steps(3)).await? {
        Started::Existing(execution) => {
            expect_eq!(
                execution.forked_from,
                None,
                "origin of the existing execution"
            );
        }
        Started::Created(_) => return Err(Defect::new("the execution was replaced")),
    }
    expect_eq!(store.history(&id("a")?).await?, steps(1), "history");
    Ok(())
}

pub(super) async fn a_repeated_fork_changes_nothing(store: Store) -> Outcome {
    store.fork(forked("a", 2)?, steps(2)).await?;
    let claimed = store.claim(&id("a")?, at(1), TTL).await?;
    checkpoint(&store, &claimed.fence, batch(1, vec![step(3, "3")])).await?;
    let started = store.fork(forked("a", 2)?, steps(2)).await?;
    expect_eq!(matches!(started, Started::Existing(_)), true, "existing");
    expect_eq!(store.history(&id("a")?).await?, steps(3), "history");
    Ok(())
}

pub(super) async fn a_long_history_can_be_forked(store: Store) -> Outcome {
    store.fork(forked("a", 2500)?, steps(2500)).await?;
    expect_eq!(
        store.history(&id("a")?).await? == steps(2500),
        true,
        "history"
    );
    store.fork(forked("b", 0)?, Vec::new()).await?;
    expect_eq!(
        store.history(&id("b")?).await?.len(),
        0,
        "history of an empty fork"
    );
    Ok(())
}

pub(super) async fn a_cancelled_fork_is_due(store: Store) -> Outcome {
    store.fork(forked("a", 1)?, steps(1)).await?;
    store.cancel(&id("a")?, at(1)).await?;
    let claimed = store
        .claim_due(&worker_of_build("1"), claim_request(9, at(1)))
        .await?;
    // Its steps may have to be undone.
    expect_eq!(claimed_ids(&claimed), ["a"], "claimed");
    Ok(())
}

pub(super) async fn a_resumed_fork_is_due(store: Store) -> Outcome {
    store.fork(forked("a", 1)?, steps(1)).await?;
    store.change(&id("a")?, Change::Pause, at(1)).await?;
    store.change(&id("a")?, Change::Resume, at(2)).await?;
    let claimed = store
        .claim_due(&worker_of_build("1"), claim_request(9, at(2)))
        .await?;
    expect_eq!(claimed_ids(&claimed), ["a"], "claimed");
    Ok(())
}

pub(super) async fn a_fork_waits_in_its_queue(store: Store) -> Outcome {
    let queue = Queue {
        name: "q".to_owned(),
        paused: true,
        ..Queue::default()
    };
    store.put_queue(queue.clone()).await?;
    let mut queued = forked("a", 1)?;
    queued.queue = Some(QueueEntry::new("q"));
    store.fork(queued, steps(1)).await?;
    let claim = async || {
        let worker = worker_of_build("1");
        let claimed = store.claim_due(&worker, claim_request(9, at(1))).await?;
        Ok::<_, Defect>(claimed_ids(&claimed).len())
    };
    expect_eq!(claim().await?, 0, "claimed from a paused queue");
    let paused = false;
    store.put_queue(Queue { paused, ..queue }).await?;
    expect_eq!(claim().await?, 1, "claimed from the queue");
    Ok(())
}
