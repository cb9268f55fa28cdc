//! Store that counts calls and crashes, clock that skips waits, and log of side effects.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use durable::store::*;
use durable::{BoxFuture, Clock, Kind, Record, Status, Timestamp};
use tokio::sync::Notify;
use tokio::time::Instant;

/// Clock that follows tokio's clock, which a paused test advances whenever all tasks are idle.
pub(crate) struct TokioClock(Instant);

impl TokioClock {
    pub(crate) fn shared() -> Arc<dyn Clock> {
        Arc::new(Self(Instant::now()))
    }
}

impl Clock for TokioClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_800_000_000_000).after(self.0.elapsed())
    }

    fn sleep(&self, delay: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(delay))
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

    /// Returns the log and clears it.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }

    pub(crate) fn count(&self, what: &str) -> usize {
        self.all().iter().filter(|noted| *noted == what).count()
    }
}

/// Point at which a process dies. Its checkpoints are counted from 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Crash {
    Never,
    /// Before this checkpoint reaches the store.
    Before(u64),
    /// After the store has written this checkpoint, but before the process knows.
    After(u64),
}

/// Store handle that counts its calls and can die with its process.
pub(crate) struct Probe {
    store: Arc<dyn Store>,
    crash: Crash,
    crashed: Arc<Notify>,
    /// Delay of each checkpoint.
    slow: Duration,
    /// Whether loads leave out the operations in finished scopes with a value, and the names of codecs.
    forgets: bool,
    pub(crate) loads: AtomicU64,
    pub(crate) checkpoints: AtomicU64,
    /// Checkpoints that only contain STARTs.
    pub(crate) lone_starts: AtomicU64,
    pub(crate) records: AtomicU64,
    /// Written batches, in order.
    pub(crate) batches: Mutex<Vec<Arc<Batch>>>,
    /// Hook that runs right before a checkpoint reaches the store, to simulate concurrent changes.
    pub(crate) meanwhile: Mutex<Option<Meanwhile>>,
}

pub(crate) type Meanwhile = Box<dyn Fn(&Batch) + Send>;

impl Probe {
    pub(crate) fn new(store: Arc<dyn Store>, crash: Crash) -> Arc<Self> {
        Self::build(store, crash, Duration::ZERO)
    }

    /// Creates a probe with a delay for each checkpoint.
    pub(crate) fn slow(store: Arc<dyn Store>, slow: Duration) -> Arc<Self> {
        Self::build(store, Crash::Never, slow)
    }

    /// Creates a probe without [`Capabilities::keeps_children`].
    pub(crate) fn forgetful(store: Arc<dyn Store>) -> Arc<Self> {
        Self::forgetful_until(store, Crash::Never)
    }

    pub(crate) fn forgetful_until(store: Arc<dyn Store>, crash: Crash) -> Arc<Self> {
        let mut probe = Self::build(store, crash, Duration::ZERO);
        if let Some(probe) = Arc::get_mut(&mut probe) {
            probe.forgets = true;
        }
        probe
    }

    fn build(store: Arc<dyn Store>, crash: Crash, slow: Duration) -> Arc<Self> {
        Arc::new(Self {
            store,
            crash,
            slow,
            forgets: false,
            crashed: Arc::default(),
            loads: AtomicU64::new(0),
            checkpoints: AtomicU64::new(0),
            lone_starts: AtomicU64::new(0),
            records: AtomicU64::new(0),
            batches: Mutex::default(),
            meanwhile: Mutex::default(),
        })
    }

    /// Runs `work` to its end. Returns `None` if the process dies before.
    pub(crate) async fn survive<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.crashed.notified() => None,
            answer = work => Some(answer),
        }
    }

    async fn die<T>(&self) -> T {
        self.crashed.notify_one();
        std::future::pending().await
    }
}

impl CheckpointStore for Probe {
    fn load<'a>(&'a self, fence: &'a Fence, after: u64) -> BoxFuture<'a, Result<Page, StoreError>> {
        self.loads.fetch_add(1, Ordering::SeqCst);
        Box::pin(async move {
            let mut page = self.store.load(fence, after).await?;
            if self.forgets {
                forget(&mut page.records);
            }
            Ok(page)
        })
    }

    fn checkpoint<'a>(
        &'a self,
        fence: &'a Fence,
        batch: Arc<Batch>,
    ) -> BoxFuture<'a, Result<Ack, StoreError>> {
        Box::pin(async move {
            let number = self.checkpoints.fetch_add(1, Ordering::SeqCst) + 1;
            if self.crash == Crash::Before(number) {
                return self.die().await;
            }
            let starts = |r: &Record| r.status == Status::Started && r.due_at.is_none();
            if batch.execution.is_none() && batch.records.iter().all(starts) {
                self.lone_starts.fetch_add(1, Ordering::SeqCst);
            }
            if let Some(meanwhile) = &*self.meanwhile.lock().unwrap() {
                meanwhile(&batch);
            }
            self.batches.lock().unwrap().push(Arc::clone(&batch));
            self.records
                .fetch_add(batch.records.len() as u64, Ordering::SeqCst);
            if !self.slow.is_zero() {
                tokio::time::sleep(self.slow).await;
            }
            let ack = self.store.checkpoint(fence, batch).await;
            if self.crash == Crash::After(number) {
                return self.die().await;
            }
            ack
        })
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = self.store.capabilities();
        capabilities.keeps_children &= !self.forgets;
        capabilities
    }
}

impl ExecutionStore for Probe {
    forward_store!(store: start, claim, renew, get, changed, cancel);
}

impl WorkStore for Probe {
    forward_store!(store: claim_due, ready);
}

impl CallbackStore for Probe {
    forward_store!(store: complete, heartbeat);
}

impl AdminStore for Probe {
    forward_store!(store: list, counts, operation_counts, history, published, fork, change);
}

impl MessageStore for Probe {
    forward_store!(store: send, start_with_message, messages);
}

impl QueueStore for Probe {
    forward_store!(store: queues, put_queue, remove_queue);
}

impl ScheduleStore for Probe {
    forward_store!(store: schedules, put_schedule, remove_schedule, fire);
}

/// Removes the operations in finished scopes, unless a replay rebuilds the scope's value from them.
fn forget(records: &mut Vec<Record>) {
    let mut closed = HashSet::new();
    records.retain_mut(|record| {
        let codec = record.payload.as_ref().map(|payload| &*payload.codec);
        let rebuilt = codec.is_none() || codec == Some("batch-summary");
        let keeps = match record.status {
            Status::Succeeded => rebuilt || record.kind == Kind::Race,
            status => !status.is_terminal(),
        };
        let hidden = closed.contains(&record.parent);
        if record.kind.is_scope() && (hidden || !keeps) {
            closed.insert(record.id);
        }
        if let Some(payload) = record.payload.as_mut().filter(|_| !rebuilt) {
            payload.codec = "".into();
        }
        !hidden
    });
}

/// Returns the handle of a new process on a store in memory. When it is dropped, its leases end like those of a dead
/// process.
pub(crate) fn process(memory: &MemoryStore, crash: Crash) -> Arc<Probe> {
    Probe::new(Arc::new(memory.clone()), crash)
}
