//! Claims by workers, changes by operators, and queues.

use std::time::Duration;

use super::Lease;
use crate::Timestamp;
use crate::model::record::Record;

/// Position of an execution in a queue.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct QueueEntry {
    /// Name of the queue.
    pub queue: String,
    /// Key that [`Queue::concurrency_per_key`] limits by, such as a customer or a host.
    pub key: Option<String>,
    /// Higher priorities run first. Executions of equal priority run in the order they became due.
    pub priority: i32,
}

impl QueueEntry {
    /// Returns an entry in `queue` without a key, with priority 0.
    pub fn new(queue: impl Into<String>) -> Self {
        Self {
            queue: queue.into(),
            key: None,
            priority: 0,
        }
    }
}

/// Handler that a worker can run, with the build it has.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HandlerBuild {
    /// Name of the handler, as in [`Execution::handler`](super::Execution::handler).
    pub name: String,
    /// Identifies the code of the handler. An execution that was blocked under one build is only
    /// offered to workers with another.
    pub build: String,
}

/// Selects the executions that a worker can run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WorkerFilter {
    /// Handlers of the worker. Executions of other handlers are not claimed.
    pub handlers: Vec<HandlerBuild>,
    /// Queues that the worker serves besides executions without a queue. `None` means all queues.
    pub queues: Option<Vec<String>>,
}

impl WorkerFilter {
    /// Returns whether the worker serves this queue.
    pub fn serves(&self, queue: &str) -> bool {
        self.queues
            .as_ref()
            .is_none_or(|served| served.iter().any(|name| name == queue))
    }
}

/// Arguments of [`WorkStore::claim_due`](super::WorkStore::claim_due).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClaimRequest {
    /// Most executions to claim.
    pub limit: usize,
    /// Current time.
    pub now: Timestamp,
    /// Time until the leases expire, unless they are renewed.
    pub ttl: Duration,
    /// Whether to also claim executions whose holders have died, and executions that were blocked
    /// under another build. Workers set this about once a second.
    pub recover: bool,
}

/// Answer to [`WorkStore::claim_due`](super::WorkStore::claim_due).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Claimed {
    /// Leases of the claimed executions.
    pub leases: Vec<Lease>,
    /// Time at which the next execution becomes due, unless [`ready`](super::WorkStore::ready) reports
    /// one earlier. Not in the future if more are due now.
    pub next_due: Option<Timestamp>,
    /// Time at which the next schedule fires.
    pub next_firing: Option<Timestamp>,
}

/// Change that an operator makes to an execution.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// Pauses the execution until it is resumed. A running one stops at its next durable boundary.
    Pause,
    /// Continues a paused execution, or tries a blocked one again.
    Resume,
    /// Runs an execution again from an earlier point of its history.
    Rewind(Rewind),
    /// Deletes an execution that has ended, and its history.
    Delete,
}

/// Edits to a history before its execution runs again.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rewind {
    /// Value of [`Execution::changes`](super::Execution::changes) when the history was read. The rewind fails
    /// if it has changed since.
    pub seen: u64,
    /// Removes the records from this [`seq`](Record::seq) on.
    pub remove_from: Option<u64>,
    /// Records that replace those with the same `seq`.
    pub records: Vec<Record>,
}

/// Limit on how many executions start within a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Most starts within each period. Zero counts as one.
    pub starts: u32,
    /// Length of the period, which may begin at any time.
    pub per: Duration,
}

/// Settings of a queue.
///
/// An execution counts toward the limits from its first claim to its end, also while it is suspended,
/// paused or blocked. With a limit of one per key, the executions of a key therefore run strictly one after
/// another.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Queue {
    /// Name of the queue.
    pub name: String,
    /// Most executions at a time. `None` means no limit.
    pub concurrency: Option<u32>,
    /// Most executions at a time with the same [`QueueEntry::key`]. `None` means no limit.
    pub concurrency_per_key: Option<u32>,
    /// Limit on first claims over time. `None` means no limit.
    pub rate: Option<Rate>,
    /// Whether the queue is paused: no waiting execution is claimed.
    pub paused: bool,
}

/// Settings of a queue and the number of executions in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueState {
    /// Settings of the queue.
    pub queue: Queue,
    /// Number of executions that have not been claimed yet.
    pub waiting: u64,
    /// When the execution that has waited longest became due.
    pub oldest: Option<Timestamp>,
    /// Number of executions that have been claimed and have not ended.
    pub running: u64,
}
