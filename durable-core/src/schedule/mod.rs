//! Executions that are started at certain times.

mod fire;
mod plan;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub(crate) use fire::fire_due;
use plan::Timing;

use crate::model::payload::Payload;
use crate::run::RunError;
use crate::runtime::handler::HandlerInput;
use crate::runtime::handler::{Durable, IntoHandler};
use crate::store::{QueueEntry, ScheduleEntry, StoreError};
use crate::{Client, ExecutionId, InvalidExecutionId, Timestamp};

/// When a schedule fires, and what becomes of firings that were missed or that meet the one before.
///
/// Each firing starts an execution whose id is made of the schedule's name and the time it was due,
/// as in `nightly@2026-11-25T03:00:00Z`: however many workers there are, none can start a second one.
/// Any [`Worker`](crate::Worker) fires what is due, whether or not it knows the handler.
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
}

/// What becomes of a firing when the execution of the one before has not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Overlap {
    /// Nothing is started this time.
    #[default]
    Skip,
    /// Both run.
    Allow,
    /// The one before is cancelled.
    CancelOther,
}

/// What becomes of firings that nobody was there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum CatchUp {
    /// The latest one is made up for, whenever it was.
    #[default]
    Latest,
    /// Every one is, the latest thousand at most.
    All,
    /// None is, unless it is less than a minute old.
    Skip,
}

/// A schedule that cannot be. The text says why and what to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidSchedule(String);

impl std::fmt::Display for InvalidSchedule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for InvalidSchedule {}

impl Schedule {
    /// As a cron expression says: minute, hour, day of month, month, day of week, and seconds before
    /// them where wanted; or a nickname such as `@daily`. In UTC unless [`zone`](Self::zone) says
    /// otherwise.
    ///
    /// # Errors
    ///
    /// [`InvalidSchedule`] for what is no cron expression.
    pub fn cron(expression: impl Into<String>) -> Result<Self, InvalidSchedule> {
        Ok(Self::new(Timing::cron(expression.into())?))
    }

    /// At every whole multiple of this time since 1970: `every(900 s)` fires on every quarter of an
    /// hour.
    ///
    /// # Errors
    ///
    /// [`InvalidSchedule`] for less than a second.
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
        }
    }

    /// The time zone of a cron expression, as the IANA database calls it. What falls into an hour
    /// that a change of the clock leaves out fires right after it; what falls into one that comes
    /// twice fires once.
    ///
    /// # Errors
    ///
    /// [`InvalidSchedule`] for an unknown zone.
    pub fn zone(mut self, name: impl Into<String>) -> Result<Self, InvalidSchedule> {
        self.zone = name.into();
        plan::zone(&self.zone)?;
        Ok(self)
    }

    /// What happens when the execution of the firing before has not ended. It is skipped unless told
    /// otherwise.
    #[must_use]
    pub fn overlap(mut self, policy: Overlap) -> Self {
        self.overlap = policy;
        self
    }

    /// What happens to missed firings. The latest is made up for unless told otherwise.
    #[must_use]
    pub fn catch_up(mut self, policy: CatchUp) -> Self {
        self.catch_up = policy;
        self
    }

    /// The queue that executions are started in.
    #[must_use]
    pub fn queue(mut self, place: QueueEntry) -> Self {
        self.queue = Some(place);
        self
    }

    /// The first time after `time` at which it fires; never again when `None`.
    ///
    /// # Errors
    ///
    /// [`InvalidSchedule`] when that cannot be computed.
    pub fn next_after(&self, time: Timestamp) -> Result<Option<Timestamp>, InvalidSchedule> {
        self.timing.next_after(&self.zone, time)
    }

    /// What `entry` says about the times it fires at.
    ///
    /// # Errors
    ///
    /// [`InvalidSchedule`] when it was written by a newer release, or by another program.
    pub fn of(entry: &ScheduleEntry) -> Result<Self, InvalidSchedule> {
        let mut schedule = plan::read(&entry.plan)?;
        schedule.queue.clone_from(&entry.queue);
        Ok(schedule)
    }

    /// In words, for tables.
    pub fn describe(&self) -> String {
        self.timing.describe(&self.zone)
    }
}

impl Client {
    /// Sets up a schedule that starts executions of `handler`, in place of one of the same name. One
    /// that is already set up the same way goes on where it was.
    ///
    /// # Errors
    ///
    /// [`RunError::Usage`] for a name that is no id, [`RunError::Codec`], [`RunError::Store`].
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

    /// The same, for the handler of this name and an input that is encoded already.
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

    /// All schedules, by name.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn schedules(&self) -> Result<Vec<ScheduleEntry>, StoreError> {
        self.store.schedules(None).await
    }

    /// Whether a schedule fires. One that is paused misses its firings: they are not made up for.
    ///
    /// # Errors
    ///
    /// [`RunError::Usage`] when there is no schedule of this name, [`RunError::Store`].
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

    /// Forgets a schedule. What it has started goes on.
    ///
    /// # Errors
    ///
    /// [`RunError::Usage`] for a name that is no id, [`RunError::Store`] when there is no such schedule.
    pub async fn unschedule(&self, name: &str) -> Result<(), RunError> {
        let usage = |error: InvalidExecutionId| RunError::Usage(error.to_string());
        let name: ExecutionId = name.parse().map_err(usage)?;
        Ok(self.store.remove_schedule(&name).await?)
    }
}
