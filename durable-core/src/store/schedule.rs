//! Stored schedules.

use super::{NewExecution, QueueEntry};
use crate::model::payload::Payload;
use crate::{ExecutionId, Timestamp};

/// Schedule as a store keeps it. The store does not interpret its plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleEntry {
    /// Name of the schedule. It is an execution id, because the ids of its executions are derived from it.
    pub name: ExecutionId,
    /// Firing times and options, encoded as text.
    pub plan: String,
    /// Handler of the executions it starts.
    pub handler: String,
    /// Input of the executions it starts.
    pub input: Payload,
    /// Queue in which the executions are started.
    pub queue: Option<QueueEntry>,
    /// Next time it fires. `None` means never.
    pub next_at: Option<Timestamp>,
    /// Execution it started last.
    pub last: Option<ExecutionId>,
    /// Whether it is paused and does not fire.
    pub paused: bool,
    /// Number of changes so far, including firings. The store counts them.
    pub revision: u64,
}

/// Firing of a schedule: starts executions and sets the next time, atomically.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Firing {
    /// Name of the schedule.
    pub schedule: ExecutionId,
    /// Value of [`ScheduleEntry::revision`] when the schedule was read.
    pub revision: u64,
    /// Executions to start, unless their ids are in use.
    pub start: Vec<NewExecution>,
    /// New value of [`ScheduleEntry::next_at`].
    pub next_at: Option<Timestamp>,
    /// New value of [`ScheduleEntry::last`].
    pub last: Option<ExecutionId>,
}
