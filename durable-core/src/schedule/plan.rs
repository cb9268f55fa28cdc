//! Firing times of a schedule, and the stored form of its plan.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use croner::Cron;
use jiff::Zoned;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::{CatchUp, InvalidSchedule, Overlap, Schedule};
use crate::{Labels, Timestamp};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Timing {
    Cron(String),
    Every(Duration),
}

fn invalid(text: impl Into<String>) -> InvalidSchedule {
    InvalidSchedule(text.into())
}

fn parse(expression: &str) -> Result<Cron, InvalidSchedule> {
    let refuse = |why: &dyn fmt::Display| {
        invalid(format!(
            "invalid cron expression `{expression}`: {why}. Write minute, hour, day of month, month and day of week, \
             as in `30 3 * * MON-FRI`"
        ))
    };
    // The parser skips empty items. A field of nothing else never matches, and the search for a match tries every second of
    // thousands of years.
    let mut items = expression
        .split_whitespace()
        .flat_map(|field| field.split(','));
    if items.any(str::is_empty) {
        return Err(refuse(&"a list has an empty item"));
    }
    Cron::from_str(expression).map_err(|error| refuse(&error))
}

/// Looks up a time zone by its IANA name.
pub(super) fn zone(name: &str) -> Result<TimeZone, InvalidSchedule> {
    TimeZone::get(name).map_err(|_| {
        invalid(format!(
            "unknown time zone `{name}`: use a name from the IANA database, as in `Europe/Berlin`"
        ))
    })
}

impl Timing {
    pub(super) fn cron(expression: String) -> Result<Self, InvalidSchedule> {
        parse(&expression)?;
        Ok(Self::Cron(expression))
    }

    pub(super) fn every(interval: Duration) -> Result<Self, InvalidSchedule> {
        if interval < Duration::from_secs(1) {
            return Err(invalid(format!(
                "invalid interval {interval:?}: a schedule can fire at most once per second"
            )));
        }
        Ok(Self::Every(interval))
    }

    pub(super) fn next_after(
        &self,
        zone_name: &str,
        time: Timestamp,
    ) -> Result<Option<Timestamp>, InvalidSchedule> {
        match self {
            Self::Every(interval) => {
                let interval = i64::try_from(interval.as_millis()).unwrap_or(i64::MAX);
                let count = time.as_millis().div_euclid(interval) + 1;
                Ok(count.checked_mul(interval).map(Timestamp::from_millis))
            }
            Self::Cron(expression) => {
                let now = zoned(time, zone(zone_name)?)?;
                match parse(expression)?.find_next_occurrence(&now, false) {
                    Ok(next) => Ok(Some(Timestamp::from_millis(
                        next.timestamp().as_millisecond(),
                    ))),
                    // The expression never matches, such as every 30th of February.
                    Err(_) => Ok(None),
                }
            }
        }
    }

    pub(super) fn describe(&self, zone: &str) -> String {
        match self {
            Self::Cron(expression) => format!("{expression} ({zone})"),
            Self::Every(interval) => format!("every {interval:?}"),
        }
    }
}

fn zoned(time: Timestamp, zone: TimeZone) -> Result<Zoned, InvalidSchedule> {
    let instant = jiff::Timestamp::from_millisecond(time.as_millis())
        .map_err(|_| invalid(format!("{time} is out of range")))?;
    Ok(instant.to_zoned(zone))
}

/// Encodes a schedule for the store.
pub(super) fn write(schedule: &Schedule) -> String {
    let mut plan = match &schedule.timing {
        Timing::Cron(expression) => json!({ "cron": expression, "zone": schedule.zone }),
        Timing::Every(interval) => json!({ "every_ms": interval.as_millis() as u64 }),
    };
    plan["overlap"] = Value::from(match schedule.overlap {
        Overlap::Skip => "skip",
        Overlap::Allow => "allow",
        Overlap::CancelOther => "cancel-other",
    });
    plan["catch_up"] = Value::from(match schedule.catch_up {
        CatchUp::Latest => "latest",
        CatchUp::All => "all",
        CatchUp::Skip => "skip",
    });
    // Plans without labels stay as older releases write them.
    if !schedule.labels.is_empty() {
        plan["labels"] = schedule.labels.iter().collect();
    }
    plan.to_string()
}

/// Decodes the plan of a schedule, without its queue.
pub(super) fn read(plan: &str) -> Result<Schedule, InvalidSchedule> {
    let unknown = || {
        invalid(format!(
            "invalid plan {plan}: it was written by a newer release or another program"
        ))
    };
    let value: Value = serde_json::from_str(plan).map_err(|_| unknown())?;
    let timing = match (&value["cron"], value["every_ms"].as_u64()) {
        (Value::String(expression), _) => Timing::cron(expression.clone())?,
        (_, Some(millis)) => Timing::every(Duration::from_millis(millis))?,
        _ => return Err(unknown()),
    };
    let mut schedule = Schedule::new(timing);
    if let Some(name) = value["zone"].as_str() {
        schedule = schedule.zone(name)?;
    }
    schedule.overlap = match value["overlap"].as_str() {
        Some("skip") => Overlap::Skip,
        Some("allow") => Overlap::Allow,
        Some("cancel-other") => Overlap::CancelOther,
        _ => return Err(unknown()),
    };
    schedule.catch_up = match value["catch_up"].as_str() {
        Some("latest") => CatchUp::Latest,
        Some("all") => CatchUp::All,
        Some("skip") => CatchUp::Skip,
        _ => return Err(unknown()),
    };
    if !value["labels"].is_null() {
        schedule.labels = Labels::decode(&value["labels"].to_string())
            .map_err(|error| invalid(error.to_string()))?;
    }
    Ok(schedule)
}
