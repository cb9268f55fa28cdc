//! Queues let run what they may, in order.

use std::time::Duration;

use super::fixture::{TTL, at, ending, id, json, new};
use super::work::{built, names, now};
use super::{Outcome, Store, refused, same};
use crate::Timestamp;
use crate::store::{
    Change, Claimed, ExecutionUpdate, Queue, QueueEntry, QueueState, Rate, WorkerFilter,
};

/// Starts an execution in the queue `q`.
async fn queued(
    store: &Store,
    name: &str,
    key: Option<&str>,
    priority: i32,
    seconds: i64,
) -> Outcome {
    let mut new = new(name)?;
    new.created_at = at(seconds);
    new.queue = Some(QueueEntry {
        key: key.map(str::to_owned),
        priority,
        ..QueueEntry::new("q")
    });
    store.start(new).await?;
    Ok(())
}

fn limited(concurrency: Option<u32>, per_key: Option<u32>) -> Queue {
    Queue {
        name: "q".to_owned(),
        concurrency,
        concurrency_per_key: per_key,
        ..Queue::default()
    }
}

async fn claim(store: &Store, limit: usize, time: Timestamp) -> Result<Claimed, super::Defect> {
    Ok(store.claim_due(&built("1"), now(limit, time)).await?)
}

async fn end(store: &Store, claimed: &Claimed) -> Outcome {
    for lease in &claimed.leases {
        let output = json("1");
        let ends = ending(9, ExecutionUpdate::Succeed { output });
        store.checkpoint(&lease.fence, ends).await?;
    }
    Ok(())
}

pub(super) async fn without_limits_let_all_run(store: Store) -> Outcome {
    for name in ["a", "b", "c"] {
        queued(&store, name, None, 0, 0).await?;
    }
    let claimed = claim(&store, 9, at(1)).await?;
    same!(names(&claimed).len(), 3, "claimed");
    let execution = store.get(&id("a")?).await?;
    same!(
        (execution.queue, execution.admitted),
        (Some(QueueEntry::new("q")), true),
        "place and admission"
    );
    end(&store, &claimed).await?;
    same!(
        store.get(&id("a")?).await?.admitted,
        false,
        "admitted, after the end"
    );
    Ok(())
}

pub(super) async fn go_by_priority_then_by_time(store: Store) -> Outcome {
    for (name, priority, seconds) in [
        ("a", 0, 1),
        ("b", 5, 3),
        ("c", 5, 2),
        ("d", -1, 0),
        ("e", 9, 50),
    ] {
        queued(&store, name, None, priority, seconds).await?;
    }
    let mut order = Vec::new();
    for _ in 0..4 {
        let claimed = claim(&store, 1, at(5)).await?;
        order.extend(
            claimed
                .leases
                .into_iter()
                .map(|lease| lease.execution.id.to_string()),
        );
    }
    same!(order, ["c", "b", "a", "d"], "order");
    same!(
        claim(&store, 1, at(5)).await?.next_due,
        Some(at(50)),
        "when there is more"
    );
    Ok(())
}

pub(super) async fn limit_what_runs(store: Store) -> Outcome {
    store.put_queue(limited(Some(2), None)).await?;
    for name in ["a", "b", "c", "d"] {
        queued(&store, name, None, 0, 0).await?;
    }
    let two = claim(&store, 9, at(1)).await?;
    same!(names(&two), ["a", "b"], "claimed");
    // What sleeps goes on counting, and needs no second admission.
    if let Some(lease) = two.leases.first() {
        let wake_at = Some(at(5));
        let sleeps = ending(1, ExecutionUpdate::Suspend { wake_at });
        store.checkpoint(&lease.fence, sleeps).await?;
    }
    same!(
        names(&claim(&store, 9, at(2)).await?).len(),
        0,
        "claimed while it sleeps"
    );
    let woken = claim(&store, 9, at(5)).await?;
    same!(names(&woken), ["a"], "claimed when it wakes");
    end(&store, &woken).await?;
    same!(
        names(&claim(&store, 9, at(6)).await?),
        ["c"],
        "claimed once one has ended"
    );
    Ok(())
}

pub(super) async fn limit_what_runs_of_a_key(store: Store) -> Outcome {
    store.put_queue(limited(None, Some(1))).await?;
    for (name, key) in [
        ("a1", "a"),
        ("a2", "a"),
        ("a3", "a"),
        ("b1", "b"),
        ("b2", "b"),
    ] {
        queued(&store, name, Some(key), 0, 0).await?;
    }
    queued(&store, "c", None, 0, 1).await?;
    let first = claim(&store, 9, at(1)).await?;
    same!(
        names(&first),
        ["a1", "b1", "c"],
        "one of each, and what has no key"
    );
    same!(
        names(&claim(&store, 9, at(2)).await?).len(),
        0,
        "claimed while they run"
    );
    end(&store, &first).await?;
    let second = claim(&store, 9, at(3)).await?;
    same!(names(&second), ["a2", "b2"], "the next of each");
    store.put_queue(limited(None, Some(2))).await?;
    same!(
        names(&claim(&store, 9, at(4)).await?),
        ["a3"],
        "once more may run"
    );
    Ok(())
}

pub(super) async fn limit_how_many_start_in_a_time(store: Store) -> Outcome {
    let rate = Some(Rate {
        starts: 2,
        per: Duration::from_secs(10),
    });
    store
        .put_queue(Queue {
            rate,
            ..limited(None, None)
        })
        .await?;
    for name in ["a", "b", "c", "d", "e"] {
        queued(&store, name, None, 0, 0).await?;
    }
    same!(names(&claim(&store, 1, at(1)).await?), ["a"], "at first");
    let second = claim(&store, 9, at(3)).await?;
    same!(
        (names(&second), second.next_due),
        (vec!["b".to_owned()], Some(at(11))),
        "and another one"
    );
    let none = claim(&store, 9, at(10)).await?;
    same!(
        (names(&none).len(), none.next_due),
        (0, Some(at(11))),
        "too early"
    );
    same!(
        names(&claim(&store, 9, at(11)).await?),
        ["c"],
        "ten seconds after the first"
    );
    same!(
        names(&claim(&store, 9, at(13)).await?),
        ["d"],
        "ten seconds after the second"
    );
    // A clock that is set back closes no queue.
    same!(
        names(&claim(&store, 9, at(-100)).await?).len(),
        0,
        "before anything was started"
    );
    same!(
        names(&claim(&store, 9, at(5)).await?),
        ["e"],
        "when the clock was set back"
    );
    Ok(())
}

pub(super) async fn are_served_by_those_who_say_so(store: Store) -> Outcome {
    queued(&store, "a", None, 0, 0).await?;
    store.start(new("b")?).await?;
    let other = WorkerFilter {
        queues: Some(vec!["other".to_owned()]),
        ..built("1")
    };
    same!(
        names(&store.claim_due(&other, now(9, at(1))).await?),
        ["b"],
        "by a worker of another queue"
    );
    let this = WorkerFilter {
        queues: Some(vec!["q".to_owned()]),
        ..built("1")
    };
    same!(
        names(&store.claim_due(&this, now(9, at(1))).await?),
        ["a"],
        "by a worker of this one"
    );
    Ok(())
}

pub(super) async fn can_be_paused(store: Store) -> Outcome {
    let paused = Queue {
        paused: true,
        ..limited(None, None)
    };
    store.put_queue(paused.clone()).await?;
    queued(&store, "a", None, 0, 0).await?;
    same!(names(&claim(&store, 9, at(1)).await?).len(), 0, "claimed");
    let state = |queue, waiting, running| QueueState {
        queue,
        waiting,
        running,
    };
    same!(store.queues().await?, [state(paused, 1, 0)], "queues");
    store.remove_queue("q").await?;
    same!(names(&claim(&store, 9, at(1)).await?), ["a"], "claimed");
    same!(
        store.queues().await?,
        [state(limited(None, None), 0, 1)],
        "queues, then"
    );
    refused!(
        store.remove_queue("q").await,
        NotFound,
        "a queue that was not set up"
    );
    Ok(())
}

pub(super) async fn give_a_chain_one_place(store: Store) -> Outcome {
    store.put_queue(limited(Some(1), None)).await?;
    for name in ["a", "b"] {
        queued(&store, name, None, 0, 0).await?;
    }
    let first = claim(&store, 9, at(1)).await?;
    same!(names(&first), ["a"], "claimed");
    if let Some(lease) = first.leases.first() {
        let mut next = new("a~2")?;
        next.created_at = at(2);
        let goes_on = ending(1, ExecutionUpdate::Continue { next });
        store.checkpoint(&lease.fence, goes_on).await?;
    }
    let second = claim(&store, 9, at(3)).await?;
    same!(names(&second), ["a~2"], "the next of the chain");
    end(&store, &second).await?;
    same!(
        names(&claim(&store, 9, at(4)).await?),
        ["b"],
        "after the chain"
    );
    Ok(())
}

pub(super) async fn do_not_hold_back_a_cancellation(store: Store) -> Outcome {
    store.put_queue(limited(Some(1), None)).await?;
    for name in ["a", "b"] {
        queued(&store, name, None, 0, 0).await?;
    }
    let claimed = claim(&store, 9, at(1)).await?;
    store.cancel(&id("b")?, at(2)).await?;
    same!(
        store.get(&id("b")?).await?.status.is_terminal(),
        true,
        "ended"
    );
    end(&store, &claimed).await?;
    same!(names(&claim(&store, 9, at(3)).await?).len(), 0, "claimed");
    let claim_by_id = store.claim(&id("a")?, at(3), TTL).await;
    refused!(claim_by_id, Conflict, "a claim after the end");
    same!(store.queues().await?.len(), 1, "queues");
    Ok(())
}

pub(super) async fn can_be_passed_by_name(store: Store) -> Outcome {
    store.put_queue(limited(Some(1), None)).await?;
    for name in ["a", "b"] {
        queued(&store, name, None, 0, 0).await?;
    }
    store.claim(&id("b")?, at(1), TTL).await?;
    same!(
        names(&claim(&store, 9, at(1)).await?).len(),
        0,
        "claimed while the other one runs"
    );
    store.change(&id("a")?, Change::Pause, at(1)).await?;
    Ok(())
}
