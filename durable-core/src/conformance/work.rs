//! Claims of due executions.

use std::time::Duration;

use super::fixture::{
    NOW, TTL, at, batch, checkpoint, ending, id, json, new, start_and_claim, step, suspend,
    with_callback,
};
use super::{Defect, Outcome, Store, expect_eq, expect_error};
use crate::Timestamp;
use crate::model::record::Completion;
use crate::store::{
    ClaimRequest, Claimed, ExecutionStatus, ExecutionUpdate, HandlerBuild, StoreError, WorkerFilter,
};

/// Returns the filter of a worker with the handler of all cases, in this build.
pub(super) fn worker_of_build(build: &str) -> WorkerFilter {
    WorkerFilter {
        handlers: vec![HandlerBuild {
            name: "etl".to_owned(),
            build: build.to_owned(),
        }],
        queues: None,
    }
}

pub(super) fn claim_request(limit: usize, now: Timestamp) -> ClaimRequest {
    ClaimRequest {
        limit,
        now,
        ttl: TTL,
        recover: false,
    }
}

pub(super) fn abandoned_request(now: Timestamp, ttl: Duration) -> ClaimRequest {
    ClaimRequest {
        limit: 10,
        now,
        ttl,
        recover: true,
    }
}

pub(super) fn claimed_ids(claimed: &Claimed) -> Vec<String> {
    let leases = claimed.leases.iter();
    leases.map(|lease| lease.execution.id.to_string()).collect()
}

/// Starts an execution that was started so many seconds after `NOW`.
async fn started(store: &Store, name: &str, seconds: i64) -> Outcome {
    let mut new = new(name)?;
    new.created_at = at(seconds);
    store.start(new).await?;
    Ok(())
}

pub(super) async fn executions_are_claimed_in_order_of_their_due_time(store: Store) -> Outcome {
    for (name, seconds) in [("b", 3), ("c", 1), ("a", 2), ("d", 9)] {
        started(&store, name, seconds).await?;
    }
    let worker = worker_of_build("1");
    let first = store.claim_due(&worker, claim_request(2, at(5))).await?;
    expect_eq!(claimed_ids(&first), ["c", "a"], "claimed at first");
    expect_eq!(first.next_due, Some(at(3)), "next due time");
    let rest = store.claim_due(&worker, claim_request(9, at(5))).await?;
    expect_eq!(claimed_ids(&rest), ["b"], "claimed then");
    expect_eq!(
        rest.next_due,
        Some(at(9)),
        "next due time after the second claim"
    );
    let none = store.claim_due(&worker, claim_request(9, at(5))).await?;
    expect_eq!(claimed_ids(&none).len(), 0, "claimed twice");
    Ok(())
}

pub(super) async fn a_claimed_lease_works_like_any_other(store: Store) -> Outcome {
    store.start(new("a")?).await?;
    let mut claimed = store
        .claim_due(&worker_of_build("1"), claim_request(9, NOW))
        .await?;
    let Some(lease) = claimed.leases.pop() else {
        return Err(Defect::new("nothing was claimed"));
    };
    expect_eq!(lease.execution.status, ExecutionStatus::Running, "status");
    expect_eq!(
        (lease.was_interrupted, lease.crashes),
        (false, 0),
        "interruption and number of crashes"
    );
    expect_error!(
        store.claim(&id("a")?, at(1), TTL).await,
        Leased,
        "second claim"
    );
    let fence = checkpoint(&store, &lease.fence, batch(1, vec![step(1, "1")])).await?;
    store.checkpoint(&fence, ending(2, suspend())).await?;
    let none = store
        .claim_due(&worker_of_build("1"), claim_request(9, at(9)))
        .await?;
    expect_eq!(
        (claimed_ids(&none).len(), none.next_due),
        (0, None),
        "claim of an execution that waits for an event"
    );
    Ok(())
}

pub(super) async fn executions_of_other_handlers_are_not_claimed(store: Store) -> Outcome {
    let mut other = new("a")?;
    other.handler = "import".to_owned();
    store.start(other).await?;
    let claimed = store
        .claim_due(&worker_of_build("1"), claim_request(9, NOW))
        .await?;
    expect_eq!(
        (claimed_ids(&claimed).len(), claimed.next_due),
        (0, None),
        "claimed"
    );
    expect_eq!(
        store.get(&id("a")?).await?.status,
        ExecutionStatus::Queued,
        "status"
    );
    Ok(())
}

pub(super) async fn executions_are_not_claimed_before_their_time(store: Store) -> Outcome {
    let mut later = new("a")?;
    later.start_at = Some(at(60));
    store.start(later).await?;
    let lease = start_and_claim(&store, "b").await?;
    let wake_at = Some(at(30));
    let sleeps = ending(1, ExecutionUpdate::Suspend { wake_at });
    store.checkpoint(&lease.fence, sleeps).await?;
    let worker = worker_of_build("1");
    let early = store.claim_due(&worker, claim_request(9, at(29))).await?;
    expect_eq!(
        (claimed_ids(&early).len(), early.next_due),
        (0, Some(at(30))),
        "too early"
    );
    let timely = store.claim_due(&worker, claim_request(9, at(60))).await?;
    expect_eq!(claimed_ids(&timely), ["b", "a"], "in time");
    expect_eq!(
        store.get(&id("a")?).await?.start_at,
        Some(at(60)),
        "start time"
    );
    Ok(())
}

pub(super) async fn an_external_event_makes_an_execution_due(store: Store) -> Outcome {
    let (fence, callback, _) = with_callback(&store, "a").await?;
    store.checkpoint(&fence, ending(2, suspend())).await?;
    let worker = worker_of_build("1");
    expect_eq!(
        claimed_ids(&store.claim_due(&worker, claim_request(9, at(1))).await?).len(),
        0,
        "before the event"
    );
    let outcome = Completion::Succeed(json("1"));
    store.complete(&callback, outcome, at(2)).await?;
    expect_eq!(
        claimed_ids(&store.claim_due(&worker, claim_request(9, at(2))).await?),
        ["a"],
        "after the event"
    );
    Ok(())
}

pub(super) async fn abandoned_executions_are_claimed(store: Store) -> Outcome {
    let lease = start_and_claim(&store, "a").await?;
    start_and_claim(&store, "b").await?;
    let worker = worker_of_build("1");
    expect_eq!(
        claimed_ids(&store.claim_due(&worker, claim_request(9, at(3600))).await?).len(),
        0,
        "claimed without `recover`"
    );
    let early = store
        .claim_due(&worker, abandoned_request(at(59), TTL))
        .await?;
    expect_eq!(claimed_ids(&early).len(), 0, "while the lease lasts");
    store.renew(&lease.fence, at(3590), TTL).await?;
    // A store may first observe for half the lease duration that the holder does not renew.
    let request = abandoned_request(at(3600), Duration::from_millis(20));
    let mut claimed = store.claim_due(&worker, request).await?;
    for _ in 0..50 {
        if !claimed.leases.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
        claimed = store.claim_due(&worker, request).await?;
    }
    expect_eq!(claimed_ids(&claimed), ["b"], "what has expired");
    let was_interrupted = claimed
        .leases
        .first()
        .map(|lease| (lease.was_interrupted, lease.crashes));
    expect_eq!(
        was_interrupted,
        Some((true, 1)),
        "interruption and number of crashes"
    );
    Ok(())
}

pub(super) async fn crashes_without_progress_are_counted(store: Store) -> Outcome {
    let mut lease = start_and_claim(&store, "a").await?;
    let mut counted = Vec::new();
    for round in 1..=5 {
        lease = store.claim(&id("a")?, at(3600 * round), TTL).await?;
        counted.push(lease.crashes);
        if round == 3 {
            lease.fence = checkpoint(&store, &lease.fence, batch(1, vec![step(1, "1")])).await?;
        }
    }
    expect_eq!(counted, [1, 2, 3, 1, 2], "consecutive crashes");
    store.checkpoint(&lease.fence, ending(2, suspend())).await?;
    let lease = store.claim(&id("a")?, at(3600 * 6), TTL).await?;
    expect_eq!(lease.crashes, 0, "crashes after a release");
    Ok(())
}

pub(super) async fn concurrent_workers_claim_each_execution_once(store: Store) -> Outcome {
    for n in 0..40 {
        store.start(new(&format!("run-{n:02}"))?).await?;
    }
    let mut workers = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let store = store.clone();
        workers.spawn(async move {
            let (worker, mut claimed) = (worker_of_build("1"), Vec::new());
            for _ in 0..12 {
                let more = store.claim_due(&worker, claim_request(3, NOW)).await?;
                claimed.extend(more.leases.into_iter().map(|lease| lease.execution.id));
            }
            Ok::<_, StoreError>(claimed)
        });
    }
    let mut all = Vec::new();
    while let Some(done) = workers.join_next().await {
        let claimed = done.map_err(|lost| Defect::new(format!("a task panicked: {lost}")))?;
        all.extend(claimed?);
    }
    all.sort();
    all.dedup();
    expect_eq!(all.len(), 40, "executions claimed, each once");
    Ok(())
}
