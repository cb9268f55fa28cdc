//! Group commit: one thread commits everything that was queued while the last commit was in flight.
//!
//! A single execution gains nothing from another thread and would pay for the hand-over, so it commits
//! inline, on the thread of its task. An inline commit only *tries* to lock the connection and yields
//! to queued jobs: it neither waits for the writer thread nor overtakes earlier jobs.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use durable_core::ExecutionId;
use durable_core::store::notifier::{DueSubscription, Subscription};
use durable_core::store::{StoreError, StoreErrorKind};
use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::error::{describe, replaced};
use crate::job::{Job, QueuedJob, split_refusal};
use crate::log;
use crate::open::BUSY_TIMEOUT;
use crate::pace::Pace;
use crate::session::{Session, Write};

/// Longest average commit that may block the thread of a task. On slower disks the writer thread
/// commits.
pub(crate) const MAX_INLINE_COMMIT: Duration = Duration::from_millis(1);

/// Commits after which the log is preallocated: a process that makes only a few does not need that.
const COMMITS_BEFORE_PREALLOCATION: u64 = 32;

/// Connection for writing, shared by the writer thread and inline commits.
pub(crate) struct Writer {
    session: Session,
    conn: Mutex<Connection>,
    /// Whether the connection syncs the log with each commit. Only changed while it is locked.
    syncs: AtomicBool,
    queue: Mutex<Queue>,
    filled: Condvar,
    /// Time that a synced commit takes.
    pace: Pace,
    pub(crate) counters: Counters,
}

#[derive(Default)]
struct Queue {
    jobs: Vec<Box<dyn QueuedJob>>,
    closed: bool,
    /// Whether the writer thread sleeps without a timeout.
    asleep: bool,
    /// Whether the log is to be preallocated.
    preallocate: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) commits: AtomicU64,
    pub(crate) inline_commits: AtomicU64,
    pub(crate) batches: AtomicU64,
}

/// Reason why a transaction failed.
enum Failure {
    /// The file was deleted or replaced.
    Replaced,
    /// The transaction could not begin; none of its jobs caused that.
    Begin(rusqlite::Error),
    /// One of its jobs or the commit failed, and it was rolled back.
    Work(rusqlite::Error),
}

impl Failure {
    fn at(&self, path: &Path) -> StoreError {
        match self {
            Self::Replaced => replaced(path),
            Self::Begin(error) | Self::Work(error) => describe(error, path),
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Writer {
    /// Creates a writer that commits inline as long as a commit takes at most `max_inline_commit` on average.
    pub(crate) fn new(
        conn: Connection,
        session: Session,
        max_inline_commit: Duration,
    ) -> Arc<Self> {
        Arc::new(Self {
            session,
            conn: Mutex::new(conn),
            syncs: AtomicBool::new(true),
            queue: Mutex::default(),
            filled: Condvar::new(),
            pace: Pace::new(max_inline_commit),
            counters: Counters::default(),
        })
    }

    pub(crate) fn session(&self) -> &Session {
        &self.session
    }

    /// Hands `write` to the writer thread and waits until it is committed.
    pub(crate) async fn enqueue<W: Write>(&self, write: W) -> Result<W::Answer, StoreError> {
        let (reply, answer) = oneshot::channel();
        let job = Job::new(write, reply);
        {
            let mut queue = locked(&self.queue);
            if queue.closed {
                return Err(self.closed());
            }
            queue.jobs.push(Box::new(job));
        }
        self.filled.notify_one();
        answer.await.unwrap_or_else(|_| Err(self.closed()))
    }

    /// Subscribes to external changes of an execution, and wakes the writer thread to poll for those of
    /// other processes.
    pub(crate) fn subscribe(&self, id: &ExecutionId) -> Subscription<'_> {
        let subscription = self.session.notifier.subscribe(id);
        self.wake_to_poll();
        subscription
    }

    /// Subscribes to executions that become due, and wakes the writer thread to poll for those of other
    /// processes.
    pub(crate) fn subscribe_to_due(&self) -> DueSubscription {
        let due = self.session.notifier.subscribe_to_due();
        self.wake_to_poll();
        due
    }

    /// Wakes the writer thread if it sleeps without a timeout, so that it starts to poll.
    fn wake_to_poll(&self) {
        if locked(&self.queue).asleep {
            self.filled.notify_one();
        }
    }

    /// Commits `write` on this thread, or returns it as an error if that could block for long.
    pub(crate) fn inline<W: Write>(&self, write: W) -> Result<Result<W::Answer, StoreError>, W> {
        if !self.pace.is_quick() {
            return Err(write);
        }
        let Ok(conn) = self.conn.try_lock() else {
            return Err(write);
        };
        if !locked(&self.queue).jobs.is_empty() {
            return Err(write);
        }
        let mut outcome = None;
        let done = self.transaction(&conn, Duration::ZERO, write.must_sync(), || {
            outcome = Some(split_refusal(write.run(&conn, &self.session))?);
            Ok(())
        });
        match (done, outcome) {
            (Ok(written), Some(mut outcome)) => {
                write.settled(&mut outcome, &self.session);
                self.session.notifier.publish();
                self.count(&self.counters.inline_commits, u64::from(written));
                self.count(
                    &self.counters.batches,
                    u64::from(W::IS_BATCH && outcome.is_ok()),
                );
                Ok(outcome)
            }
            (Err(Failure::Work(error)), _) => Ok(Err(describe(&error, &self.session.path))),
            // Another process holds the lock: let the writer thread wait for it.
            _ => Err(write),
        }
    }

    /// Commits queued jobs until the store is closed. Runs on the writer thread.
    pub(crate) fn run(&self) {
        while self.wait_for_work() {
            self.work();
        }
    }

    /// Commits the queued jobs, and does whatever else is due.
    pub(crate) fn work(&self) {
        let conn = locked(&self.conn);
        // Taken after the connection was locked, so that no inline commit overtakes these jobs.
        let mut jobs = std::mem::take(&mut locked(&self.queue).jobs);
        jobs.retain(|job| !job.is_abandoned());
        if !jobs.is_empty() {
            self.settle(&conn, jobs);
        }
        if std::mem::take(&mut locked(&self.queue).preallocate) {
            self.preallocate(&conn);
        }
        if self.session.notifier.next_poll() == Some(Duration::ZERO) {
            self.session.notifier.poll(&conn);
        }
    }

    /// Waits for a job or a due poll. Returns false once the store is closed and no jobs are left.
    fn wait_for_work(&self) -> bool {
        let mut queue = locked(&self.queue);
        loop {
            if !queue.jobs.is_empty() || queue.preallocate {
                return true;
            }
            if queue.closed {
                return false;
            }
            queue = match self.session.notifier.next_poll() {
                Some(Duration::ZERO) => return true,
                Some(pause) => {
                    let woken = self.filled.wait_timeout(queue, pause);
                    woken.unwrap_or_else(PoisonError::into_inner).0
                }
                None => {
                    queue.asleep = true;
                    let woken = self.filled.wait(queue);
                    let mut queue = woken.unwrap_or_else(PoisonError::into_inner);
                    queue.asleep = false;
                    queue
                }
            };
        }
    }

    /// Ends the writer thread once it has committed the queued jobs.
    pub(crate) fn close(&self) {
        locked(&self.queue).closed = true;
        self.filled.notify_one();
    }

    /// Commits all jobs in one transaction and answers them. If that fails, gives each its own
    /// transaction.
    fn settle(&self, conn: &Connection, mut jobs: Vec<Box<dyn QueuedJob>>) {
        match self.commit(conn, &mut jobs) {
            Ok(()) => jobs.into_iter().for_each(|job| job.answer(None)),
            Err(Failure::Work(_)) if jobs.len() > 1 => {
                for job in jobs {
                    self.settle(conn, vec![job]);
                }
            }
            Err(failure) => {
                for job in jobs {
                    job.answer(Some(failure.at(&self.session.path)));
                }
            }
        }
    }

    fn commit(&self, conn: &Connection, jobs: &mut [Box<dyn QueuedJob>]) -> Result<(), Failure> {
        let sync = jobs.iter().any(|job| job.must_sync());
        self.transaction(conn, BUSY_TIMEOUT, sync, || {
            jobs.iter_mut()
                .try_for_each(|job| job.run(conn, &self.session))
        })?;
        jobs.iter_mut().for_each(|job| job.settled(&self.session));
        self.session.notifier.publish();
        let batches = jobs.iter().filter(|job| job.is_batch()).count();
        self.count(&self.counters.batches, batches as u64);
        Ok(())
    }

    /// Runs `work` within a transaction, which survives power loss if `sync` is true. Returns whether it wrote anything.
    fn transaction(
        &self,
        conn: &Connection,
        busy_timeout: Duration,
        sync: bool,
        work: impl FnOnce() -> rusqlite::Result<()>,
    ) -> Result<bool, Failure> {
        let begun = Instant::now();
        let changes = conn.total_changes();
        if !self.session.is_in_place() {
            return Err(Failure::Replaced);
        }
        self.begin(conn, busy_timeout, sync)
            .map_err(Failure::Begin)?;
        let done = work().and_then(|()| conn.prepare_cached("COMMIT")?.execute([]));
        if let Err(error) = done {
            self.session.notifier.discard();
            self.roll_back(conn);
            return Err(Failure::Work(error));
        }
        let written = conn.total_changes() != changes;
        if written {
            if sync {
                self.pace.record(begun.elapsed());
            }
            let before = self.counters.commits.fetch_add(1, Ordering::Relaxed);
            if before + 1 == COMMITS_BEFORE_PREALLOCATION {
                locked(&self.queue).preallocate = true;
                self.filled.notify_one();
            }
        }
        Ok(written)
    }

    /// Preallocates the log, within a transaction that keeps other writers away from it.
    fn preallocate(&self, conn: &Connection) {
        let path = &self.session.path;
        let failed = |error: &dyn std::fmt::Display| {
            tracing::debug!(path = %path.display(), %error, "cannot preallocate the log");
        };
        let done = self.transaction(conn, BUSY_TIMEOUT, true, || {
            log::preallocate(path).unwrap_or_else(|error| failed(&error));
            Ok(())
        });
        if let Err(failure) = done {
            failed(&failure.at(path));
        }
    }

    fn begin(&self, conn: &Connection, busy_timeout: Duration, sync: bool) -> rusqlite::Result<()> {
        if !conn.is_autocommit() {
            self.roll_back(conn);
        }
        if self.syncs.load(Ordering::Relaxed) != sync {
            let level = if sync { "FULL" } else { "NORMAL" };
            conn.pragma_update(None, "synchronous", level)?;
            self.syncs.store(sync, Ordering::Relaxed);
        }
        conn.busy_timeout(busy_timeout)?;
        conn.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        Ok(())
    }

    /// Rolls back, unless SQLite has already done so.
    fn roll_back(&self, conn: &Connection) {
        if conn.is_autocommit() {
            return;
        }
        if let Err(error) = conn.execute_batch("ROLLBACK") {
            tracing::warn!(path = %self.session.path.display(), %error, "cannot roll back a transaction");
        }
    }

    fn count(&self, counter: &AtomicU64, by: u64) {
        counter.fetch_add(by, Ordering::Relaxed);
    }

    fn closed(&self) -> StoreError {
        let message = format!("the store `{}` is closed", self.session.path.display());
        StoreError::new(StoreErrorKind::Unavailable, message)
    }
}

#[cfg(test)]
mod tests;
