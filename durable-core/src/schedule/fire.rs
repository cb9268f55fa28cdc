//! Starts the executions of schedules that are due.

use std::time::Duration;

use super::{CatchUp, InvalidSchedule, Overlap, Schedule};
use crate::metrics;
use crate::store::{
    Firing, NewExecution, ScheduleEntry, Store, StoreError, cancel_chain, is_chain_running,
};
use crate::{ExecutionId, Timestamp};

/// Maximum number of missed firings that are caught up.
const MAX_CATCH_UP: usize = 1000;
/// Firings up to this age do not count as missed.
const ON_TIME: Duration = Duration::from_secs(60);
/// Delay before a schedule with an invalid plan is tried again.
const RETRY_DELAY: Duration = Duration::from_secs(60);

/// Fires every schedule that is due.
pub(crate) async fn fire_due(store: &dyn Store, now: Timestamp) -> Result<(), StoreError> {
    for entry in store.schedules(Some(now)).await? {
        fire(store, &entry, now).await?;
    }
    Ok(())
}

async fn fire(store: &dyn Store, entry: &ScheduleEntry, now: Timestamp) -> Result<(), StoreError> {
    let mut firing = Firing {
        schedule: entry.name.clone(),
        revision: entry.revision,
        start: Vec::new(),
        next_at: Some(now.after(RETRY_DELAY)),
        last: entry.last.clone(),
    };
    match due(entry, now) {
        Err(error) => {
            tracing::error!(schedule = %entry.name, %error, "cannot fire the schedule, retrying later");
        }
        Ok(Due {
            schedule,
            times,
            next_at,
        }) => {
            firing.next_at = next_at;
            for time in times {
                start(store, entry, &schedule, time, now, &mut firing).await?;
            }
        }
    }
    let started = firing.start.len();
    if store.fire(firing).await? {
        for _ in 0..started {
            metrics::execution_started(&entry.handler);
        }
        tracing::info!(schedule = %entry.name, "fired the schedule");
    }
    Ok(())
}

/// Firings of a schedule that are due, and the time of the next one.
#[derive(Debug)]
pub(super) struct Due {
    schedule: Schedule,
    pub(super) times: Vec<Timestamp>,
    pub(super) next_at: Option<Timestamp>,
}

/// Computes the firings of a schedule that are due at `now`.
pub(super) fn due(entry: &ScheduleEntry, now: Timestamp) -> Result<Due, InvalidSchedule> {
    let schedule = Schedule::of(entry)?;
    let (mut times, mut next_at) = (Vec::new(), entry.next_at);
    while let Some(time) = next_at.filter(|time| *time <= now) {
        times.push(time);
        if times.len() > MAX_CATCH_UP {
            times.remove(0);
        }
        // Only the last firing matters here, so years of missed ones are skipped quickly.
        let from = match schedule.catch_up {
            CatchUp::All => time,
            CatchUp::Latest | CatchUp::Skip => time.max(latest_before(&schedule, now, time)?),
        };
        next_at = schedule.next_after(from)?;
    }
    match schedule.catch_up {
        CatchUp::All => {}
        CatchUp::Latest => times = times.split_off(times.len().saturating_sub(1)),
        CatchUp::Skip => {
            times = times.split_off(times.len().saturating_sub(1));
            times.retain(|time| now.since(*time) <= ON_TIME);
        }
    }
    Ok(Due {
        schedule,
        times,
        next_at,
    })
}

/// Returns a time at or before the latest firing before `now`, as close to it as is cheap to find.
fn latest_before(
    schedule: &Schedule,
    now: Timestamp,
    fired: Timestamp,
) -> Result<Timestamp, InvalidSchedule> {
    let mut back = Duration::from_secs(60);
    loop {
        let millis = i64::try_from(back.as_millis()).unwrap_or(i64::MAX);
        let from = Timestamp::from_millis(now.as_millis().saturating_sub(millis));
        if from <= fired {
            return Ok(fired);
        }
        if schedule.next_after(from)?.is_some_and(|next| next <= now) {
            return Ok(from);
        }
        back *= 4;
    }
}

async fn start(
    store: &dyn Store,
    entry: &ScheduleEntry,
    schedule: &Schedule,
    time: Timestamp,
    now: Timestamp,
    firing: &mut Firing,
) -> Result<(), StoreError> {
    let Some(id) = id(&entry.name, time) else {
        tracing::error!(schedule = %entry.name, "the name of the schedule is too long to form execution ids");
        return Ok(());
    };
    let is_running = match &firing.last {
        // Started by this very firing.
        Some(last) if firing.start.iter().any(|new| new.id == *last) => true,
        Some(last) => is_chain_running(store, last.clone()).await?,
        None => false,
    };
    match (is_running, schedule.overlap, &firing.last) {
        (true, Overlap::Skip, _) => {
            tracing::warn!(schedule = %entry.name, %time, "skipped a firing: the previous execution has not ended");
            return Ok(());
        }
        (true, Overlap::CancelOther, Some(last)) => {
            let started = firing.start.len();
            firing.start.retain(|new| new.id != *last);
            if firing.start.len() == started {
                cancel_chain(store, last.clone(), now).await?;
            }
        }
        _ => {}
    }
    firing.last = Some(id.clone());
    firing.start.push(execution(entry, schedule, id, time));
    Ok(())
}

/// Builds the execution for a firing.
pub(super) fn execution(
    entry: &ScheduleEntry,
    schedule: &Schedule,
    id: ExecutionId,
    time: Timestamp,
) -> NewExecution {
    NewExecution {
        queue: entry.queue.clone(),
        labels: schedule.labels.clone(),
        // The handler sees the time at which the firing was due as its start time.
        ..NewExecution::new(id, entry.handler.clone(), entry.input.clone(), time)
    }
}

/// Forms the id of the execution for a firing.
pub(super) fn id(schedule: &ExecutionId, time: Timestamp) -> Option<ExecutionId> {
    let written = time.to_string();
    let seconds = written.strip_suffix(".000Z").map(|text| format!("{text}Z"));
    let written = seconds.unwrap_or(written);
    format!("{schedule}@{written}").parse().ok()
}
