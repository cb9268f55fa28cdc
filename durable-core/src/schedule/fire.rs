//! What is due fires.

use std::time::Duration;

use super::{CatchUp, InvalidSchedule, Overlap, Schedule};
use crate::store::cancel_chain;
use crate::store::{Firing, NewExecution, ScheduleEntry, Store, StoreError, StoreErrorKind};
use crate::{ExecutionId, Timestamp};

/// At most so many missed firings are made up for.
const MOST: usize = 1000;
/// A firing that is not older was not missed.
const TIMELY: Duration = Duration::from_secs(60);
/// How long a schedule rests that cannot be understood.
const REST: Duration = Duration::from_secs(60);

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
        next_at: Some(now.after(REST)),
        last: entry.last.clone(),
    };
    match due(entry, now) {
        Err(error) => {
            tracing::error!(schedule = %entry.name, %error, "cannot fire, is tried again later");
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
    if store.fire(firing).await? {
        tracing::info!(schedule = %entry.name, "fired");
    }
    Ok(())
}

/// What there is to make up for.
#[derive(Debug)]
pub(super) struct Due {
    schedule: Schedule,
    pub(super) times: Vec<Timestamp>,
    pub(super) next_at: Option<Timestamp>,
}

/// The times at which the schedule is to fire, up to now.
pub(super) fn due(entry: &ScheduleEntry, now: Timestamp) -> Result<Due, InvalidSchedule> {
    let schedule = Schedule::of(entry)?;
    let (mut times, mut next_at) = (Vec::new(), entry.next_at);
    while let Some(time) = next_at.filter(|time| *time <= now) {
        times.push(time);
        if times.len() > MOST {
            times.remove(0);
        }
        // Of a schedule that was not looked at for years only the end matters.
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
            times.retain(|time| now.since(*time) <= TIMELY);
        }
    }
    Ok(Due {
        schedule,
        times,
        next_at,
    })
}

/// A time not after the latest firing before `now`, and as near to it as is cheap to find.
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
        tracing::error!(schedule = %entry.name, "its name is too long for the ids of its executions");
        return Ok(());
    };
    let goes = match &firing.last {
        // Started together with this one.
        Some(last) if firing.start.iter().any(|new| new.id == *last) => true,
        Some(last) => goes_on(store, last).await?,
        None => false,
    };
    match (goes, schedule.overlap, &firing.last) {
        (true, Overlap::Skip, _) => {
            tracing::warn!(schedule = %entry.name, %time, "skipped: the execution before has not ended");
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
    firing.start.push(NewExecution {
        queue: entry.queue.clone(),
        // What the handler takes for the time of its start is the time it was due.
        ..NewExecution::new(id, entry.handler.clone(), entry.input.clone(), time)
    });
    Ok(())
}

/// Of a schedule and a time there is one execution.
fn id(schedule: &ExecutionId, time: Timestamp) -> Option<ExecutionId> {
    let written = time.to_string();
    let seconds = written.strip_suffix(".000Z").map(|text| format!("{text}Z"));
    let written = seconds.unwrap_or(written);
    format!("{schedule}@{written}").parse().ok()
}

/// Whether an execution, or the one that goes on in its place, has not ended.
async fn goes_on(store: &dyn Store, id: &ExecutionId) -> Result<bool, StoreError> {
    let mut id = id.clone();
    loop {
        let execution = match store.get(&id).await {
            Ok(execution) => execution,
            Err(error) if error.kind() == StoreErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        match execution.next {
            Some(next) => id = next,
            None => return Ok(!execution.status.is_terminal()),
        }
    }
}
