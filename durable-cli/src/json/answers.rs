//! What the commands print that change something, and those of queues and schedules.

use durable_core::ExecutionId;
use durable_core::json::Exact;
use durable_core::schedule::Schedule as Plan;
use durable_core::store::{QueueState, ScheduleEntry};
use serde::Serialize;

use super::FORMAT;
use crate::CliError;

/// The answer as text.
pub(crate) fn print_json(value: &impl Serialize) -> Result<String, CliError> {
    Ok(serde_json::to_string_pretty(value)? + "\n")
}

/// What `cancel`, `pause`, `resume`, `retry`, `rm` and `gc` print.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct Changed {
    /// [`FORMAT`].
    pub format: u32,
    /// `cancel`, `pause`, `resume`, `retry` or `remove`.
    pub change: &'static str,
    /// Whether nothing was done: `executions` would be changed.
    pub dry_run: bool,
    /// Ids of what was changed.
    pub executions: Vec<String>,
    /// What could not be changed.
    pub refused: Vec<Refused>,
}

/// An execution that could not be changed.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct Refused {
    /// Its id.
    pub id: String,
    /// Why not.
    pub why: String,
}

impl Changed {
    pub(crate) fn new(
        change: &'static str,
        dry_run: bool,
        done: &[ExecutionId],
        refused: Vec<Refused>,
    ) -> Self {
        Self {
            format: FORMAT,
            change,
            dry_run,
            executions: done.iter().map(ToString::to_string).collect(),
            refused,
        }
    }
}

/// What `start` prints.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct Began {
    /// [`FORMAT`].
    pub format: u32,
    /// The execution's id.
    pub id: String,
    /// Whether it was started now, not before.
    pub new: bool,
    /// With `--wait`: what it ended with.
    pub output: Option<Exact>,
}

impl Began {
    pub(crate) fn new(id: &ExecutionId, new: bool, output: Option<Exact>) -> Self {
        Self {
            format: FORMAT,
            id: id.to_string(),
            new,
            output,
        }
    }
}

/// What `queue ls` prints.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct Queues {
    /// [`FORMAT`].
    pub format: u32,
    /// By name.
    pub queues: Vec<Queue>,
}

/// A queue.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct Queue {
    /// Its name.
    pub name: String,
    /// Executions that wait for their turn.
    pub waiting: u64,
    /// Executions that have left it and not ended.
    pub running: u64,
    /// At most so many at a time.
    pub concurrency: Option<u32>,
    /// At most so many at a time of each key.
    pub concurrency_per_key: Option<u32>,
    /// At most so many starts within `rate_ms`.
    pub rate_starts: Option<u32>,
    /// In milliseconds.
    pub rate_ms: Option<u64>,
    /// Whether nothing leaves it.
    pub paused: bool,
}

impl Queues {
    pub(crate) fn new(states: &[QueueState]) -> Self {
        let queue = |state: &QueueState| {
            let (set_up, rate) = (&state.queue, state.queue.rate);
            Queue {
                name: set_up.name.clone(),
                waiting: state.waiting,
                running: state.running,
                concurrency: set_up.concurrency,
                concurrency_per_key: set_up.concurrency_per_key,
                rate_starts: rate.map(|rate| rate.starts),
                rate_ms: rate.and_then(|rate| super::millis(rate.per)),
                paused: set_up.paused,
            }
        };
        Self {
            format: FORMAT,
            queues: states.iter().map(queue).collect(),
        }
    }
}

/// What `schedule ls` prints.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct Schedules {
    /// [`FORMAT`].
    pub format: u32,
    /// By name.
    pub schedules: Vec<Schedule>,
}

/// A schedule.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct Schedule {
    /// Its name.
    pub name: String,
    /// Name of the handler of what it starts.
    pub handler: String,
    /// When it fires, in words.
    pub fires: Option<String>,
    /// When it fires next.
    pub next_at: Option<String>,
    /// The execution it started last.
    pub last: Option<String>,
    /// Whether it does not fire.
    pub paused: bool,
    /// The queue that executions are started in.
    pub queue: Option<String>,
}

impl Schedules {
    pub(crate) fn new(entries: &[ScheduleEntry]) -> Self {
        let schedule = |entry: &ScheduleEntry| Schedule {
            name: entry.name.to_string(),
            handler: entry.handler.clone(),
            fires: Plan::of(entry).ok().map(|plan| plan.describe()),
            next_at: super::written(entry.next_at),
            last: entry.last.as_ref().map(ToString::to_string),
            paused: entry.paused,
            queue: entry.queue.as_ref().map(|place| place.queue.clone()),
        };
        Self {
            format: FORMAT,
            schedules: entries.iter().map(schedule).collect(),
        }
    }
}
