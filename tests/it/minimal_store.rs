//! Backend that only implements the minimum: `CheckpointStore` and `ExecutionStore`.

use std::sync::Arc;
use std::time::Duration;

use durable::prelude::*;
use durable::store::{
    AdminStore, CallbackStore, CheckpointStore, ExecutionStore, MemoryStore, MessageStore,
    QueueStore, ScheduleStore, Store, StoreErrorKind, WorkStore, forward_store,
};
use durable::{BoxError, Client, Worker, WorkerError};
use durable_core::conformance;

struct Minimal {
    memory: MemoryStore,
}

impl Minimal {
    fn new() -> Self {
        Self {
            memory: MemoryStore::new(),
        }
    }
}

impl CheckpointStore for Minimal {
    forward_store!(memory: load, checkpoint, capabilities);
}

impl ExecutionStore for Minimal {
    forward_store!(memory: start, claim, renew, get, changed, cancel);
}

impl WorkStore for Minimal {}
impl CallbackStore for Minimal {}
impl AdminStore for Minimal {}
impl MessageStore for Minimal {}
impl QueueStore for Minimal {}
impl ScheduleStore for Minimal {}

#[tokio::test]
async fn a_minimal_backend_passes_the_cases_it_supports() {
    let unsupported =
        conformance::run_supported(async || Arc::new(Minimal::new()) as Arc<dyn Store>)
            .await
            .unwrap();
    let supported = |part: &str| !unsupported.iter().any(|name| name.starts_with(part));
    assert!(!supported("queues::"), "{unsupported:?}");
    assert!(!supported("schedules::"), "{unsupported:?}");
    for name in [
        "leases::only_one_holder_at_a_time",
        "executions::suspend_keeps_the_wake_up_time",
    ] {
        assert!(!unsupported.contains(&name), "{name} is unsupported");
    }
}

#[tokio::test]
async fn a_complete_backend_supports_every_case() {
    let unsupported = conformance::run_supported(async || Arc::new(MemoryStore::new()) as _).await;
    assert_eq!(unsupported.unwrap(), Vec::<&str>::new());
}

#[tokio::test]
async fn the_full_suite_fails_on_a_minimal_backend() {
    let failures = conformance::run(async || Arc::new(Minimal::new()) as _)
        .await
        .unwrap_err();
    let text = failures.to_string();
    assert!(
        text.contains("this store does not support queues"),
        "{text}"
    );
}

#[durable]
async fn doubled(n: u32) -> Result<u32, BoxError> {
    Ok(step!("double", async { Ok::<_, BoxError>(n * 2) }.await).await?)
}

#[tokio::test]
async fn a_minimal_backend_runs_a_durable_function() {
    let run = durable::run(doubled, "a", 21).store(Minimal::new());
    assert_eq!(run.await.unwrap(), 42);
}

#[tokio::test]
async fn a_worker_ends_at_once_on_a_store_that_hands_out_no_work() {
    let worker = Worker::new(Minimal::new()).register(doubled).run();
    let error = tokio::time::timeout(Duration::from_secs(5), worker)
        .await
        .unwrap();
    match error.unwrap_err() {
        WorkerError::Store(error) => assert_eq!(error.kind(), StoreErrorKind::Unsupported),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn calls_to_missing_parts_name_them() {
    let client = Client::new(Minimal::new());
    let error = client.list(Default::default()).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unsupported);
    assert!(
        error.to_string().contains("does not support listings"),
        "{error}"
    );
}
