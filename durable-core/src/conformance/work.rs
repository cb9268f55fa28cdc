//! What is due is claimed, and nothing else.

use std::time::Duration;

use super::fixture::{
    NOW, TTL, at, batch, ending, id, json, leased, new, put, run_to, step, suspend, with_callback,
};
use super::{Defect, Outcome, Store, refused, same};
use crate::Timestamp;
use crate::record::Completion;
use crate::store::{
    Change, ClaimDue, Claimed, ExecutionStatus, ExecutionUpdate, HandlerBuild, StoreError, Wanted,
};

/// Far longer than any store takes.
const LONG: Duration = Duration::from_secs(20);
/// Long enough for a question to reach the store.
const SHORT: Duration = Duration::from_millis(30);

/// A worker that knows the handler of all cases, in this build.
pub(super) fn built(build: &str) -> Wanted {
    Wanted {
        handlers: vec![HandlerBuild {
            name: "etl".to_owned(),
            build: build.to_owned(),
        }],
        queues: None,
    }
}

pub(super) fn now(limit: usize, now: Timestamp) -> ClaimDue {
    ClaimDue {
        limit,
        now,
        ttl: TTL,
        look_after: false,
    }
}

fn looking_after(now: Timestamp, ttl: Duration) -> ClaimDue {
    ClaimDue {
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
        (lease.unclean, lease.crashes),
        (false, 0),
        "unclean and crashes"
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
    let unclean = claimed
        .leases
        .first()
        .map(|lease| (lease.unclean, lease.crashes));
    same!(unclean, Some((true, 1)), "unclean and crashes");
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

async fn blocked(store: &Store, name: &str, build: &str) -> Outcome {
    store.start(new(name)?).await?;
    let claimed = store.claim_due(&built(build), now(1, NOW)).await?;
    same!(names(&claimed), [name], "claimed");
    block(store, &claimed).await
}

async fn block(store: &Store, claimed: &Claimed) -> Outcome {
    for lease in &claimed.leases {
        let report = "renamed".to_owned();
        let blocks = ending(1, ExecutionUpdate::Block { report });
        store.checkpoint(&lease.fence, blocks).await?;
    }
    Ok(())
}

pub(super) async fn blocked_is_offered_once_to_every_other_build(store: Store) -> Outcome {
    blocked(&store, "a", "1").await?;
    let (one, two) = (built("1"), built("2"));
    let look = looking_after(at(1), TTL);
    same!(
        names(&store.claim_due(&one, look).await?).len(),
        0,
        "offered to its own build"
    );
    same!(
        names(&store.claim_due(&two, now(9, at(1))).await?).len(),
        0,
        "without a look"
    );
    let claimed = store.claim_due(&two, look).await?;
    same!(names(&claimed), ["a"], "offered to another");
    block(&store, &claimed).await?;
    for worker in [&one, &two] {
        same!(
            names(&store.claim_due(worker, look).await?).len(),
            0,
            "offered again"
        );
    }
    same!(
        names(&store.claim_due(&built("3"), look).await?),
        ["a"],
        "offered to a third"
    );
    Ok(())
}

pub(super) async fn progress_makes_builds_try_again(store: Store) -> Outcome {
    blocked(&store, "a", "1").await?;
    let look = looking_after(at(1), TTL);
    let claimed = store.claim_due(&built("2"), look).await?;
    for lease in &claimed.leases {
        let wake_at = Some(at(1));
        let sleeps = ending(1, ExecutionUpdate::Suspend { wake_at });
        store.checkpoint(&lease.fence, sleeps).await?;
    }
    let claimed = store.claim_due(&built("2"), now(9, at(1))).await?;
    block(&store, &claimed).await?;
    same!(
        names(&store.claim_due(&built("1"), look).await?),
        ["a"],
        "offered to the first build"
    );
    Ok(())
}

pub(super) async fn resumed_is_tried_by_any_build(store: Store) -> Outcome {
    blocked(&store, "a", "1").await?;
    store.change(&id("a")?, Change::Resume, at(1)).await?;
    let execution = store.get(&id("a")?).await?;
    same!(
        (execution.status, execution.report),
        (ExecutionStatus::Suspended, None),
        "state"
    );
    same!(
        names(&store.claim_due(&built("1"), now(9, at(1))).await?),
        ["a"],
        "claimed"
    );
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

/// Asks for news, and makes sure that there are none yet.
async fn listening(
    store: &Store,
) -> Result<tokio::task::JoinHandle<Result<u64, StoreError>>, Defect> {
    let mut seen = store.ready(0).await?;
    // A store may tell of what is no news, but not for ever.
    while let Ok(more) = tokio::time::timeout(SHORT, store.ready(seen)).await {
        seen = more?;
    }
    let store = store.clone();
    Ok(tokio::spawn(async move { store.ready(seen).await }))
}

async fn told(news: tokio::task::JoinHandle<Result<u64, StoreError>>, of: &str) -> Outcome {
    match tokio::time::timeout(LONG, news).await {
        Ok(Ok(answer)) => answer.map(drop).map_err(Defect::from),
        Ok(Err(lost)) => Err(Defect::new(format!("a task was lost: {lost}"))),
        Err(_) => Err(Defect::new(format!("nobody was told of {of}"))),
    }
}

pub(super) async fn what_becomes_due_is_told(store: Store) -> Outcome {
    let news = listening(&store).await?;
    store.start(new("a")?).await?;
    told(news, "a start").await?;
    let (fence, callback, _) = with_callback(&store, "b").await?;
    store.checkpoint(&fence, ending(2, suspend())).await?;
    let news = listening(&store).await?;
    let outcome = Completion::Succeed(json("1"));
    store.complete(&callback, outcome, NOW).await?;
    told(news, "a callback").await?;
    let news = listening(&store).await?;
    store.change(&id("b")?, Change::Resume, NOW).await?;
    told(news, "a resumption").await
}

pub(super) async fn an_end_is_told(store: Store) -> Outcome {
    store.start(new("a")?).await?;
    let question = {
        let (store, id) = (store.clone(), id("a")?);
        tokio::spawn(async move { store.changed(&id, 7).await.map(|()| 0) })
    };
    tokio::time::sleep(SHORT).await;
    same!(question.is_finished(), false, "answered before the end");
    let output = json("1");
    run_to(&store, "a", ExecutionUpdate::Succeed { output }).await?;
    told(question, "the end").await?;
    // And it is known afterwards.
    match tokio::time::timeout(LONG, store.changed(&id("a")?, 7)).await {
        Ok(answer) => answer.map_err(Defect::from),
        Err(_) => Err(Defect::new("an end of before is not told of")),
    }
}
