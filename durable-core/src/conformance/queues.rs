//! Queues: limits, order and pausing.

use std::time::Duration;

use super::fixture::{TTL, at, ending, id, json, new};
use super::work::{claim_request, claimed_ids, worker_of_build};
use super::{Outcome, Store, expect_eq, expect_error};
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
    Ok(store
        .claim_due(&worker_of_build("1"), claim_request(limit, time))
        .await?)
}

async fn end(store: &Store, claimed: &Claimed) -> Outcome {
    for lease in &claimed.leases {
        let output = json("1");
        let ends = ending(9, ExecutionUpdate::Succeed { output });
        store.checkpoint(&lease.fence, ends).await?;
    }
    Ok(())
}

pub(super) async fn a_queue_without_limits_lets_all_run(store: Store) -> Outcome {
    for name in ["a", "b", "c"] {
        queued(&store, name, None, 0, 0).await?;
    }
    let claimed = claim(&store, 9, at(1)).await?;
    expect_eq!(claimed_ids(&claimed).len(), 3, "claimed");
    let execution = store.get(&id("a")?).await?;
    expect_eq!(
        (execution.queue, execution.admitted),
        (Some(QueueEntry::new("q")), true),
        "queue entry and admission"
    );
    end(&store, &claimed).await?;
    expect_eq!(
        store.get(&id("a")?).await?.admitted,
        false,
        "admitted, after the end"
    );
    Ok(())
}

pub(super) async fn executions_are_ordered_by_priority_then_time(store: Store) -> Outcome {
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
    expect_eq!(order, ["c", "b", "a", "d"], "order");
    expect_eq!(
        claim(&store, 1, at(5)).await?.next_due,
        Some(at(50)),
        "next due time"
    );
    Ok(())
}

pub(super) async fn concurrency_is_limited(store: Store) -> Outcome {
    store.put_queue(limited(Some(2), None)).await?;
    for name in ["a", "b", "c", "d"] {
        queued(&store, name, None, 0, 0).await?;
    }
    let two = claim(&store, 9, at(1)).await?;
    expect_eq!(claimed_ids(&two), ["a", "b"], "claimed");
    // A suspended execution still counts, and needs no second admission.
    if let Some(lease) = two.leases.first() {
        let wake_at = Some(at(5));
        let sleeps = ending(1, ExecutionUpdate::Suspend { wake_at });
        store.checkpoint(&lease.fence, sleeps).await?;
    }
    expect_eq!(
        claimed_ids(&claim(&store, 9, at(2)).await?).len(),
        0,
        "claimed while it sleeps"
    );
    let woken = claim(&store, 9, at(5)).await?;
    expect_eq!(claimed_ids(&woken), ["a"], "claimed when it wakes");
    end(&store, &woken).await?;
    expect_eq!(
        claimed_ids(&claim(&store, 9, at(6)).await?),
        ["c"],
        "claimed once one has ended"
    );
    Ok(())
}

pub(super) async fn concurrency_per_key_is_limited(store: Store) -> Outcome {
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
    expect_eq!(
        claimed_ids(&first),
        ["a1", "b1", "c"],
        "one per key, and the one without a key"
    );
    expect_eq!(
        claimed_ids(&claim(&store, 9, at(2)).await?).len(),
        0,
        "claimed while they run"
    );
    end(&store, &first).await?;
    let second = claim(&store, 9, at(3)).await?;
    expect_eq!(claimed_ids(&second), ["a2", "b2"], "the next for each key");
    store.put_queue(limited(None, Some(2))).await?;
    expect_eq!(
        claimed_ids(&claim(&store, 9, at(4)).await?),
        ["a3"],
        "after the limit was raised"
    );
    Ok(())
}

pub(super) async fn the_start_rate_is_limited(store: Store) -> Outcome {
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
    expect_eq!(
        claimed_ids(&claim(&store, 1, at(1)).await?),
        ["a"],
        "first claim"
    );
    let second = claim(&store, 9, at(3)).await?;
    expect_eq!(
        (claimed_ids(&second), second.next_due),
        (vec!["b".to_owned()], Some(at(11))),
        "second claim"
    );
    let none = claim(&store, 9, at(10)).await?;
    expect_eq!(
        (claimed_ids(&none).len(), none.next_due),
        (0, Some(at(11))),
        "too early"
    );
    expect_eq!(
        claimed_ids(&claim(&store, 9, at(11)).await?),
        ["c"],
        "ten seconds after the first"
    );
    expect_eq!(
        claimed_ids(&claim(&store, 9, at(13)).await?),
        ["d"],
        "ten seconds after the second"
    );
    // A clock that is set back does not block the queue.
    expect_eq!(
        claimed_ids(&claim(&store, 9, at(-100)).await?).len(),
        0,
        "before anything was started"
    );
    expect_eq!(
        claimed_ids(&claim(&store, 9, at(5)).await?),
        ["e"],
        "when the clock was set back"
    );
    Ok(())
}

pub(super) async fn workers_serve_the_queues_they_name(store: Store) -> Outcome {
    queued(&store, "a", None, 0, 0).await?;
    store.start(new("b")?).await?;
    let other = WorkerFilter {
        queues: Some(vec!["other".to_owned()]),
        ..worker_of_build("1")
    };
    expect_eq!(
        claimed_ids(&store.claim_due(&other, claim_request(9, at(1))).await?),
        ["b"],
        "by a worker of another queue"
    );
    let this = WorkerFilter {
        queues: Some(vec!["q".to_owned()]),
        ..worker_of_build("1")
    };
    expect_eq!(
        claimed_ids(&store.claim_due(&this, claim_request(9, at(1))).await?),
        ["a"],
        "by a worker of this one"
    );
    Ok(())
}

pub(super) async fn a_queue_can_be_paused(store: Store) -> Outcome {
    let paused = Queue {
        paused: true,
        ..limited(None, None)
    };
    store.put_queue(paused.clone()).await?;
    queued(&store, "a", None, 0, 0).await?;
    expect_eq!(
        claimed_ids(&claim(&store, 9, at(1)).await?).len(),
        0,
        "claimed"
    );
    let state = |queue, waiting, running, oldest| QueueState {
        queue,
        waiting,
        running,
        oldest,
    };
    expect_eq!(
        store.queues().await?,
        [state(paused, 1, 0, Some(at(0)))],
        "queues"
    );
    store.remove_queue("q").await?;
    expect_eq!(
        claimed_ids(&claim(&store, 9, at(1)).await?),
        ["a"],
        "claimed"
    );
    expect_eq!(
        store.queues().await?,
        [state(limited(None, None), 0, 1, None)],
        "queues after the removal"
    );
    expect_error!(
        store.remove_queue("q").await,
        NotFound,
        "removal of a queue without settings"
    );
    Ok(())
}

pub(super) async fn the_oldest_waiting_execution_is_known(store: Store) -> Outcome {
    store.put_queue(limited(None, Some(1))).await?;
    for (name, seconds) in [("a", 0), ("b", 2), ("c", 1), ("d", 5)] {
        queued(&store, name, Some("x"), 0, seconds).await?;
    }
    let oldest = async || {
        let states = store.queues().await?;
        let state = states.first().map(|state| (state.waiting, state.oldest));
        Ok::<_, super::Defect>(state)
    };
    expect_eq!(oldest().await?, Some((4, Some(at(0)))), "before a claim");
    let claimed = claim(&store, 9, at(6)).await?;
    expect_eq!(claimed_ids(&claimed), ["a"], "claimed");
    expect_eq!(
        oldest().await?,
        Some((3, Some(at(1)))),
        "while the others are held back"
    );
    Ok(())
}

pub(super) async fn a_chain_counts_as_one_execution(store: Store) -> Outcome {
    store.put_queue(limited(Some(1), None)).await?;
    for name in ["a", "b"] {
        queued(&store, name, None, 0, 0).await?;
    }
    let first = claim(&store, 9, at(1)).await?;
    expect_eq!(claimed_ids(&first), ["a"], "claimed");
    if let Some(lease) = first.leases.first() {
        let mut next = new("a~2")?;
        next.created_at = at(2);
        let continues = ending(1, ExecutionUpdate::Continue { next });
        store.checkpoint(&lease.fence, continues).await?;
    }
    let second = claim(&store, 9, at(3)).await?;
    expect_eq!(
        claimed_ids(&second),
        ["a~2"],
        "the next execution of the chain"
    );
    end(&store, &second).await?;
    expect_eq!(
        claimed_ids(&claim(&store, 9, at(4)).await?),
        ["b"],
        "after the chain"
    );
    Ok(())
}

pub(super) async fn a_queued_execution_can_be_cancelled(store: Store) -> Outcome {
    store.put_queue(limited(Some(1), None)).await?;
    for name in ["a", "b"] {
        queued(&store, name, None, 0, 0).await?;
    }
    let claimed = claim(&store, 9, at(1)).await?;
    store.cancel(&id("b")?, at(2)).await?;
    expect_eq!(
        store.get(&id("b")?).await?.status.is_terminal(),
        true,
        "ended"
    );
    end(&store, &claimed).await?;
    expect_eq!(
        claimed_ids(&claim(&store, 9, at(3)).await?).len(),
        0,
        "claimed"
    );
    let claim_by_id = store.claim(&id("a")?, at(3), TTL).await;
    expect_error!(claim_by_id, Conflict, "a claim after the end");
    expect_eq!(store.queues().await?.len(), 1, "queues");
    Ok(())
}

pub(super) async fn a_claim_by_id_bypasses_the_queue(store: Store) -> Outcome {
    store.put_queue(limited(Some(1), None)).await?;
    for name in ["a", "b"] {
        queued(&store, name, None, 0, 0).await?;
    }
    store.claim(&id("b")?, at(1), TTL).await?;
    expect_eq!(
        claimed_ids(&claim(&store, 9, at(1)).await?).len(),
        0,
        "claimed while the other one runs"
    );
    store.change(&id("a")?, Change::Pause, at(1)).await?;
    Ok(())
}
