//! Executions and records for the tests.

use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use durable_core::store::{
    Ack, AdminStore, Batch, CheckpointStore, ExecutionStore, ExecutionUpdate, Fence, Lease,
    NewExecution, StoreError,
};
use durable_core::{
    Clock, ExecutionId, Kind, Occurrence, OperationId, Payload, Record, Status, SystemClock,
    Timestamp,
};
use durable_postgres::PostgresStore;
use durable_postgres_tests::client;

pub(crate) const TTL: Duration = Duration::from_secs(60);

pub(crate) fn now() -> Timestamp {
    SystemClock.now()
}

pub(crate) fn id(name: &str) -> ExecutionId {
    name.parse().unwrap()
}

pub(crate) fn new(name: &str) -> NewExecution {
    NewExecution::new(id(name), "etl", Payload::json("null"), now())
}

pub(crate) async fn leased(store: &PostgresStore, name: &str) -> Lease {
    leased_for(store, name, TTL).await
}

pub(crate) async fn leased_for(store: &PostgresStore, name: &str, ttl: Duration) -> Lease {
    store.start(new(name)).await.unwrap();
    store.claim(&id(name), now(), ttl).await.unwrap()
}

/// A step whose value is its position.
pub(crate) fn step(seq: u64) -> Record {
    let occurrence = Occurrence::Ordered(seq);
    let root = OperationId::ROOT;
    let id = OperationId::of(root, "load", &occurrence);
    let mut record = Record::started(seq, id, root, Kind::Step, "load", occurrence, now());
    (record.order, record.attempt, record.status) = (seq, 1, Status::Succeeded);
    record.payload = Some(Payload::json(seq.to_string()));
    record
}

pub(crate) fn batch(id: u64, update: Option<ExecutionUpdate>) -> Arc<Batch> {
    Arc::new(Batch {
        id,
        records: vec![step(id)],
        execution: update,
        ..Batch::default()
    })
}

/// Writes steps, one per batch.
pub(crate) async fn steps(
    store: &PostgresStore,
    fence: &Fence,
    from: u64,
    to: u64,
) -> Result<(), StoreError> {
    for seq in from..=to {
        store.checkpoint(fence, batch(seq, None)).await?;
    }
    Ok(())
}

pub(crate) async fn succeed(
    store: &PostgresStore,
    fence: &Fence,
    id: u64,
) -> Result<Ack, StoreError> {
    let output = Payload::json("1");
    let update = ExecutionUpdate::Succeed { output };
    store.checkpoint(fence, batch(id, Some(update))).await
}

/// The positions of the records of an execution.
pub(crate) async fn positions(store: &PostgresStore, name: &str) -> Vec<u64> {
    let history = store.history(&id(name)).await.unwrap();
    history.iter().map(|record| record.seq).collect()
}

pub(crate) async fn open(url: &str) -> PostgresStore {
    PostgresStore::connect(url).await.unwrap()
}

/// Runs a statement on a separate connection.
pub(crate) async fn sql(url: &str, text: &str) {
    client(url)
        .await
        .unwrap()
        .batch_execute(text)
        .await
        .unwrap();
}

/// Polls until the condition holds.
pub(crate) async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let begun = std::time::Instant::now();
    while begun.elapsed() < Duration::from_secs(60) {
        if condition().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("timed out waiting until {what}");
}

/// Polls a call this often, then drops it. Returns its answer, if it is complete by then.
pub(crate) async fn polled<T>(times: usize, call: impl IntoFuture<Output = T>) -> Option<T> {
    let mut call = std::pin::pin!(call.into_future());
    let mut left = times;
    std::future::poll_fn(|cx| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match call.as_mut().poll(cx) {
            // Dropped while the server still has its last request.
            Poll::Pending if left == 0 => Poll::Ready(None),
            polled => polled.map(Some),
        }
    })
    .await
}
