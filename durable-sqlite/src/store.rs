//! Implementation of the store traits: hands reads to the readers and writes to the writer.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use durable_core::store::{
    Ack, AdminStore, Batch, CallbackId, CallbackStore, Capabilities, Change, CheckpointStore,
    ClaimRequest, Claimed, Counts, Durability, Execution, ExecutionStore, Fence, Filter, Firing,
    Lease, Message, MessageStore, NewExecution, NewMessage, Page, Queue, QueueState, QueueStore,
    ScheduleEntry, ScheduleStore, Started, StoreError, StoreErrorKind, WorkStore, WorkerFilter,
};
use durable_core::{BoxFuture, Completion, ExecutionId, Record, Timestamp};

use crate::admin::ApplyChange;
use crate::checkpoint::Checkpoint;
use crate::claims::ClaimMany;
use crate::error::unusable;
use crate::external::{Cancel, Complete, Heartbeat};
use crate::inline::InProgress;
use crate::messages::{self, SendMessage, StartWithMessage};
use crate::open::{self, Opened};
use crate::queues;
use crate::readers::Readers;
use crate::reads;
use crate::rows::MAX_SEQ;
use crate::schedules::{Fire, PutSchedule, RemoveSchedule};
use crate::session::{Session, Token};
use crate::writer::{MAX_INLINE_COMMIT, Writer};
use crate::writes::{Claim, Fork, Renew, Start};

const CAPABILITIES: Capabilities = {
    let mut capabilities = Capabilities::unlimited(Durability::Power)
        .with_messages()
        .with_ordered_fences();
    capabilities.max_operations = Some(MAX_SEQ);
    capabilities
};

/// Store in one SQLite file. Clones share the open file.
///
/// # Guarantees
///
/// * An acknowledged checkpoint survives power loss ([`Durability::Power`]): the file is in WAL mode with
///   `synchronous = FULL`. So do starts, callbacks and messages. A claim or renewal of a lease alone is not synced:
///   power loss ends every process that could hold a lease, and what its holder acknowledges later is synced with it.
///   Only an interruption right after such a claim may remain uncounted.
///   Opening fails on a file system that does not support this.
/// * Any number of processes on one machine can open the same file, and one of them at a time runs an
///   execution.
/// * The executions of a killed process can be claimed at once. Each open store locks a file
///   `<path>-owner-<token>` next to the database, and the operating system unlocks it when the process
///   ends. If such a file is deleted by hand, other processes treat its owner as dead, and its writes
///   fail.
/// * External changes are noticed at once if they are made through this store, and within about 100 ms if
///   another process makes them. The file is polled only while a task waits for changes.
/// * Dropping the last clone finishes the queued writes and releases the leases of this store.
///
/// # Performance
///
/// Checkpoints of concurrent executions share commits, and so do concurrent starts, claims and calls of a client. A
/// lone one commits on the thread of its task, as long as commits take well under a millisecond. So does a lone read of
/// an execution with small values, as long as that takes less time than a switch to another thread.
#[derive(Clone)]
pub struct SqliteStore {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) writer: Arc<Writer>,
    readers: Arc<Readers>,
    /// Writes of clients.
    pub(crate) calls: InProgress,
    /// Whether the last claim took so many executions that the next one is likely to take many too.
    pub(crate) claims_many: AtomicBool,
    /// Runs the writer. Tests may run it themselves.
    thread: Option<JoinHandle<()>>,
}

impl Inner {
    /// Creates the parts of a store, whose writer is not running yet.
    pub(crate) fn new(opened: Opened, max_inline_commit: Duration) -> Self {
        let Opened { conn, path, owner } = opened;
        let session = Session::new(path.clone(), owner);
        Self {
            writer: Writer::new(conn, session, max_inline_commit),
            readers: Readers::new(path),
            calls: InProgress::default(),
            claims_many: AtomicBool::new(false),
            thread: None,
        }
    }
}

/// Counters of a [`SqliteStore`] since it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Stats {
    /// Transactions that wrote something.
    pub commits: u64,
    /// Commits on the thread of the calling task, which are included in `commits`.
    pub inline_commits: u64,
    /// Accepted batches.
    pub batches: u64,
    /// Loads, histories, listings and other reads.
    pub reads: u64,
}

impl SqliteStore {
    /// Opens the store in the file at `path`, and creates the file if it does not exist or is empty.
    ///
    /// The directory must exist and be on a local disk. A file from an older release is migrated.
    ///
    /// # Errors
    ///
    /// [`StoreErrorKind::Unusable`] for an invalid path, missing permissions, an unsuitable file system or a file of
    /// another program, [`StoreErrorKind::TooNew`] for a file from a newer release,
    /// [`StoreErrorKind::Corrupt`] for a damaged file, and [`StoreErrorKind::Unavailable`] while
    /// another process keeps the file locked. The file is then unchanged. Every message names the path, the
    /// problem and the solution.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let given = path.as_ref().to_owned();
        let name = given.clone();
        let opening = tokio::task::spawn_blocking(move || open::open(&name));
        let opened = opening.await.unwrap_or_else(|lost| {
            let message = format!("opening `{}` was interrupted: {lost}", given.display());
            Err(StoreError::new(StoreErrorKind::Unavailable, message))
        })?;
        Self::begin(opened)
    }

    fn begin(opened: Opened) -> Result<Self, StoreError> {
        let mut inner = Inner::new(opened, MAX_INLINE_COMMIT);
        let writer = Arc::clone(&inner.writer);
        let thread = std::thread::Builder::new()
            .name("durable-sqlite".to_owned())
            .spawn(move || writer.run())
            .map_err(|error| unusable(&inner.writer.session().path, error))?;
        inner.thread = Some(thread);
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Returns the path of the file, absolute and with symbolic links resolved.
    pub fn path(&self) -> &Path {
        &self.inner.writer.session().path
    }

    /// Returns the counters since the store was opened, for tests and benchmarks.
    pub fn stats(&self) -> Stats {
        let counters = &self.inner.writer.counters;
        Stats {
            commits: counters.commits.load(Ordering::Relaxed),
            inline_commits: counters.inline_commits.load(Ordering::Relaxed),
            batches: counters.batches.load(Ordering::Relaxed),
            reads: self.inner.readers.count(),
        }
    }
}

impl std::fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("SqliteStore").field(&self.path()).finish()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.writer.close();
        if let Some(thread) = self.thread.take() {
            // An error means that the thread panicked, and a drop cannot report that.
            let _ = thread.join();
        }
    }
}

/// Returns the token of a fence. A fence of another kind of store counts as lost.
fn token(fence: &Fence) -> Result<Token, StoreError> {
    Token::of(fence).ok_or_else(|| fence.lost())
}

impl CheckpointStore for SqliteStore {
    fn load<'a>(&'a self, fence: &'a Fence, after: u64) -> BoxFuture<'a, Result<Page, StoreError>> {
        Box::pin(async move {
            let (token, id) = (token(fence)?, fence.execution.clone());
            if after == 0
                && let Some(records) = self.inner.writer.session().take_history(token)
            {
                return Ok(Page {
                    records,
                    next: None,
                });
            }
            let read = self
                .inner
                .readers
                .read(move |conn, path| reads::records(conn, path, &id, token.key, after));
            let records = read.await?;
            Ok(Page {
                records,
                next: None,
            })
        })
    }

    fn checkpoint<'a>(
        &'a self,
        fence: &'a Fence,
        batch: Arc<Batch>,
    ) -> BoxFuture<'a, Result<Ack, StoreError>> {
        Box::pin(async move {
            CAPABILITIES.admit(&batch)?;
            let token = token(fence)?;
            self.inner.writer.session().note_write(token);
            let fence = fence.clone();
            let write = Checkpoint {
                fence,
                token,
                batch,
            };
            self.inner.checkpoint(write).await
        })
    }

    fn capabilities(&self) -> Capabilities {
        CAPABILITIES
    }
}

impl ExecutionStore for SqliteStore {
    fn start(&self, new: NewExecution) -> BoxFuture<'_, Result<Started, StoreError>> {
        Box::pin(async move {
            CAPABILITIES.admit_input(&new.input)?;
            self.inner.call(Start(new)).await
        })
    }

    fn claim<'a>(
        &'a self,
        id: &'a ExecutionId,
        now: Timestamp,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<Lease, StoreError>> {
        Box::pin(async move {
            let id = id.clone();
            let claim = Claim { id, now, ttl };
            let (lease, _) = self.inner.call(claim).await?;
            Ok(lease)
        })
    }

    fn renew<'a>(
        &'a self,
        fence: &'a Fence,
        now: Timestamp,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let (token, fence) = (token(fence)?, fence.clone());
            let renew = Renew {
                fence,
                token,
                now,
                ttl,
            };
            self.inner.writer.enqueue(renew).await
        })
    }

    fn get<'a>(&'a self, id: &'a ExecutionId) -> BoxFuture<'a, Result<Execution, StoreError>> {
        let owned = id.clone();
        Box::pin(self.inner.readers.read_row(
            move |conn, path| reads::small(conn, path, id),
            move |conn, path| Ok(reads::existing(conn, path, &owned)?.1),
        ))
    }

    fn cancel<'a>(
        &'a self,
        id: &'a ExecutionId,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        let id = id.clone();
        Box::pin(self.inner.writer.enqueue(Cancel { id, now }))
    }

    fn changed<'a>(
        &'a self,
        id: &'a ExecutionId,
        seen: u64,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            // Before the number is read, so that no change is missed in between.
            let mut subscription = self.inner.writer.subscribe(id);
            let owned = id.clone();
            let read = self.inner.readers.read_row(
                |conn, path| reads::changes(conn, path, id).map(Some),
                move |conn, path| reads::changes(conn, path, &owned),
            );
            if !read.await?.is_beyond(seen) {
                subscription.more_than(seen).await;
            }
            Ok(())
        })
    }
}

impl WorkStore for SqliteStore {
    fn claim_due<'a>(
        &'a self,
        filter: &'a WorkerFilter,
        request: ClaimRequest,
    ) -> BoxFuture<'a, Result<Claimed, StoreError>> {
        let worker = filter.clone();
        Box::pin(async move {
            let claim = ClaimMany { worker, request };
            Ok(self.inner.claim_due(claim).await?.claimed)
        })
    }

    fn ready(&self, seen: u64) -> BoxFuture<'_, Result<u64, StoreError>> {
        Box::pin(async move { Ok(self.inner.writer.subscribe_to_due().newer_than(seen).await) })
    }
}

impl CallbackStore for SqliteStore {
    fn complete<'a>(
        &'a self,
        callback: &'a CallbackId,
        outcome: Completion,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            CAPABILITIES.admit_completion(&outcome)?;
            let complete = Complete {
                callback: callback.clone(),
                outcome,
                now,
            };
            self.inner.call(complete).await
        })
    }

    fn heartbeat<'a>(
        &'a self,
        callback: &'a CallbackId,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        let callback = callback.clone();
        Box::pin(self.inner.writer.enqueue(Heartbeat { callback, now }))
    }
}

impl MessageStore for SqliteStore {
    fn send<'a>(
        &'a self,
        to: &'a ExecutionId,
        message: NewMessage,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            CAPABILITIES.admit_input(&message.payload)?;
            let to = to.clone();
            self.inner.call(SendMessage { to, message, now }).await
        })
    }

    fn start_with_message(
        &self,
        new: NewExecution,
        message: NewMessage,
    ) -> BoxFuture<'_, Result<Started, StoreError>> {
        Box::pin(async move {
            CAPABILITIES.admit_input(&new.input)?;
            CAPABILITIES.admit_input(&message.payload)?;
            let start = StartWithMessage { new, message };
            self.inner.call(start).await
        })
    }

    fn messages<'a>(
        &'a self,
        id: &'a ExecutionId,
    ) -> BoxFuture<'a, Result<Vec<Message>, StoreError>> {
        let id = id.clone();
        let read = move |conn: &_, path: &_| messages::all(conn, path, &id);
        Box::pin(self.inner.readers.read(read))
    }
}

impl AdminStore for SqliteStore {
    fn list(&self, filter: Filter) -> BoxFuture<'_, Result<Vec<Execution>, StoreError>> {
        let find = move |conn: &_, path: &_| reads::list(conn, path, &filter);
        Box::pin(self.inner.readers.read(find))
    }

    fn counts(&self, limit: usize) -> BoxFuture<'_, Result<Counts, StoreError>> {
        let count = move |conn: &_, path: &_| reads::counts(conn, path, limit);
        Box::pin(self.inner.readers.read(count))
    }

    fn operation_counts<'a>(
        &'a self,
        ids: &'a [ExecutionId],
    ) -> BoxFuture<'a, Result<Vec<u64>, StoreError>> {
        let ids = ids.to_vec();
        let count = move |conn: &_, _: &_| reads::operation_counts(conn, &ids);
        Box::pin(self.inner.readers.read(count))
    }

    fn history<'a>(
        &'a self,
        id: &'a ExecutionId,
    ) -> BoxFuture<'a, Result<Vec<Record>, StoreError>> {
        let id = id.clone();
        let find = move |conn: &_, path: &_| reads::history(conn, path, &id);
        Box::pin(self.inner.readers.read(find))
    }

    fn published<'a>(
        &'a self,
        id: &'a ExecutionId,
    ) -> BoxFuture<'a, Result<Vec<Record>, StoreError>> {
        let id = id.clone();
        let find = move |conn: &_, path: &_| reads::published(conn, path, &id);
        Box::pin(self.inner.readers.read(find))
    }

    fn fork(
        &self,
        new: NewExecution,
        records: Vec<Record>,
    ) -> BoxFuture<'_, Result<Started, StoreError>> {
        Box::pin(self.inner.writer.enqueue(Fork { new, records }))
    }

    fn change<'a>(
        &'a self,
        id: &'a ExecutionId,
        change: Change,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        let id = id.clone();
        Box::pin(self.inner.writer.enqueue(ApplyChange { id, change, now }))
    }
}

impl QueueStore for SqliteStore {
    fn queues(&self) -> BoxFuture<'_, Result<Vec<QueueState>, StoreError>> {
        let find = |conn: &_, _: &_| queues::states(conn);
        Box::pin(self.inner.readers.read(find))
    }

    fn put_queue(&self, queue: Queue) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.inner.writer.enqueue(queues::Put(queue)))
    }

    fn remove_queue<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(self.inner.writer.enqueue(queues::Remove(name.to_owned())))
    }
}

impl ScheduleStore for SqliteStore {
    fn schedules(
        &self,
        due_by: Option<Timestamp>,
    ) -> BoxFuture<'_, Result<Vec<ScheduleEntry>, StoreError>> {
        let find = move |conn: &_, path: &_| reads::schedules(conn, path, due_by);
        Box::pin(self.inner.readers.read(find))
    }

    fn put_schedule(&self, schedule: ScheduleEntry) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            CAPABILITIES.admit_input(&schedule.input)?;
            self.inner.writer.enqueue(PutSchedule(schedule)).await
        })
    }

    fn remove_schedule<'a>(
        &'a self,
        name: &'a ExecutionId,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(self.inner.writer.enqueue(RemoveSchedule(name.clone())))
    }

    fn fire(&self, firing: Firing) -> BoxFuture<'_, Result<bool, StoreError>> {
        Box::pin(self.inner.writer.enqueue(Fire(firing)))
    }
}
