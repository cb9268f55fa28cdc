//! Workers under failures: panics, stops, store errors, crashes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use durable::prelude::*;
use durable::store::{ExecutionStatus, MemoryStore, StoreErrorKind};
use durable::{Client, Worker, WorkerError};
use tokio::sync::Notify;

use crate::clock::PausedClock;
use crate::support::{Effects, Faulty, Serving, status};

#[durable]
async fn fine(n: u32) -> Result<u32, BoxError> {
    Ok(step!("one", one(n)).await?)
}

fn one(n: u32) -> Result<u32, BoxError> {
    Ok(n + 1)
}

#[durable]
async fn panics(n: u32) -> Result<u32, BoxError> {
    step!("one", one(n)).await?;
    panic!("no good");
}

struct Gate {
    entered: Notify,
    opened: Notify,
    effects: Effects,
}

#[durable]
async fn gated(gate: &Gate) -> Result<(), BoxError> {
    step!("first", pass(gate).await).await?;
    step!("second", note(gate)).await?;
    Ok(())
}

async fn pass(gate: &Gate) -> Result<(), BoxError> {
    gate.effects.note("first");
    gate.entered.notify_one();
    gate.opened.notified().await;
    Ok(())
}

fn note(gate: &Gate) -> Result<(), BoxError> {
    gate.effects.note("second");
    Ok(())
}

fn gate() -> Arc<Gate> {
    Arc::new(Gate {
        entered: Notify::new(),
        opened: Notify::new(),
        effects: Effects::default(),
    })
}

#[tokio::test]
async fn a_panic_fails_only_its_execution() {
    let store = MemoryStore::new();
    let worker = Worker::new(store.clone()).register(panics).register(fine);
    let serving = Serving::begin(worker);
    let client = Client::new(store);
    let bad = client.start(panics, "bad", 1).await.unwrap();
    let good = client.start(fine, "good", 1).await.unwrap();
    let error = bad.result().await.unwrap_err();
    assert!(error.to_string().contains("no good"), "{error}");
    assert_eq!(good.result().await.unwrap(), 2);
    serving.stop().await;
}

#[tokio::test]
async fn a_graceful_stop_suspends_at_the_next_checkpoint() {
    let store = MemoryStore::new();
    let gate = gate();
    let client = Client::new(store.clone());
    let handle = client.start(gated, "a", ()).await.unwrap();
    let worker = || {
        Worker::new(store.clone())
            .state(gate.clone())
            .register(gated)
    };
    let serving = Serving::begin(worker());
    gate.entered.notified().await;
    let stopping = tokio::spawn(serving.stop());
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!stopping.is_finished(), "the worker waits for the body");
    gate.opened.notify_one();
    stopping.await.unwrap();
    assert_eq!(
        gate.effects.all(),
        ["first"],
        "no body starts after the stop"
    );
    let execution = client.describe(handle.id()).await.unwrap();
    assert_eq!(execution.status, ExecutionStatus::Suspended);
    let history = client.history(handle.id()).await.unwrap();
    assert_eq!((history.len(), history[0].interruptions), (1, 0));
    let serving = Serving::begin(worker());
    handle.result().await.unwrap();
    assert_eq!(gate.effects.all(), ["first", "second"]);
    serving.stop().await;
}

#[tokio::test]
async fn bodies_that_exceed_the_grace_period_are_interrupted() {
    let store = MemoryStore::new();
    let gate = gate();
    let client = Client::new(store.clone());
    let handle = client.start(gated, "a", ()).await.unwrap();
    let worker = || {
        Worker::new(store.clone())
            .state(gate.clone())
            .register(gated)
    };
    let serving = Serving::begin(worker().grace(Duration::from_millis(50)));
    gate.entered.notified().await;
    serving.stop().await;
    // To the store, each handle is a separate process.
    let serving = Serving::begin(worker());
    gate.entered.notified().await;
    gate.opened.notify_one();
    handle.result().await.unwrap();
    assert_eq!(gate.effects.all(), ["first", "first", "second"]);
    serving.stop().await;
}

#[tokio::test(start_paused = true)]
async fn temporary_store_errors_do_not_end_the_worker() {
    let clock = PausedClock::shared();
    let store = MemoryStore::with_clock(Arc::clone(&clock));
    let faulty = Arc::new(Faulty::new(store.clone(), 5, 3));
    let serving = Serving::begin(
        Worker::new(faulty.clone())
            .clock(Arc::clone(&clock))
            .register(fine),
    );
    let handle = Client::new(store)
        .clock(clock)
        .start(fine, "a", 1)
        .await
        .unwrap();
    assert_eq!(handle.result().await.unwrap(), 2);
    // Delays double, so there is no hot loop.
    assert!(faulty.calls.load(Ordering::SeqCst) < 20);
    serving.stop().await;
}

#[tokio::test]
async fn an_execution_whose_checkpoint_fails_is_released_and_retried() {
    let store = MemoryStore::new();
    let faulty = Arc::new(Faulty {
        kind: StoreErrorKind::Conflict,
        ..Faulty::new(store.clone(), 0, 2)
    });
    let serving = Serving::begin(Worker::new(faulty.clone()).register(fine));
    let handle = Client::new(store).start(fine, "a", 1).await.unwrap();
    assert_eq!(handle.result().await.unwrap(), 2);
    serving.stop().await;
}

#[tokio::test]
async fn a_corrupt_history_blocks_with_a_report() {
    let store = MemoryStore::new();
    let faulty = Arc::new(Faulty {
        kind: StoreErrorKind::Corrupt,
        ..Faulty::new(store.clone(), 0, 1)
    });
    let serving = Serving::begin(Worker::new(faulty.clone()).register(fine));
    let client = Client::new(store.clone());
    let handle = client.start(fine, "a", 1).await.unwrap();
    let blocked = handle.result().await.unwrap_err();
    assert!(
        matches!(&blocked, RunError::Blocked(why) if why == "out of order"),
        "{blocked}"
    );
    client.resume(handle.id()).await.unwrap();
    assert_eq!(handle.result().await.unwrap(), 2);
    serving.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_unusable_store_ends_the_worker() {
    let faulty = Faulty {
        kind: StoreErrorKind::Unusable,
        ..Faulty::new(MemoryStore::new(), u32::MAX, 0)
    };
    let serving = Serving::begin(Worker::new(faulty).register(fine));
    let error = serving.ended().await.unwrap_err();
    assert!(matches!(error, WorkerError::Store(_)));
    assert_eq!(error.to_string(), "the worker has stopped: out of order");
}

/// State of a handler that kills its process.
struct Poison {
    store: MemoryStore,
    runs: AtomicU32,
    died: Notify,
}

#[durable]
async fn poison(app: &Poison) -> Result<(), BoxError> {
    // Counts the runs, none of which ends.
    #[durable(allow(D023))]
    app.runs.fetch_add(1, Ordering::SeqCst);
    app.died.notify_one();
    std::future::pending::<()>().await;
    Ok(())
}

#[tokio::test]
async fn an_execution_that_keeps_killing_its_process_is_blocked() {
    let store = MemoryStore::new();
    let client = Client::new(store.clone());
    let handle = client.start(poison, "a", ()).await.unwrap();
    let app = Arc::new(Poison {
        store: store.clone(),
        runs: AtomicU32::new(0),
        died: Notify::new(),
    });
    for _ in 0..3 {
        // To the store, each clone is a separate process.
        let worker = Worker::new(app.store.clone())
            .state(app.clone())
            .register(poison);
        let process = tokio::spawn(worker.max_crashes(3).run_until(std::future::pending()));
        app.died.notified().await;
        process.abort();
        let _ = process.await;
    }
    let worker = Worker::new(store.clone())
        .state(app.clone())
        .register(poison);
    let serving = Serving::begin(worker.max_crashes(3));
    let blocked = handle.result().await.unwrap_err();
    assert!(
        blocked.to_string().contains("3 processes in a row"),
        "{blocked}"
    );
    assert_eq!(app.runs.load(Ordering::SeqCst), 3);
    assert_eq!(status(&store, "a").await, ExecutionStatus::Blocked);
    serving.stop().await;
}
