//! Workers in normal operation.

use std::sync::Arc;

use durable::prelude::*;
use durable::store::{ExecutionStatus, MemoryStore};
use durable::{Client, Timestamp, Worker, WorkerError};

use crate::support::{Effects, Serving, status, stores, until};

struct App {
    effects: Effects,
}

#[durable]
async fn add(app: &App, n: u32) -> Result<u32, BoxError> {
    let mut sum = 0;
    for i in 0..n {
        sum += step!("term", key = i, term(app, i)).await?;
    }
    Ok(sum)
}

fn term(app: &App, i: u32) -> Result<u32, BoxError> {
    app.effects.note("term");
    Ok(i)
}

#[durable]
async fn sleeper(app: &App, millis: u64) -> Result<(), BoxError> {
    step!("before", term(app, 0)).await?;
    wait!(Duration::from_millis(millis)).await;
    step!("after", term(app, 1)).await?;
    Ok(())
}

#[durable]
async fn parent(app: &App, n: u32) -> Result<u32, BoxError> {
    let a = invoke!("a", add(n)).await?;
    let b = invoke!("b", stateless(n)).await?;
    step!("note", term(app, 9)).await?;
    Ok(a + b)
}

#[durable]
async fn stateless(n: u32) -> Result<u32, BoxError> {
    Ok(step!("twice", double(n)).await?)
}

fn double(n: u32) -> Result<u32, BoxError> {
    Ok(n * 2)
}

#[durable]
async fn answered() -> Result<String, BoxError> {
    Ok(callback!("answer").await?)
}

#[durable(name = "add")]
async fn another_add(n: u32) -> Result<u32, BoxError> {
    Ok(n)
}

fn app() -> (Arc<App>, Effects) {
    let effects = Effects::default();
    let app = App {
        effects: effects.clone(),
    };
    (Arc::new(app), effects)
}

#[tokio::test]
async fn started_executions_run_and_return_their_output() {
    for (store, _kept) in stores().await {
        let (app, effects) = app();
        let worker = Worker::new(store.clone()).state(app).register(add);
        let serving = Serving::begin(worker);
        let client = Client::new(store);
        let handle = client.start(add, "a", 4).await.unwrap();
        assert_eq!(handle.result().await.unwrap(), 6);
        let again = client.start(add, "a", 4).await.unwrap();
        assert_eq!(again.result().await.unwrap(), 6);
        assert_eq!(effects.count("term"), 4);
        let conflict = client.start(add, "a", 5).await.unwrap_err();
        assert!(matches!(conflict, RunError::IdInUse(_)), "{conflict}");
        serving.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_executions_run_on_many_threads() {
    for (store, _kept) in stores().await {
        let (app, effects) = app();
        let worker = Worker::new(store.clone()).state(app).register(add);
        let serving = Serving::begin(worker.concurrency(16));
        let client = Client::new(store);
        let mut handles = Vec::new();
        for n in 0..200 {
            handles.push(client.start(add, format!("run-{n}"), n % 7).await.unwrap());
        }
        for (n, handle) in (0..).zip(&handles) {
            let n: u32 = n % 7;
            assert_eq!(handle.result().await.unwrap(), (0..n).sum::<u32>());
        }
        assert_eq!(
            effects.count("term"),
            (0..200).map(|n| n % 7).sum::<usize>()
        );
        serving.stop().await;
    }
}

#[tokio::test]
async fn long_waits_suspend_and_short_ones_stay_in_memory() {
    for (store, _kept) in stores().await {
        let (app, effects) = app();
        let worker = Worker::new(store.clone()).state(app).register(sleeper);
        let serving = Serving::begin(
            worker
                .suspend_after(Duration::from_millis(500))
                .concurrency(1),
        );
        let client = Client::new(store.clone());
        let short = client.start(sleeper, "short", 50).await.unwrap();
        short.result().await.unwrap();
        let long = client.start(sleeper, "long", 1200).await.unwrap();
        until(async || status(&*store, "long").await == ExecutionStatus::Suspended).await;
        // The only slot is free while the execution is suspended.
        client
            .start(sleeper, "other", 1)
            .await
            .unwrap()
            .result()
            .await
            .unwrap();
        assert_eq!(status(&*store, "long").await, ExecutionStatus::Suspended);
        long.result().await.unwrap();
        assert_eq!(effects.count("term"), 6);
        serving.stop().await;
    }
}

#[tokio::test]
async fn an_execution_starts_at_its_scheduled_time() {
    for (store, _kept) in stores().await {
        let (app, effects) = app();
        let serving = Serving::begin(Worker::new(store.clone()).state(app).register(add));
        let client = Client::new(store.clone());
        let soon = Timestamp::from(std::time::SystemTime::now()).after(Duration::from_millis(600));
        let handle = client.start(add, "later", 2).at(soon).await.unwrap();
        let now = client.start(add, "now", 1).await.unwrap();
        now.result().await.unwrap();
        assert_eq!(status(&*store, "later").await, ExecutionStatus::Queued);
        assert_eq!(effects.count("term"), 1);
        handle.result().await.unwrap();
        assert!(Timestamp::from(std::time::SystemTime::now()) >= soon);
        serving.stop().await;
    }
}

#[tokio::test]
async fn a_completed_callback_resumes_its_execution() {
    for (store, _kept) in stores().await {
        let serving = Serving::begin(Worker::new(store.clone()).register(answered));
        let client = Client::new(store.clone());
        let handle = client.start(answered, "a", ()).await.unwrap();
        until(async || status(&*store, "a").await == ExecutionStatus::Suspended).await;
        let history = store.history(handle.id()).await.unwrap();
        let callback = history[0].handle.clone().unwrap();
        client.complete(&callback, "yes").await.unwrap();
        assert_eq!(handle.result().await.unwrap(), "yes");
        serving.stop().await;
    }
}

#[tokio::test]
async fn invoked_executions_are_run_by_workers() {
    for (store, _kept) in stores().await {
        let (app, _) = app();
        let worker = Worker::new(store.clone()).state(app).register(parent);
        let serving = Serving::begin(worker.register(add));
        let client = Client::new(store.clone());
        let handle = client.start(parent, "p", 3).await.unwrap();
        // `stateless` is registered nowhere, so the parent's worker runs it itself.
        assert_eq!(handle.result().await.unwrap(), 3 + 6);
        serving.stop().await;
    }
}

#[tokio::test]
async fn two_handlers_with_one_name_are_an_error() {
    let (app, _) = app();
    let worker = Worker::new(MemoryStore::new())
        .state(app)
        .register(add)
        .register(another_add);
    let error = worker.run_until(std::future::pending()).await.unwrap_err();
    assert!(matches!(error, WorkerError::Usage(_)));
    assert!(
        error
            .to_string()
            .contains("two handlers have the name `add`"),
        "{error}"
    );
    let error = Worker::new(MemoryStore::new())
        .run_until(std::future::pending())
        .await;
    assert!(
        error
            .unwrap_err()
            .to_string()
            .contains("no handler is registered")
    );
}

#[tokio::test]
async fn unknown_handlers_are_left_to_a_worker_that_knows_them() {
    for (store, _kept) in stores().await {
        let (app, _) = app();
        let client = Client::new(store.clone());
        for n in 0..100 {
            client
                .start(sleeper, format!("unknown-{n}"), 1)
                .await
                .unwrap();
        }
        let serving = Serving::begin(Worker::new(store.clone()).state(app.clone()).register(add));
        let known = client.start(add, "known", 1).await.unwrap();
        known.result().await.unwrap();
        assert_eq!(status(&*store, "unknown-0").await, ExecutionStatus::Queued);
        let other = Serving::begin(Worker::new(store.clone()).state(app).register(sleeper));
        for n in 0..100 {
            let handle = client.handle(sleeper, &format!("unknown-{n}")).unwrap();
            handle.result().await.unwrap();
        }
        serving.stop().await;
        other.stop().await;
    }
}

#[tokio::test]
async fn the_trace_of_a_request_is_kept_and_garbage_is_ignored() {
    let client = Client::new(MemoryStore::new());
    let header = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    for (id, given, kept) in [
        ("a", header, Some(header)),
        ("b", "00-0af7651916cd43dd8448eb211c80319c", None),
    ] {
        let handle = client.start(add, id, 1).trace(given).await.unwrap();
        let execution = handle.describe().await.unwrap();
        let trace = execution.trace.as_ref().map(|trace| trace.as_str());
        assert_eq!(trace, kept);
    }
}
