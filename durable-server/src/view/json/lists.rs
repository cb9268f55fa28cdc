//! Output of `queue ls` and `schedule ls`.

use std::collections::BTreeMap;

use durable_core::schedule::Schedule as Plan;
use durable_core::store::{QueueState, ScheduleEntry};
use serde::Serialize;

use super::FORMAT;

/// Output of `queue ls`.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct Queues {
    /// Number of the output format: [`FORMAT`].
    pub format: u32,
    /// Queues, ordered by name.
    pub queues: Vec<Queue>,
}

/// Queue with its limits and the number of its executions.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct Queue {
    /// Name.
    pub name: String,
    /// Number of executions waiting in it.
    pub waiting: u64,
    /// Number of executions that have left it and not ended.
    pub running: u64,
    /// Maximum number of executions that run at a time.
    pub concurrency: Option<u32>,
    /// Maximum number of executions of one key that run at a time.
    pub concurrency_per_key: Option<u32>,
    /// Maximum number of starts within `rate_ms`.
    pub rate_starts: Option<u32>,
    /// Time window of `rate_starts`, in milliseconds.
    pub rate_ms: Option<u64>,
    /// Whether it is paused: no execution leaves it.
    pub paused: bool,
}

impl Queues {
    /// Builds the listing.
    pub fn new(states: &[QueueState]) -> Self {
        let entry = |state: &QueueState| {
            let (queue, rate) = (&state.queue, state.queue.rate);
            Queue {
                name: queue.name.clone(),
                waiting: state.waiting,
                running: state.running,
                concurrency: queue.concurrency,
                concurrency_per_key: queue.concurrency_per_key,
                rate_starts: rate.map(|rate| rate.starts),
                rate_ms: rate.and_then(|rate| super::millis(rate.per)),
                paused: queue.paused,
            }
        };
        Self {
            format: FORMAT,
            queues: states.iter().map(entry).collect(),
        }
    }
}

/// Output of `schedule ls`.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct Schedules {
    /// Number of the output format: [`FORMAT`].
    pub format: u32,
    /// Schedules, ordered by name.
    pub schedules: Vec<Schedule>,
}

/// Schedule with its handler and its next time.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct Schedule {
    /// Name.
    pub name: String,
    /// Handler of the executions it starts.
    pub handler: String,
    /// Description of when it fires.
    pub fires: Option<String>,
    /// Time of the next firing.
    pub next_at: Option<String>,
    /// Id of the execution it started last.
    pub last: Option<String>,
    /// Whether it is paused: it skips its firings.
    pub paused: bool,
    /// Queue that executions are started in.
    pub queue: Option<String>,
    /// Labels of the executions it starts: an object of texts.
    pub labels: BTreeMap<String, String>,
}

impl Schedules {
    /// Builds the listing.
    pub fn new(entries: &[ScheduleEntry]) -> Self {
        let schedule = |entry: &ScheduleEntry| {
            let plan = Plan::of(entry).ok();
            Schedule {
                name: entry.name.to_string(),
                handler: entry.handler.clone(),
                fires: plan.as_ref().map(Plan::describe),
                next_at: super::time(entry.next_at),
                last: entry.last.as_ref().map(ToString::to_string),
                paused: entry.paused,
                queue: entry.queue.as_ref().map(|entry| entry.queue.clone()),
                labels: plan
                    .as_ref()
                    .map(Plan::execution_labels)
                    .map(super::labels)
                    .unwrap_or_default(),
            }
        };
        Self {
            format: FORMAT,
            schedules: entries.iter().map(schedule).collect(),
        }
    }
}
