//! Schedules, which start executions at given times.

mod backfill;
mod fire;
mod plan;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use backfill::{Backfill, Backfilled};
pub(crate) use fire::fire_due;
use plan::Timing;

use crate::model::payload::Payload;
use crate::run::RunError;
use crate::runtime::handler::HandlerInput;
use crate::runtime::handler::{Durable, IntoHandler};
use crate::store::{QueueEntry, ScheduleEntry, StoreError};
use crate::{Client, ExecutionId, InvalidExecutionId, Labels, Timestamp};

/// Times at which executions start, with policies for missed and overlapping firings.
///
/// Each firing starts an execution whose id consists of the schedule's name and the time at which it was due,
/// as in `nightly@2026-11-25T03:00:00Z`. However many workers there are, a firing therefore starts only one
/// execution. Any [`Worker`](crate::Worker) fires due schedules, whether or not it has the handler.
///
/// ```
/// use durable_core::schedule::{CatchUp, Overlap, Schedule};
///
/// let nightly = Schedule::cron("0 3 * * *")?.zone("Europe/Berlin")?;
/// let nightly = nightly.overlap(Overlap::Skip).catch_up(CatchUp::Latest);
/// # let _ = nightly;
/// # Ok::<(), durable_core::schedule::InvalidSchedule>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    timing: Timing,
    zone: String,
    overlap: Overlap,
    catch_up: CatchUp,
    queue: Option<QueueEntry>,
    labels: Labels,
}

/// Policy for a firing while the execution of the previous one has not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Overlap {
    /// Skips the firing.
    #[default]
    Skip,
    /// Runs both.
    Allow,
    /// Cancels the previous execution.
    CancelOther,
}

/// Policy for firings that were missed because no worker ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum CatchUp {
    /// Catches up the latest one, whatever its age.
    #[default]
    Latest,
    /// Catches up all of them, but at most the latest thousand.
    All,
    /// Catches up none, except one that is at most a minute old.
    Skip,
}

/// Error returned for an invalid schedule. Says what is wrong and what to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidSchedule(String);

impl std::fmt::Display for InvalidSchedule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for InvalidSchedule {}

impl Schedule {
    /// Creates a schedule from a cron expression: minute, hour, day of month, month, day of week, optionally
    /// with seconds in front; or a nickname such as `@daily`. Times are in UTC unless [`zone`](Self::zone) is
    /// set.
    ///
    /// # Errors
    ///
    /// [`InvalidSchedule`] for an invalid cron expression.
    pub fn cron(expression: impl Into<String>) -> Result<Self, InvalidSchedule> {
        Ok(Self::new(Timing::cron(expression.into())?))
    }

    /// Creates a schedule that fires at every multiple of `interval` since 1970: every 900 seconds means every
    /// quarter of an hour.
    ///
    /// # Errors
    ///
    /// [`InvalidSchedule`] for an interval shorter than one second.
    pub fn every(interval: Duration) -> Result<Self, InvalidSchedule> {
        Ok(Self::new(Timing::every(interval)?))
    }

    fn new(timing: Timing) -> Self {
        Self {
            timing,
            zone: "UTC".to_owned(),
            overlap: Overlap::default(),
            catch_up: CatchUp::default(),
            queue: None,
            labels: Labels::new(),
        }
    }

    /// Sets the time zone of a cron expression by its IANA name.
    ///
    /// If the clock skips an hour, firings in it happen right after it. If an hour occurs twice, firings in it
    /// happen once.
    ///
    /// # Errors
    ///
    /// [`InvalidSchedule`] for an unknown zone.
    pub fn zone(mut self, name: impl Into<String>) -> Result<Self, InvalidSchedule> {
        self.zone = name.into();
        plan::zone(&self.zone)?;
        Ok(self)
    }

    /// Sets the policy for overlapping firings. The default is [`Overlap::Skip`].
    #[must_use]
    pub fn overlap(mut self, policy: Overlap) -> Self {
        self.overlap = policy;
        self
    }

    /// Sets the policy for missed firings. The default is [`CatchUp::Latest`].
    #[must_use]
    pub fn catch_up(mut self, policy: CatchUp) -> Self {
        self.catch_up = policy;
        self
    }

    /// Sets the queue of the executions.
    #[must_use]
    pub fn queue(mut self, entry: QueueEntry) -> Self {
        self.queue = Some(entry);
        self
    }

    /// Sets the labels of the executions.
    #[must_use]
    pub fn labels(mut self, labels: Labels) -> Self {
        self.labels = labels;
        self
    }

    /// Returns the labels of the executions.
    pub const fn execution_labels(&self) -> &Labels {
        &self.labels
    }

    /// Returns the first firing after `time`, or `None` if there is none.
    ///
    /// # Errors
    ///
    /// [`InvalidSchedule`] if the time cannot be computed.
    pub fn next_after(&self, time: Timestamp) -> Result<Option<Timestamp>, InvalidSchedule> {
        self.timing.next_after(&self.zone, time)
    }

    /// Decodes the schedule of a stored entry.
    ///
    /// # Errors
    ///
    /// [`InvalidSchedule`] if a newer release or another program wrote the entry.
    pub fn of(entry: &ScheduleEntry) -> Result<Self, InvalidSchedule> {
        let mut schedule = plan::read(&entry.plan)?;
        schedule.queue.clone_from(&entry.queue);
        Ok(schedule)
    }

    /// Describes the times in words, for tables.
    pub fn describe(&self) -> String {
        self.timing.describe(&self.zone)
    }
}

impl Client {
    /// Creates or replaces the schedule `name`, which starts executions of `handler`. An identical schedule is
    /// left unchanged and keeps its next firing.
    ///
    /// # Errors
    ///
    /// [`RunError::Usage`] for an invalid name, [`RunError::Codec`] for an input that cannot be encoded,
    /// [`RunError::Store`].
    pub async fn schedule<F: IntoHandler>(
        &self,
        name: &str,
        _handler: F,
        input: <F::Handler as Durable>::Input,
        schedule: &Schedule,
    ) -> Result<(), RunError> {
        let handler = F::Handler::NAME;
        let encoded = input.to_json().map_err(|error| {
            RunError::Codec(format!(
                "the input of `{handler}` cannot be encoded: {error}"
            ))
        })?;
        self.schedule_named(name, handler, Payload::json(encoded), schedule)
            .await
    }

    /// Creates or replaces a schedule for a handler given by name, with an encoded input.
    ///
    /// # Errors
    ///
    /// Those of [`schedule`](Self::schedule).
    pub async fn schedule_named(
        &self,
        name: &str,
        handler: &str,
        input: Payload,
        schedule: &Schedule,
    ) -> Result<(), RunError> {
        let usage = |error: InvalidExecutionId| RunError::Usage(error.to_string());
        let name: ExecutionId = name.parse().map_err(usage)?;
        let next_at = schedule
            .next_after(self.clock.now())
            .map_err(|error| RunError::Usage(error.to_string()))?;
        let mut entry = ScheduleEntry {
            name: name.clone(),
            plan: plan::write(schedule),
            handler: handler.to_owned(),
            input,
            queue: schedule.queue.clone(),
            next_at,
            last: None,
            paused: false,
            revision: 0,
        };
        let all = self.store.schedules(None).await?;
        if let Some(before) = all.into_iter().find(|before| before.name == name) {
            let same = before.plan == entry.plan && before.handler == entry.handler;
            if same && before.input == entry.input && before.queue == entry.queue {
                return Ok(());
            }
            (entry.last, entry.paused) = (before.last, before.paused);
        }
        Ok(self.store.put_schedule(entry).await?)
    }

    /// Returns all schedules, by name.
    ///
    /// # Errors
    ///
    /// Errors of the store.
    pub async fn schedules(&self) -> Result<Vec<ScheduleEntry>, StoreError> {
        self.store.schedules(None).await
    }

    /// Pauses or resumes a schedule. Firings missed while it was paused are not caught up.
    ///
    /// # Errors
    ///
    /// [`RunError::Usage`] if there is no schedule with this name, [`RunError::Store`].
    pub async fn pause_schedule(&self, name: &str, paused: bool) -> Result<(), RunError> {
        let all = self.store.schedules(None).await?;
        let found = all.into_iter().find(|entry| entry.name.as_str() == name);
        let Some(mut entry) = found else {
            return Err(RunError::Usage(format!("there is no schedule `{name}`")));
        };
        entry.paused = paused;
        let schedule = Schedule::of(&entry).map_err(|error| RunError::Usage(error.to_string()))?;
        entry.next_at = schedule
            .next_after(self.clock.now())
            .map_err(|error| RunError::Usage(error.to_string()))?;
        Ok(self.store.put_schedule(entry).await?)
    }

    /// Removes a schedule. Executions that it has started keep running.
    ///
    /// # Errors
    ///
    /// [`RunError::Usage`] for an invalid name, [`RunError::Store`] if there is no such schedule.
    pub async fn unschedule(&self, name: &str) -> Result<(), RunError> {
        let usage = |error: InvalidExecutionId| RunError::Usage(error.to_string());
        let name: ExecutionId = name.parse().map_err(usage)?;
        Ok(self.store.remove_schedule(&name).await?)
    }
}
