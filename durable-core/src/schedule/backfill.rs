//! Executions for past times of a schedule.

use std::future::IntoFuture;
use std::ops::Range;
use std::time::Duration;

use super::{Schedule, fire};
use crate::run::RunError;
use crate::store::{ScheduleEntry, Started};
use crate::{BoxFuture, Client, ExecutionId, Timestamp};

/// Backfill with its options. Created by [`Client::backfill`] and started by awaiting it.
#[must_use = "nothing is started until this is awaited"]
#[derive(Clone)]
pub struct Backfill {
    client: Client,
    schedule: String,
    range: Range<Timestamp>,
    limit: usize,
}

/// Result of a backfill.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Backfilled {
    /// Executions that it started, in the order of their times.
    pub started: Vec<ExecutionId>,
    /// Executions that existed before and were left unchanged.
    pub existing: Vec<ExecutionId>,
}

impl Client {
    /// Starts an execution for each past time of a schedule from `range.start`, and before `range.end`.
    ///
    /// The executions have the ids, input, queue, labels and start time that the schedule itself would give them. So
    /// none is started twice, however often this is repeated. Times that are not past yet are left to the schedule.
    /// It may be paused.
    ///
    /// All executions may run at once, whatever the schedule's [`Overlap`](super::Overlap): a queue limits how many do.
    ///
    /// ```
    /// # async fn f(client: durable_core::Client) -> Result<(), durable_core::RunError> {
    /// use std::time::{Duration, SystemTime};
    ///
    /// let now = SystemTime::now();
    /// let week = now - Duration::from_secs(7 * 86_400);
    /// let done = client.backfill("nightly", week.into()..now.into()).await?;
    /// println!("{} started, {} existed", done.started.len(), done.existing.len());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`RunError::Usage`] if there is no such schedule, if the range is empty, or if it has more times than
    /// [`Backfill::limit`]: nothing was started then. [`RunError::Store`]; executions started before the error remain.
    pub fn backfill(&self, schedule: impl Into<String>, range: Range<Timestamp>) -> Backfill {
        Backfill {
            client: self.clone(),
            schedule: schedule.into(),
            range,
            limit: Backfill::DEFAULT_LIMIT,
        }
    }
}

impl Backfill {
    /// Maximum number of times by default.
    pub const DEFAULT_LIMIT: usize = 100;

    /// Sets the maximum number of times. The default is [`Backfill::DEFAULT_LIMIT`].
    pub fn limit(mut self, times: usize) -> Self {
        self.limit = times;
        self
    }

    /// Returns the ids of the executions that the schedule has in the range, whether or not they exist, for a dry
    /// run.
    ///
    /// # Errors
    ///
    /// Those of [`Client::backfill`].
    pub async fn ids(&self) -> Result<Vec<ExecutionId>, RunError> {
        let (entry, schedule) = self.entry().await?;
        let times = self.times(&schedule)?.into_iter();
        times.map(|time| id(&entry, time)).collect()
    }

    async fn send(self) -> Result<Backfilled, RunError> {
        let (entry, schedule) = self.entry().await?;
        let mut done = Backfilled::default();
        for time in self.times(&schedule)? {
            let id = id(&entry, time)?;
            let new = fire::execution(&entry, &schedule, id.clone(), time);
            match self.client.store.start(new).await? {
                Started::Created(_) => done.started.push(id),
                Started::Existing(_) => done.existing.push(id),
            }
        }
        Ok(done)
    }

    async fn entry(&self) -> Result<(ScheduleEntry, Schedule), RunError> {
        let name = &self.schedule;
        let mut all = self.client.store.schedules(None).await?.into_iter();
        let entry = all.find(|entry| entry.name.as_str() == name);
        let entry =
            entry.ok_or_else(|| RunError::Usage(format!("there is no schedule `{name}`")))?;
        if let Some(codec) = entry.input.sealed_with() {
            return Err(RunError::Usage(format!(
                "the input of the schedule `{name}` is sealed with `{codec}`: give the store as a `SealedStore` with that \
                 codec"
            )));
        }
        let schedule = Schedule::of(&entry).map_err(|error| RunError::Usage(error.to_string()))?;
        Ok((entry, schedule))
    }

    /// Computes the past times in the range. Stops at the first one over the limit.
    fn times(&self, schedule: &Schedule) -> Result<Vec<Timestamp>, RunError> {
        const MILLISECOND: Duration = Duration::from_millis(1);
        let (name, Range { start, end }) = (&self.schedule, self.range.clone());
        if start >= end {
            return Err(RunError::Usage(format!(
                "the range from {start} to {end} is empty: give an end that is later than the start"
            )));
        }
        let end = end.min(self.client.clock.now().after(MILLISECOND));
        let mut times = Vec::new();
        let mut after = Timestamp::from_millis(start.as_millis().saturating_sub(1));
        loop {
            let next = schedule.next_after(after);
            let next = next.map_err(|error| RunError::Usage(error.to_string()))?;
            let Some(time) = next.filter(|time| *time < end) else {
                return Ok(times);
            };
            if times.len() == self.limit {
                return Err(RunError::Usage(format!(
                    "the schedule `{name}` has more than {} times from {start} to {end}, and nothing was started: give a \
                     shorter range or a higher limit",
                    self.limit
                )));
            }
            times.push(time);
            after = time;
        }
    }
}

fn id(entry: &ScheduleEntry, time: Timestamp) -> Result<ExecutionId, RunError> {
    let id = fire::id(&entry.name, time);
    id.ok_or_else(|| {
        let name = &entry.name;
        RunError::Usage(format!(
            "the name of the schedule `{name}` is too long to form execution ids"
        ))
    })
}

impl IntoFuture for Backfill {
    type Output = Result<Backfilled, RunError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

#[cfg(test)]
mod tests;
