//! What a store keeps of a schedule.

use super::{NewExecution, QueueEntry};
use crate::model::payload::Payload;
use crate::{ExecutionId, Timestamp};

/// A schedule as stores keep it. What its times follow from is opaque to them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleEntry {
    /// Its name: an id, as those of executions are made from it.
    pub name: ExecutionId,
    /// When it fires and what then, as text.
    pub plan: String,
    /// The handler of the executions it starts.
    pub handler: String,
    /// Their input.
    pub input: Payload,
    /// The queue they are started in.
    pub queue: Option<QueueEntry>,
    /// When it fires next; never when `None`.
    pub next_at: Option<Timestamp>,
    /// The execution it started last.
    pub last: Option<ExecutionId>,
    /// Whether it does not fire.
    pub paused: bool,
    /// How often it was changed, firings included. Stores count.
    pub revision: u64,
}

/// A schedule fires: executions are started and it moves on, both or neither.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Firing {
    /// The schedule's name.
    pub schedule: ExecutionId,
    /// [`ScheduleEntry::revision`] that this was made from.
    pub revision: u64,
    /// Executions to start unless their ids are taken.
    pub start: Vec<NewExecution>,
    /// [`ScheduleEntry::next_at`] from now on.
    pub next_at: Option<Timestamp>,
    /// [`ScheduleEntry::last`] from now on.
    pub last: Option<ExecutionId>,
}
