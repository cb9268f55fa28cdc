//! The times of a schedule, and how they are written.

use std::str::FromStr;
use std::time::Duration;

use croner::Cron;
use jiff::Zoned;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::{CatchUp, InvalidSchedule, Overlap, Schedule};
use crate::Timestamp;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Timing {
    Cron(String),
    Every(Duration),
}

fn invalid(text: impl Into<String>) -> InvalidSchedule {
    InvalidSchedule(text.into())
}

fn parse(expression: &str) -> Result<Cron, InvalidSchedule> {
    Cron::from_str(expression).map_err(|error| {
        invalid(format!(
            "`{expression}` is no cron expression: {error}. Write minute, hour, day of month, month and day of week, \
             as in `30 3 * * MON-FRI`"
        ))
    })
}

/// The time zone that the IANA database calls by this name.
pub(super) fn zone(name: &str) -> Result<TimeZone, InvalidSchedule> {
    TimeZone::get(name).map_err(|_| {
        invalid(format!(
            "there is no time zone `{name}`: write it as the IANA database does, as in `Europe/Berlin`"
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
            return Err(invalid("a schedule fires once a second at most"));
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
                let turn = time.as_millis().div_euclid(interval) + 1;
                Ok(turn.checked_mul(interval).map(Timestamp::from_millis))
            }
            Self::Cron(expression) => {
                let now = zoned(time, zone(zone_name)?)?;
                match parse(expression)?.find_next_occurrence(&now, false) {
                    Ok(next) => Ok(Some(Timestamp::from_millis(
                        next.timestamp().as_millisecond(),
                    ))),
                    // Such as every 30th of February.
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

/// As stores keep it.
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
    plan.to_string()
}

/// What was written, its queue apart.
pub(super) fn read(plan: &str) -> Result<Schedule, InvalidSchedule> {
    let unknown = || invalid(format!("the plan {plan} is not one of this release"));
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
    Ok(schedule)
}
