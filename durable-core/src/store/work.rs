//! What workers and operators ask of a store.

use std::time::Duration;

use super::Lease;
use crate::Timestamp;
use crate::model::record::Record;

/// A place in a queue.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct QueueEntry {
    /// The queue's name.
    pub queue: String,
    /// Whom the execution is for, where the queue limits how many run for each.
    pub key: Option<String>,
    /// Higher ones go first; those of one priority in the order they became due.
    pub priority: i32,
}

impl QueueEntry {
    /// A place in `queue` of the usual priority, zero.
    pub fn new(queue: impl Into<String>) -> Self {
        Self {
            queue: queue.into(),
            key: None,
            priority: 0,
        }
    }
}

/// A handler that a worker can run, and the build of it that it would run.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HandlerBuild {
    /// The name that executions know the handler by.
    pub name: String,
    /// Differs between builds that may fit different histories. An execution that blocked under
    /// one of them is offered to others only.
    pub build: String,
}

/// What a worker can run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WorkerFilter {
    /// The handlers. Executions of others are left alone.
    pub handlers: Vec<HandlerBuild>,
    /// Only executions that wait in none or in one of these queues; those of all when `None`.
    pub queues: Option<Vec<String>>,
}

impl WorkerFilter {
    /// Whether executions are taken out of this queue.
    pub fn serves(&self, queue: &str) -> bool {
        self.queues
            .as_ref()
            .is_none_or(|served| served.iter().any(|name| name == queue))
    }
}

/// How many executions are to be claimed, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClaimRequest {
    /// At most this many.
    pub limit: usize,
    /// What time it is.
    pub now: Timestamp,
    /// How long the leases last without being renewed.
    pub ttl: Duration,
    /// Whether to look also after executions whose holders are gone, and after those that blocked
    /// under another build. Workers do so about once a second.
    pub look_after: bool,
}

/// Answer to [`WorkStore::claim_due`](super::WorkStore::claim_due).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Claimed {
    /// What was claimed.
    pub leases: Vec<Lease>,
    /// When there may be more, unless something happens before: in the past when there is more now.
    pub next_due: Option<Timestamp>,
    /// When the next schedule fires.
    pub next_firing: Option<Timestamp>,
}

/// What operators do to an execution.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// Nothing of it runs until it is resumed. One that runs stops at its next durable boundary.
    Pause,
    /// One that was paused goes on where it was; one that is blocked is tried again.
    Resume,
    /// One that has failed, was cancelled or is blocked runs again, with less of a history.
    Rewind(Rewind),
    /// It and its history are removed. Only once it has ended.
    Delete,
}

/// What becomes of a history before its execution runs again.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rewind {
    /// [`Execution::changes`](super::Execution::changes) as of the history this was made from.
    pub seen: u64,
    /// Records of this [`seq`](Record::seq) and above are removed.
    pub remove_from: Option<u64>,
    /// Records that are put in the place of others.
    pub records: Vec<Record>,
}

/// How many executions start within a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// At most this many, one at least,
    pub starts: u32,
    /// within every span of this length.
    pub per: Duration,
}

/// How a queue lets its executions run.
///
/// An execution counts from when it is first claimed to its end: also while it waits, is paused or
/// blocked. So a limit of one per key means that those of a key run strictly one after the other.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Queue {
    /// Its name.
    pub name: String,
    /// At most so many executions at a time.
    pub concurrency: Option<u32>,
    /// At most so many at a time of those with the same [`QueueEntry::key`].
    pub concurrency_per_key: Option<u32>,
    /// At most so many first claims within a time.
    pub rate: Option<Rate>,
    /// Whether nothing leaves it.
    pub paused: bool,
}

/// A queue and what is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueState {
    /// How it lets its executions run.
    pub queue: Queue,
    /// Executions that wait for their turn.
    pub waiting: u64,
    /// Executions that have left it and not ended.
    pub running: u64,
}
