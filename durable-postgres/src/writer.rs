//! Group commit: jobs that are queued while a commit is in flight share the next one.
//!
//! There is a slot for every writing connection. A caller that finds a free slot takes all queued
//! jobs and writes them, on its own task if the only job is its own, as a handover would take
//! longer. Before that it lets the tasks run that are ready. No job waits for others to arrive:
//! groups form under load.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use durable_core::Record;
use durable_core::store::{Ack, Execution, Started, StoreError, StoreErrorKind};
use tokio::sync::oneshot;

use crate::checkpoint::{Checkpoint, write_group};
use crate::connection::Conn;
use crate::database::{Database, Retries};
use crate::error::Fault;
use crate::notifier::Events;
use crate::session::Counters;
use crate::start::{Start, start_group};

/// Bytes of values in one group, at most, unless a single batch has more.
const MAX_BYTES: usize = 16 << 20;
/// Batches in one group, at most.
const MAX_JOBS: usize = 500;

pub(crate) struct Writer {
    database: Arc<Database>,
    queue: Mutex<Queue>,
}

struct Queue {
    jobs: VecDeque<Job>,
    /// Number of free slots.
    free: usize,
}

type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

enum Job {
    Checkpoint(Checkpoint, Reply<Ack>),
    Start(Box<Start>, Reply<Started>),
}

impl Job {
    fn size(&self) -> usize {
        match self {
            Self::Checkpoint(one, _) => one.batch.records.iter().map(Record::size).sum(),
            Self::Start(start, _) => start.execution.input.len(),
        }
    }

    fn is_abandoned(&self) -> bool {
        match self {
            Self::Checkpoint(_, reply) => reply.is_closed(),
            Self::Start(_, reply) => reply.is_closed(),
        }
    }

    fn fail(self, error: &StoreError) {
        let copy = StoreError::new(error.kind(), error.to_string());
        // The receiver is gone if the caller no longer waits.
        match self {
            Self::Checkpoint(_, reply) => {
                let _ = reply.send(Err(copy));
            }
            Self::Start(_, reply) => {
                let _ = reply.send(Err(copy));
            }
        }
    }
}

/// Answers to the jobs of a group, in their order.
#[derive(Default)]
struct Answers {
    acks: VecDeque<Result<Ack, StoreError>>,
    started: VecDeque<Result<Started, StoreError>>,
}

impl Answers {
    fn give(&mut self, job: Job) {
        match job {
            Job::Checkpoint(_, reply) => {
                if let Some(ack) = self.acks.pop_front() {
                    let _ = reply.send(ack);
                }
            }
            Job::Start(_, reply) => {
                if let Some(started) = self.started.pop_front() {
                    let _ = reply.send(started);
                }
            }
        }
    }
}

impl Writer {
    pub(crate) fn new(database: Arc<Database>, slots: usize) -> Arc<Self> {
        Arc::new(Self {
            database,
            queue: Mutex::new(Queue {
                jobs: VecDeque::new(),
                free: slots,
            }),
        })
    }

    pub(crate) async fn checkpoint(
        self: &Arc<Self>,
        checkpoint: Checkpoint,
    ) -> Result<Ack, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.submit(Job::Checkpoint(checkpoint, reply)).await;
        answer.await.unwrap_or_else(|_| Err(self.stopped()))
    }

    pub(crate) async fn start(
        self: &Arc<Self>,
        execution: Execution,
    ) -> Result<Started, StoreError> {
        let (reply, answer) = oneshot::channel();
        let start = Box::new(Start::new(execution));
        self.submit(Job::Start(start, reply)).await;
        answer.await.unwrap_or_else(|_| Err(self.stopped()))
    }

    async fn submit(self: &Arc<Self>, job: Job) {
        let mut slot = {
            let mut queue = self.queue();
            queue.jobs.push_back(job);
            if queue.free == 0 {
                return;
            }
            queue.free -= 1;
            Slot {
                jobs: Vec::new(),
                writer: Arc::clone(self),
            }
        };
        // The tasks that the last commit has woken queue their jobs first, so that all share one group.
        tokio::task::yield_now().await;
        slot.jobs = self.queue().take();
        match slot.jobs.len() {
            0 => drop(slot),
            1 => slot.write().await,
            _ => drop(tokio::spawn(slot.write())),
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stopped(&self) -> StoreError {
        let message = format!("the store {} is closed", self.database.session.location);
        StoreError::new(StoreErrorKind::Unavailable, message)
    }
}

impl Queue {
    /// Takes the next group, with at most one batch of each execution.
    fn take(&mut self) -> Vec<Job> {
        let (mut group, mut later) = (Vec::new(), VecDeque::new());
        let (mut keys, mut size) = (HashSet::new(), 0);
        while let Some(job) = self.jobs.pop_front() {
            if job.is_abandoned() {
                continue;
            }
            size += job.size();
            let full = !group.is_empty() && (size > MAX_BYTES || group.len() >= MAX_JOBS);
            let again = match &job {
                Job::Checkpoint(one, _) => !full && !keys.insert(one.token.key),
                Job::Start(..) => false,
            };
            if full || again {
                later.push_back(job);
            } else {
                group.push(job);
            }
            if full {
                break;
            }
        }
        later.append(&mut self.jobs);
        self.jobs = later;
        group
    }
}

/// Slot of a writing connection. Dropping it passes the slot to the next group.
struct Slot {
    writer: Arc<Writer>,
    jobs: Vec<Job>,
}

impl Drop for Slot {
    fn drop(&mut self) {
        let jobs = {
            let mut queue = self.writer.queue();
            let jobs = queue.take();
            if jobs.is_empty() {
                queue.free += 1;
                return;
            }
            jobs
        };
        let next = Self {
            writer: Arc::clone(&self.writer),
            jobs,
        };
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(next.write())),
            // The runtime is gone, and the callers with it.
            Err(_) => next.abandon(),
        }
    }
}

impl Slot {
    fn abandon(mut self) {
        self.jobs.clear();
        let mut queue = self.writer.queue();
        queue.jobs.clear();
    }

    async fn write(mut self) {
        let jobs = std::mem::take(&mut self.jobs);
        settle(&self.writer.database, jobs).await;
    }
}

/// Writes a group and answers its callers. If the group fails, retries each job alone, so that a
/// bad job fails alone.
async fn settle(database: &Database, jobs: Vec<Job>) {
    let Err((error, jobs)) = commit(database, jobs).await else {
        return;
    };
    if jobs.len() == 1 || error.kind() == StoreErrorKind::Unavailable {
        jobs.into_iter().for_each(|job| job.fail(&error));
        return;
    }
    for job in jobs {
        if let Err((error, alone)) = commit(database, vec![job]).await {
            alone.into_iter().for_each(|job| job.fail(&error));
        }
    }
}

async fn commit(database: &Database, jobs: Vec<Job>) -> Result<(), (StoreError, Vec<Job>)> {
    let mut retries = Retries::new();
    loop {
        match attempt(database, &jobs).await {
            Ok(mut answers) => {
                jobs.into_iter().for_each(|job| answers.give(job));
                return Ok(());
            }
            Err(fault) => {
                if let Err(error) = retries.failed(fault, database).await {
                    return Err((error, jobs));
                }
            }
        }
    }
}

async fn attempt(database: &Database, jobs: &[Job]) -> Result<Answers, Fault> {
    let (mut checkpoints, mut starts) = (Vec::new(), Vec::new());
    for job in jobs {
        match job {
            Job::Checkpoint(one, _) => checkpoints.push(one),
            Job::Start(one, _) => starts.push(&**one),
        }
    }
    let conn = database.writes.get().await?;
    // A single statement is its own transaction.
    let both = !checkpoints.is_empty() && !starts.is_empty();
    if both {
        conn.begin();
    }
    let mut events = Events::default();
    let written = write(database, &conn, (&checkpoints, &starts), &mut events).await;
    if both {
        match &written {
            Ok(_) => conn.commit().await?,
            Err(fault) if !fault.lost_connection() => conn.roll_back().await?,
            Err(_) => {}
        }
    }
    let answers = written?;
    let counters = &database.session.counters;
    Counters::add(&counters.commits, 1);
    Counters::add(
        &counters.batches,
        answers.acks.iter().filter(|ack| ack.is_ok()).count(),
    );
    database.publish(&conn, events).await;
    Ok(answers)
}

async fn write(
    database: &Database,
    conn: &Conn<'_>,
    (checkpoints, starts): (&[&Checkpoint], &[&Start]),
    events: &mut Events,
) -> Result<Answers, Fault> {
    let session = &*database.session;
    let mut answers = Answers::default();
    if !checkpoints.is_empty() {
        answers.acks = write_group(conn, session, checkpoints, events)
            .await?
            .into();
    }
    if !starts.is_empty() {
        answers.started = start_group(conn, session, starts, events).await?.into();
    }
    Ok(answers)
}
