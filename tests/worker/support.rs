//! Workers that run in the background of a test, and a log of side effects.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use durable::sqlite::SqliteStore;
use durable::store::*;
use durable::{BoxFuture, Worker, WorkerError};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Worker that runs in the background of a test.
pub(crate) struct Serving {
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), WorkerError>>,
}

impl Serving {
    pub(crate) fn begin<S: Send + Sync + 'static>(worker: Worker<S>) -> Self {
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(worker.run_until(async {
            let _ = stopped.await;
        }));
        Self { stop, task }
    }

    /// Stops the worker and waits until it has stopped.
    pub(crate) async fn stop(self) {
        let _ = self.stop.send(());
        self.task.await.unwrap().unwrap();
    }

    /// Waits for the worker to stop by itself.
    pub(crate) async fn ended(self) -> Result<(), WorkerError> {
        self.task.await.unwrap()
    }
}

/// Log of what bodies did, in order.
#[derive(Clone, Default)]
pub(crate) struct Effects(Arc<Mutex<Vec<String>>>);

impl Effects {
    pub(crate) fn note(&self, what: impl Into<String>) {
        self.0.lock().unwrap().push(what.into());
    }

    pub(crate) fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn count(&self, what: &str) -> usize {
        self.all().iter().filter(|noted| *noted == what).count()
    }
}

/// Polls until the condition holds.
pub(crate) async fn until(mut condition: impl AsyncFnMut() -> bool) {
    for _ in 0..3000 {
        if condition().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the condition did not hold within 30 s");
}

pub(crate) async fn status(store: &dyn Store, id: &str) -> ExecutionStatus {
    store.get(&id.parse().unwrap()).await.unwrap().status
}

/// Store whose first claims and checkpoints fail.
pub(crate) struct Faulty {
    pub(crate) store: Arc<dyn Store>,
    /// Number of claims that still fail.
    pub(crate) claims: AtomicU32,
    /// Number of checkpoints that still fail.
    pub(crate) checkpoints: AtomicU32,
    pub(crate) kind: StoreErrorKind,
    /// Number of claims so far.
    pub(crate) calls: AtomicU32,
    pub(crate) queue_reads: AtomicU32,
}

impl Faulty {
    pub(crate) fn new(store: impl Store, claims: u32, checkpoints: u32) -> Self {
        Self {
            store: Arc::new(store),
            claims: claims.into(),
            checkpoints: checkpoints.into(),
            kind: StoreErrorKind::Unavailable,
            calls: AtomicU32::new(0),
            queue_reads: AtomicU32::new(0),
        }
    }

    fn fault(&self, left: &AtomicU32) -> Result<(), StoreError> {
        let one_less = |left: u32| left.checked_sub(1);
        match left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less) {
            Ok(_) => Err(StoreError::new(self.kind, "out of order")),
            Err(_) => Ok(()),
        }
    }
}

impl CheckpointStore for Faulty {
    fn load<'a>(&'a self, fence: &'a Fence, after: u64) -> BoxFuture<'a, Result<Page, StoreError>> {
        self.store.load(fence, after)
    }

    fn checkpoint<'a>(
        &'a self,
        fence: &'a Fence,
        batch: Arc<Batch>,
    ) -> BoxFuture<'a, Result<Ack, StoreError>> {
        Box::pin(async move {
            self.fault(&self.checkpoints)?;
            self.store.checkpoint(fence, batch).await
        })
    }

    fn capabilities(&self) -> Capabilities {
        self.store.capabilities()
    }
}

impl ExecutionStore for Faulty {
    forward_store!(store: start, claim, renew, get, changed, cancel);
}

impl WorkStore for Faulty {
    forward_store!(store: ready);

    fn claim_due<'a>(
        &'a self,
        filter: &'a WorkerFilter,
        request: ClaimRequest,
    ) -> BoxFuture<'a, Result<Claimed, StoreError>> {
        Box::pin(async move {
            self.calls.fetch_add(1, Ordering::SeqCst);
            self.fault(&self.claims)?;
            self.store.claim_due(filter, request).await
        })
    }
}

impl CallbackStore for Faulty {
    forward_store!(store: complete, heartbeat);
}

impl AdminStore for Faulty {
    forward_store!(store: list, counts, operation_counts, history, published, fork, change);
}

impl MessageStore for Faulty {
    forward_store!(store: send, start_with_message, messages);
}

impl QueueStore for Faulty {
    forward_store!(store: put_queue, remove_queue);

    fn queues(&self) -> BoxFuture<'_, Result<Vec<QueueState>, StoreError>> {
        self.queue_reads.fetch_add(1, Ordering::SeqCst);
        self.store.queues()
    }
}

impl ScheduleStore for Faulty {
    forward_store!(store: schedules, put_schedule, remove_schedule, fire);
}

/// Stores that keep the same promises: in memory, and on an SQLite file in a folder that lives as long as its guard.
pub(crate) async fn stores() -> Vec<(Arc<dyn Store>, Option<tempfile::TempDir>)> {
    let directory = tempfile::tempdir().unwrap();
    let sqlite = SqliteStore::open(directory.path().join("a.db"))
        .await
        .unwrap();
    vec![
        (Arc::new(MemoryStore::new()), None),
        (Arc::new(sqlite), Some(directory)),
    ]
}
