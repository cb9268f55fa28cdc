//! What is due is claimed, and nothing else.

use std::time::Duration;

use super::fixture::{
    NOW, TTL, at, batch, ending, id, json, leased, new, put, step, suspend, with_callback,
};
use super::{Defect, Outcome, Store, refused, same};
use crate::Timestamp;
use crate::model::record::Completion;
use crate::store::{
    ClaimRequest, Claimed, ExecutionStatus, ExecutionUpdate, HandlerBuild, StoreError, WorkerFilter,
};

/// A worker that knows the handler of all cases, in this build.
pub(super) fn built(build: &str) -> WorkerFilter {
    WorkerFilter {
        handlers: vec![HandlerBuild {
            name: "etl".to_owned(),
            build: build.to_owned(),
        }],
        queues: None,
    }
}

pub(super) fn now(limit: usize, now: Timestamp) -> ClaimRequest {
    ClaimRequest {
        limit,
        now,
        ttl: TTL,
        look_after: false,
    }
}

pub(super) fn looking_after(now: Timestamp, ttl: Duration) -> ClaimRequest {
    ClaimRequest {
        limit: 10,
        now,
        ttl,
        look_after: true,
    }
}

pub(super) fn names(claimed: &Claimed) -> Vec<String> {
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

pub(super) async fn is_claimed_soonest_first(store: Store) -> Outcome {
    for (name, seconds) in [("b", 3), ("c", 1), ("a", 2), ("d", 9)] {
        started(&store, name, seconds).await?;
    }
    let worker = built("1");
    let first = store.claim_due(&worker, now(2, at(5))).await?;
    same!(names(&first), ["c", "a"], "claimed at first");
    same!(first.next_due, Some(at(3)), "when there is more");
    let rest = store.claim_due(&worker, now(9, at(5))).await?;
    same!(names(&rest), ["b"], "claimed then");
    same!(rest.next_due, Some(at(9)), "when there is more, then");
    let none = store.claim_due(&worker, now(9, at(5))).await?;
    same!(names(&none).len(), 0, "claimed twice");
    Ok(())
}

pub(super) async fn a_lease_is_as_good_as_any(store: Store) -> Outcome {
    store.start(new("a")?).await?;
    let mut claimed = store.claim_due(&built("1"), now(9, NOW)).await?;
    let Some(lease) = claimed.leases.pop() else {
        return Err(Defect::new("nothing was claimed"));
    };
    same!(lease.execution.status, ExecutionStatus::Running, "status");
    same!(
        (lease.was_interrupted, lease.crashes),
        (false, 0),
        "was_interrupted and crashes"
    );
    refused!(
        store.claim(&id("a")?, at(1), TTL).await,
        Leased,
        "a second claim"
    );
    let fence = put(&store, &lease.fence, batch(1, vec![step(1, "1")])).await?;
    store.checkpoint(&fence, ending(2, suspend())).await?;
    let none = store.claim_due(&built("1"), now(9, at(9))).await?;
    same!(
        (names(&none).len(), none.next_due),
        (0, None),
        "what waits for an event"
    );
    Ok(())
}

pub(super) async fn of_other_handlers_is_left_alone(store: Store) -> Outcome {
    let mut other = new("a")?;
    other.handler = "import".to_owned();
    store.start(other).await?;
    let claimed = store.claim_due(&built("1"), now(9, NOW)).await?;
    same!(
        (names(&claimed).len(), claimed.next_due),
        (0, None),
        "claimed"
    );
    same!(
        store.get(&id("a")?).await?.status,
        ExecutionStatus::Queued,
        "status"
    );
    Ok(())
}

pub(super) async fn later_is_not_now(store: Store) -> Outcome {
    let mut later = new("a")?;
    later.start_at = Some(at(60));
    store.start(later).await?;
    let lease = leased(&store, "b").await?;
    let wake_at = Some(at(30));
    let sleeps = ending(1, ExecutionUpdate::Suspend { wake_at });
    store.checkpoint(&lease.fence, sleeps).await?;
    let worker = built("1");
    let early = store.claim_due(&worker, now(9, at(29))).await?;
    same!(
        (names(&early).len(), early.next_due),
        (0, Some(at(30))),
        "too early"
    );
    let timely = store.claim_due(&worker, now(9, at(60))).await?;
    same!(names(&timely), ["b", "a"], "in time");
    same!(
        store.get(&id("a")?).await?.start_at,
        Some(at(60)),
        "start time"
    );
    Ok(())
}

pub(super) async fn an_event_makes_it_due(store: Store) -> Outcome {
    let (fence, callback, _) = with_callback(&store, "a").await?;
    store.checkpoint(&fence, ending(2, suspend())).await?;
    let worker = built("1");
    same!(
        names(&store.claim_due(&worker, now(9, at(1))).await?).len(),
        0,
        "before the event"
    );
    let outcome = Completion::Succeed(json("1"));
    store.complete(&callback, outcome, at(2)).await?;
    same!(
        names(&store.claim_due(&worker, now(9, at(2))).await?),
        ["a"],
        "after it"
    );
    Ok(())
}

pub(super) async fn what_was_left_behind_is_looked_after(store: Store) -> Outcome {
    let lease = leased(&store, "a").await?;
    leased(&store, "b").await?;
    let worker = built("1");
    same!(
        names(&store.claim_due(&worker, now(9, at(3600))).await?).len(),
        0,
        "without a look"
    );
    let early = store.claim_due(&worker, looking_after(at(59), TTL)).await?;
    same!(names(&early).len(), 0, "while the lease lasts");
    store.renew(&lease.fence, at(3590), TTL).await?;
    // A store may first make sure that a living holder does not renew: for half of the time to live.
    let look = looking_after(at(3600), Duration::from_millis(20));
    let mut claimed = store.claim_due(&worker, look).await?;
    for _ in 0..50 {
        if !claimed.leases.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
        claimed = store.claim_due(&worker, look).await?;
    }
    same!(names(&claimed), ["b"], "what has expired");
    let was_interrupted = claimed
        .leases
        .first()
        .map(|lease| (lease.was_interrupted, lease.crashes));
    same!(
        was_interrupted,
        Some((true, 1)),
        "was_interrupted and crashes"
    );
    Ok(())
}

pub(super) async fn crashes_without_progress_are_counted(store: Store) -> Outcome {
    let mut lease = leased(&store, "a").await?;
    let mut counted = Vec::new();
    for turn in 1..=5 {
        lease = store.claim(&id("a")?, at(3600 * turn), TTL).await?;
        counted.push(lease.crashes);
        if turn == 3 {
            lease.fence = put(&store, &lease.fence, batch(1, vec![step(1, "1")])).await?;
        }
    }
    same!(counted, [1, 2, 3, 1, 2], "crashes in a row");
    store.checkpoint(&lease.fence, ending(2, suspend())).await?;
    let lease = store.claim(&id("a")?, at(3600 * 6), TTL).await?;
    same!(lease.crashes, 0, "crashes, after a clean end");
    Ok(())
}

pub(super) async fn of_many_workers_one_claims(store: Store) -> Outcome {
    for n in 0..40 {
        store.start(new(&format!("run-{n:02}"))?).await?;
    }
    let mut workers = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let store = store.clone();
        workers.spawn(async move {
            let (worker, mut claimed) = (built("1"), Vec::new());
            for _ in 0..12 {
                let more = store.claim_due(&worker, now(3, NOW)).await?;
                claimed.extend(more.leases.into_iter().map(|lease| lease.execution.id));
            }
            Ok::<_, StoreError>(claimed)
        });
    }
    let mut all = Vec::new();
    while let Some(done) = workers.join_next().await {
        let claimed = done.map_err(|lost| Defect::new(format!("a task was lost: {lost}")))?;
        all.extend(claimed?);
    }
    all.sort();
    all.dedup();
    same!(all.len(), 40, "executions claimed, each once");
    Ok(())
}
