//! Group commit: one thread commits whatever was queued while the last commit was in flight.
//!
//! A lone writer gains nothing from another thread and would pay for the hand-over, so it commits
//! on its own. It only ever *tries* for the connection and gives way to a queue, so it neither
//! waits for the writer thread nor overtakes what was handed to it before.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use durable_core::ExecutionId;
use durable_core::store::{StoreError, StoreErrorKind};
use rusqlite::Connection;
use tokio::sync::{oneshot, watch};

use crate::error::{Fault, describe, gone};
use crate::news::Listening;
use crate::open::BUSY;
use crate::session::{Session, Write};

/// A task may be held up this long by a commit of its own; slower disks get the writer thread.
const QUICK: Duration = Duration::from_millis(1);

pub(crate) struct Writer {
    session: Session,
    conn: Mutex<Connection>,
    queue: Mutex<Queue>,
    filled: Condvar,
    /// How long commits took lately, in nanoseconds: a moving average.
    pace: AtomicU64,
    pub(crate) counters: Counters,
}

#[derive(Default)]
struct Queue {
    jobs: Vec<Box<dyn Queued>>,
    closed: bool,
    /// Whether the writer thread sleeps until it is called.
    asleep: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) commits: AtomicU64,
    pub(crate) inline_commits: AtomicU64,
    pub(crate) batches: AtomicU64,
}

/// What became of a transaction.
enum Failure {
    /// The file is not where it was opened.
    Gone,
    /// It could not begin: nothing in it is to blame.
    Begin(rusqlite::Error),
    /// It began, and was rolled back.
    Work(rusqlite::Error),
}

impl Failure {
    fn at(&self, path: &Path) -> StoreError {
        match self {
            Self::Gone => gone(path),
            Self::Begin(error) | Self::Work(error) => describe(error, path),
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Writer {
    pub(crate) fn new(conn: Connection, session: Session) -> Arc<Self> {
        Arc::new(Self {
            session,
            conn: Mutex::new(conn),
            queue: Mutex::default(),
            filled: Condvar::new(),
            pace: AtomicU64::new(0),
            counters: Counters::default(),
        })
    }

    pub(crate) fn session(&self) -> &Session {
        &self.session
    }

    /// Hands `write` to the writer thread and waits until it is committed.
    pub(crate) async fn enqueue<W: Write>(&self, write: W) -> Result<W::Answer, StoreError> {
        let (reply, answer) = oneshot::channel();
        let job = Job {
            write,
            outcome: None,
            reply,
        };
        {
            let mut queue = locked(&self.queue);
            if queue.closed {
                return Err(self.stopped());
            }
            queue.jobs.push(Box::new(job));
        }
        self.filled.notify_one();
        answer.await.unwrap_or_else(|_| Err(self.stopped()))
    }

    /// Waits for changes of an execution from outside, and sees to it that they are looked for.
    pub(crate) fn listen(&self, id: &ExecutionId) -> Listening<'_> {
        let listening = self.session.news.listen(id);
        if locked(&self.queue).asleep {
            self.filled.notify_one();
        }
        listening
    }

    /// Waits for something to become due, and sees to it that other processes are looked after.
    pub(crate) fn listen_for_work(&self) -> watch::Receiver<u64> {
        let listening = self.session.news.listen_for_work();
        if locked(&self.queue).asleep {
            self.filled.notify_one();
        }
        listening
    }

    /// Commits `write` at once on this thread, or gives it back where that could take long.
    pub(crate) fn inline<W: Write>(&self, write: W) -> Result<Result<W::Answer, StoreError>, W> {
        if self.pace.load(Ordering::Relaxed) > QUICK.as_nanos() as u64 {
            return Err(write);
        }
        let Ok(conn) = self.conn.try_lock() else {
            return Err(write);
        };
        if !locked(&self.queue).jobs.is_empty() {
            return Err(write);
        }
        let mut outcome = None;
        let done = self.transaction(&conn, Duration::ZERO, || {
            outcome = Some(split(write.run(&conn, &self.session))?);
            Ok(())
        });
        match (done, outcome) {
            (Ok(written), Some(outcome)) => {
                write.settled(&outcome, &self.session);
                self.session.news.tell();
                self.count(&self.counters.inline_commits, u64::from(written));
                self.count(
                    &self.counters.batches,
                    u64::from(W::IS_BATCH && outcome.is_ok()),
                );
                Ok(outcome)
            }
            (Err(Failure::Work(error)), _) => Ok(Err(describe(&error, &self.session.path))),
            // Another process writes: waiting for it is the writer thread's part.
            _ => Err(write),
        }
    }

    /// Commits what is queued until the store is closed. The body of the writer thread.
    pub(crate) fn run(&self) {
        while self.wait() {
            let conn = locked(&self.conn);
            // Taken with the connection in hand, so that nothing gets in between.
            let mut jobs = std::mem::take(&mut locked(&self.queue).jobs);
            jobs.retain(|job| !job.is_abandoned());
            self.settle(&conn, jobs);
            if self.session.news.next_look() == Some(Duration::ZERO) {
                self.session.news.look(&conn);
            }
        }
    }

    /// Waits until there is something to do. Whether there is, or ever will be.
    fn wait(&self) -> bool {
        let mut queue = locked(&self.queue);
        loop {
            if !queue.jobs.is_empty() {
                return true;
            }
            if queue.closed {
                return false;
            }
            queue = match self.session.news.next_look() {
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

    /// Commits what is queued, then ends the writer thread.
    pub(crate) fn close(&self) {
        locked(&self.queue).closed = true;
        self.filled.notify_one();
    }

    /// Commits all jobs in one transaction. If one of them fails, each gets its own.
    fn settle(&self, conn: &Connection, mut jobs: Vec<Box<dyn Queued>>) {
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

    fn commit(&self, conn: &Connection, jobs: &mut [Box<dyn Queued>]) -> Result<(), Failure> {
        self.transaction(conn, BUSY, || {
            jobs.iter_mut()
                .try_for_each(|job| job.run(conn, &self.session))
        })?;
        jobs.iter().for_each(|job| job.settled(&self.session));
        self.session.news.tell();
        let batches = jobs.iter().filter(|job| job.is_batch()).count();
        self.count(&self.counters.batches, batches as u64);
        Ok(())
    }

    /// Runs `work` within a transaction. Whether there was anything to commit.
    fn transaction(
        &self,
        conn: &Connection,
        patience: Duration,
        work: impl FnOnce() -> rusqlite::Result<()>,
    ) -> Result<bool, Failure> {
        let begun = Instant::now();
        let changes = conn.total_changes();
        if !self.session.is_in_place() {
            return Err(Failure::Gone);
        }
        self.begin(conn, patience).map_err(Failure::Begin)?;
        let done = work().and_then(|()| conn.prepare_cached("COMMIT")?.execute([]));
        if let Err(error) = done {
            self.session.news.forget();
            self.roll_back(conn);
            return Err(Failure::Work(error));
        }
        let written = conn.total_changes() != changes;
        if written {
            self.count(&self.counters.commits, 1);
            self.keep_pace(begun.elapsed());
        }
        Ok(written)
    }

    fn begin(&self, conn: &Connection, patience: Duration) -> rusqlite::Result<()> {
        if !conn.is_autocommit() {
            self.roll_back(conn);
        }
        conn.busy_timeout(patience)?;
        conn.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        Ok(())
    }

    /// SQLite has often rolled back by itself by then.
    fn roll_back(&self, conn: &Connection) {
        if conn.is_autocommit() {
            return;
        }
        if let Err(error) = conn.execute_batch("ROLLBACK") {
            tracing::warn!(path = %self.session.path.display(), %error, "a transaction cannot be rolled back");
        }
    }

    fn keep_pace(&self, took: Duration) {
        let took = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let before = self.pace.load(Ordering::Relaxed);
        let pace = before - before / 8 + took / 8;
        self.pace.store(pace, Ordering::Relaxed);
    }

    fn count(&self, counter: &AtomicU64, by: u64) {
        counter.fetch_add(by, Ordering::Relaxed);
    }

    fn stopped(&self) -> StoreError {
        let message = format!("the store `{}` is closed", self.session.path.display());
        StoreError::new(StoreErrorKind::Unavailable, message)
    }
}

/// A refusal is an answer and disturbs no one else; only a failure of SQLite's spoils the transaction.
fn split<T>(done: Result<T, Fault>) -> rusqlite::Result<Result<T, StoreError>> {
    match done {
        Ok(answer) => Ok(Ok(answer)),
        Err(Fault::Refused(error)) => Ok(Err(error)),
        Err(Fault::Sql(error)) => Err(error),
    }
}

/// A [`Job`] of any kind.
trait Queued: Send {
    fn run(&mut self, conn: &Connection, session: &Session) -> rusqlite::Result<()>;
    fn settled(&self, session: &Session);
    fn is_batch(&self) -> bool;
    fn is_abandoned(&self) -> bool;
    fn answer(self: Box<Self>, failed: Option<StoreError>);
}

struct Job<W: Write> {
    write: W,
    /// Known once run, true once committed.
    outcome: Option<Result<W::Answer, StoreError>>,
    reply: oneshot::Sender<Result<W::Answer, StoreError>>,
}

impl<W: Write> Queued for Job<W> {
    fn run(&mut self, conn: &Connection, session: &Session) -> rusqlite::Result<()> {
        self.outcome = Some(split(self.write.run(conn, session))?);
        Ok(())
    }

    fn settled(&self, session: &Session) {
        if let Some(outcome) = &self.outcome {
            self.write.settled(outcome, session);
        }
    }

    fn is_batch(&self) -> bool {
        W::IS_BATCH && matches!(self.outcome, Some(Ok(_)))
    }

    fn is_abandoned(&self) -> bool {
        self.reply.is_closed()
    }

    fn answer(self: Box<Self>, failed: Option<StoreError>) {
        let answer = match (failed, self.outcome) {
            (Some(error), _) => Err(error),
            (None, Some(outcome)) => outcome,
            (None, None) => return,
        };
        // Whoever no longer waits will see what was committed when reading.
        let _ = self.reply.send(answer);
    }
}
