//! Implementation of the store traits: hands checkpoints to the writer and runs everything else in the pool.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use durable_core::store::{
    Ack, AdminStore, Batch, CallbackId, CallbackStore, Capabilities, Change, CheckpointStore,
    ClaimRequest, Claimed, Counts, Durability, Execution, ExecutionStore, Fence, Filter, Firing,
    Lease, Message, MessageStore, NewExecution, NewMessage, Page, Queue, QueueState, QueueStore,
    ScheduleEntry, ScheduleStore, Started, StoreError, StoreErrorKind, WorkStore, WorkerFilter,
};
use durable_core::{BoxFuture, Completion, ExecutionId, Record, Timestamp};
use tokio::task::AbortHandle;

use crate::admin::{ApplyChange, CountOperations, History, Published};
use crate::checkpoint::{Checkpoint, Linked, Load};
use crate::claim::{Claim, Renew, claim};
use crate::claim_due::ClaimBatch;
use crate::connection::Connector;
use crate::counts::CountAll;
use crate::database::Database;
use crate::executions::{self, Cancel, Get};
use crate::external::{Complete, Heartbeat};
use crate::listing::List;
use crate::messages;
use crate::notifier::exchange;
use crate::options::Options;
use crate::pool::Pool;
use crate::queues;
use crate::schedules;
use crate::schema;
use crate::session::{Session, Token};
use crate::start::{Fork, Start};
use crate::writer::Writer;

const fn capabilities(durability: Durability) -> Capabilities {
    let mut capabilities = Capabilities::unlimited(durability)
        .with_messages()
        .with_ordered_fences();
    capabilities.max_operations = Some(i64::MAX.cast_unsigned());
    capabilities
}

/// Store in a PostgreSQL database. Clones share their connections.
///
/// # Guarantees
///
/// * An acknowledged checkpoint survives power loss ([`Durability::Power`]), and the loss of the primary if
///   `synchronous_standby_names` is set. If `fsync` or `synchronous_commit` is off, the store reports
///   [`Durability::Process`] and logs a warning.
/// * Any number of processes on any number of machines can share the database, and one of them at a time runs an
///   execution.
/// * Leases expire by the clock of the database, so the clocks of the machines need not agree. The leases of a
///   killed process can be claimed once they have been observed as expired for half of their time to
///   live. After an outage of the database, living holders thus have time to renew their leases.
/// * A call whose connection is lost is repeated on another one for up to five seconds. The repetition detects
///   whether the first attempt was committed. After that, the call fails with [`StoreErrorKind::Unavailable`].
/// * External changes by other processes are noticed with `LISTEN`, or by polling every 250 ms if `LISTEN` is not
///   available.
///
/// # Performance
///
/// A batch is one statement, which locks the lease, compares the fence and writes. Batches of concurrent executions
/// share statements and commits. A batch that starts children, or ends an execution that has a parent or a
/// queue, takes a transaction.
#[derive(Clone)]
pub struct PostgresStore {
    inner: Arc<Inner>,
}

struct Inner {
    database: Arc<Database>,
    writer: Arc<Writer>,
    exchange: AbortHandle,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.exchange.abort();
    }
}

/// Counters of a [`PostgresStore`] since it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Stats {
    /// Statements sent, except those that begin and end transactions.
    pub statements: u64,
    /// Transactions and single statements that wrote something.
    pub commits: u64,
    /// Accepted batches.
    pub batches: u64,
    /// Loads, histories, listings and other reads.
    pub reads: u64,
    /// Failed attempts that were repeated.
    pub retries: u64,
}

impl PostgresStore {
    /// Opens the store at `url`, and creates its tables if they do not exist. [`Options`] describes the
    /// parameters of the URL.
    ///
    /// # Errors
    ///
    /// Those of [`open`](Self::open), and [`StoreErrorKind::Unusable`] for an invalid URL.
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        Self::open(url.parse()?).await
    }

    /// Opens the store with these options, and creates its tables if they do not exist. Tables of an older
    /// release are migrated.
    ///
    /// # Errors
    ///
    /// [`StoreErrorKind::Unusable`] if the server refuses the role or the role lacks a privilege,
    /// [`StoreErrorKind::TooNew`] for tables of a newer release, and [`StoreErrorKind::Unavailable`] while
    /// the server cannot be reached.
    pub async fn open(options: Options) -> Result<Self, StoreError> {
        let (size, writers) = (options.pool_size, options.writers);
        let (location, clock) = (options.to_string(), options.lease_clock);
        let connector = Arc::new(Connector::new(options)?);
        let pool = Pool::new(Arc::clone(&connector), size);
        let writes = Pool::new(Arc::clone(&connector), writers);
        let open = |durability, identity| Database {
            session: Arc::new(Session::new(
                location.clone(),
                capabilities(durability),
                identity,
                clock,
            )),
            connector: Arc::clone(&connector),
            pool: Arc::clone(&pool),
            writes: Arc::clone(&writes),
        };
        let found = schema::prepare(&open(Durability::Power, None)).await?;
        let database = Arc::new(open(found.durability, found.identity));
        let session = Arc::clone(&database.session);
        let exchange = tokio::spawn(exchange(session, connector.clone(), pool.clone()));
        Ok(Self {
            inner: Arc::new(Inner {
                writer: Writer::new(Arc::clone(&database), writers),
                database,
                exchange: exchange.abort_handle(),
            }),
        })
    }

    /// Returns the counters since the store was opened, for tests and benchmarks.
    pub fn stats(&self) -> Stats {
        let database = &self.inner.database;
        let counters = &database.session.counters;
        Stats {
            statements: database.connector.statements(),
            commits: counters.commits.load(Ordering::Relaxed),
            batches: counters.batches.load(Ordering::Relaxed),
            reads: counters.reads.load(Ordering::Relaxed),
            retries: counters.retries.load(Ordering::Relaxed),
        }
    }

    /// The connections and the state of this store.
    pub(crate) fn database(&self) -> &Arc<Database> {
        &self.inner.database
    }

    fn session(&self) -> &Session {
        &self.inner.database.session
    }

    async fn write(&self, checkpoint: Checkpoint) -> Result<Ack, StoreError> {
        let (token, ends) = (checkpoint.token, checkpoint.batch.execution.is_some());
        let id = checkpoint.fence.execution.clone();
        self.session().note_write(&id);
        let answer = match checkpoint.is_independent() {
            true => self.inner.writer.checkpoint(checkpoint).await,
            false => self.inner.database.run(Linked(checkpoint)).await,
        };
        let lost = |error: &StoreError| error.kind() == StoreErrorKind::FenceLost;
        if answer.as_ref().map_or_else(lost, |_| ends) {
            self.session().forget(&id, token);
        }
        answer
    }
}

impl std::fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PostgresStore({})", self.session().location)
    }
}

/// Returns a random number that identifies a call when it is repeated.
fn nonce() -> i64 {
    fastrand::i64(..)
}

impl CheckpointStore for PostgresStore {
    fn load<'a>(&'a self, fence: &'a Fence, after: u64) -> BoxFuture<'a, Result<Page, StoreError>> {
        Box::pin(async move {
            let token = Token::of(fence)?;
            if self.session().is_empty(&fence.execution, token) {
                return Ok(Page::default());
            }
            let fence = fence.clone();
            let load = Load {
                fence,
                token,
                after,
            };
            self.inner.database.run(load).await
        })
    }

    fn checkpoint<'a>(
        &'a self,
        fence: &'a Fence,
        batch: Arc<Batch>,
    ) -> BoxFuture<'a, Result<Ack, StoreError>> {
        Box::pin(async move {
            self.session().capabilities.admit(&batch)?;
            let token = Token::of(fence)?;
            let checkpoint = Checkpoint {
                fence: fence.clone(),
                token,
                batch,
                links: self.session().links(&fence.execution, token),
            };
            self.write(checkpoint).await
        })
    }

    fn capabilities(&self) -> Capabilities {
        self.session().capabilities
    }
}

impl ExecutionStore for PostgresStore {
    fn start(&self, new: NewExecution) -> BoxFuture<'_, Result<Started, StoreError>> {
        Box::pin(async move {
            self.session().capabilities.admit_input(&new.input)?;
            self.inner.writer.start(Execution::queued(new)).await
        })
    }

    fn claim<'a>(
        &'a self,
        id: &'a ExecutionId,
        now: Timestamp,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<Lease, StoreError>> {
        let request = Claim {
            id: id.clone(),
            now,
            ttl,
            nonce: nonce(),
        };
        Box::pin(claim(&self.inner.database, request))
    }

    fn renew<'a>(
        &'a self,
        fence: &'a Fence,
        now: Timestamp,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let renew = Renew {
                fence: fence.clone(),
                token: Token::of(fence)?,
                now,
                ttl,
            };
            self.inner.database.run(renew).await
        })
    }

    fn get<'a>(&'a self, id: &'a ExecutionId) -> BoxFuture<'a, Result<Execution, StoreError>> {
        Box::pin(self.inner.database.run(Get(id.clone())))
    }

    fn cancel<'a>(
        &'a self,
        id: &'a ExecutionId,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        let id = id.clone();
        Box::pin(self.inner.database.run(Cancel { id, now }))
    }

    fn changed<'a>(
        &'a self,
        id: &'a ExecutionId,
        seen: u64,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(executions::wait_for_changes(&self.inner.database, id, seen))
    }
}

impl WorkStore for PostgresStore {
    fn claim_due<'a>(
        &'a self,
        filter: &'a WorkerFilter,
        request: ClaimRequest,
    ) -> BoxFuture<'a, Result<Claimed, StoreError>> {
        let claim = ClaimBatch {
            filter: filter.clone(),
            request,
            nonce: nonce(),
        };
        Box::pin(self.inner.database.run(claim))
    }

    fn ready(&self, seen: u64) -> BoxFuture<'_, Result<u64, StoreError>> {
        Box::pin(async move {
            Ok(self
                .session()
                .notifier
                .subscribe_to_due()
                .newer_than(seen)
                .await)
        })
    }
}

impl CallbackStore for PostgresStore {
    fn complete<'a>(
        &'a self,
        callback: &'a CallbackId,
        outcome: Completion,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            self.session().capabilities.admit_completion(&outcome)?;
            let complete = Complete {
                callback: callback.clone(),
                outcome,
                now,
            };
            self.inner.database.run(complete).await
        })
    }

    fn heartbeat<'a>(
        &'a self,
        callback: &'a CallbackId,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        let callback = callback.clone();
        Box::pin(self.inner.database.run(Heartbeat { callback, now }))
    }
}

impl AdminStore for PostgresStore {
    fn counts(&self, limit: usize) -> BoxFuture<'_, Result<Counts, StoreError>> {
        Box::pin(self.inner.database.run(CountAll(limit)))
    }

    fn list(&self, filter: Filter) -> BoxFuture<'_, Result<Vec<Execution>, StoreError>> {
        Box::pin(self.inner.database.run(List(filter)))
    }

    fn operation_counts<'a>(
        &'a self,
        ids: &'a [ExecutionId],
    ) -> BoxFuture<'a, Result<Vec<u64>, StoreError>> {
        Box::pin(self.inner.database.run(CountOperations(ids.to_vec())))
    }

    fn history<'a>(
        &'a self,
        id: &'a ExecutionId,
    ) -> BoxFuture<'a, Result<Vec<Record>, StoreError>> {
        Box::pin(self.inner.database.run(History(id.clone())))
    }

    fn published<'a>(
        &'a self,
        id: &'a ExecutionId,
    ) -> BoxFuture<'a, Result<Vec<Record>, StoreError>> {
        Box::pin(self.inner.database.run(Published(id.clone())))
    }

    fn fork(
        &self,
        new: NewExecution,
        records: Vec<Record>,
    ) -> BoxFuture<'_, Result<Started, StoreError>> {
        Box::pin(async move {
            self.session().capabilities.admit_input(&new.input)?;
            let start = Start::new(Execution::forked(new));
            self.inner.database.run(Fork { start, records }).await
        })
    }

    fn change<'a>(
        &'a self,
        id: &'a ExecutionId,
        change: Change,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        let id = id.clone();
        Box::pin(self.inner.database.run(ApplyChange { id, change, now }))
    }
}

impl MessageStore for PostgresStore {
    fn send<'a>(
        &'a self,
        to: &'a ExecutionId,
        message: NewMessage,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            self.session().capabilities.admit_input(&message.payload)?;
            let to = to.clone();
            let send = messages::Send { to, message, now };
            self.inner.database.run(send).await
        })
    }

    fn start_with_message(
        &self,
        new: NewExecution,
        message: NewMessage,
    ) -> BoxFuture<'_, Result<Started, StoreError>> {
        Box::pin(async move {
            self.session().capabilities.admit_input(&new.input)?;
            self.session().capabilities.admit_input(&message.payload)?;
            let start = Start::new(Execution::queued(new));
            let start = messages::StartWithMessage { start, message };
            self.inner.database.run(start).await
        })
    }

    fn messages<'a>(
        &'a self,
        id: &'a ExecutionId,
    ) -> BoxFuture<'a, Result<Vec<Message>, StoreError>> {
        Box::pin(self.inner.database.run(messages::Messages(id.clone())))
    }
}

impl QueueStore for PostgresStore {
    fn queues(&self) -> BoxFuture<'_, Result<Vec<QueueState>, StoreError>> {
        Box::pin(self.inner.database.run(queues::States))
    }

    fn put_queue(&self, queue: Queue) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.inner.database.run(queues::Put(queue)))
    }

    fn remove_queue<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(self.inner.database.run(queues::Remove(name.to_owned())))
    }
}

impl ScheduleStore for PostgresStore {
    fn schedules(
        &self,
        due_by: Option<Timestamp>,
    ) -> BoxFuture<'_, Result<Vec<ScheduleEntry>, StoreError>> {
        Box::pin(self.inner.database.run(schedules::Read(due_by)))
    }

    fn put_schedule(&self, schedule: ScheduleEntry) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            self.session().capabilities.admit_input(&schedule.input)?;
            self.inner.database.run(schedules::Put(schedule)).await
        })
    }

    fn remove_schedule<'a>(
        &'a self,
        name: &'a ExecutionId,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(self.inner.database.run(schedules::Remove(name.clone())))
    }

    fn fire(&self, firing: Firing) -> BoxFuture<'_, Result<bool, StoreError>> {
        Box::pin(self.inner.database.run(schedules::Fire(firing)))
    }
}
