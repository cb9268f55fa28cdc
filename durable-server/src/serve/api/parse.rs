//! Texts of requests as values of the library.

use durable_core::store::{ExecutionStatus, Order, Rate};
use durable_core::{ExecutionId, Payload, Timestamp};
use serde_json::value::RawValue;
use std::time::Duration;

use crate::serve::problem::Problem;

pub(crate) fn execution_id(text: &str) -> Result<ExecutionId, Problem> {
    Ok(text.parse::<ExecutionId>()?)
}

/// A point in time; empty is none.
pub(crate) fn time(field: &str, text: Option<&str>) -> Result<Option<Timestamp>, Problem> {
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let time: Result<jiff::Timestamp, _> = text.parse();
    match time {
        Ok(time) => Ok(Some(Timestamp::from_millis(time.as_millisecond()))),
        Err(_) => Err(Problem::bad_request(format!(
            "`{field}` is {text:?}: expected a time with its offset, such as 2026-11-25T03:00:00Z"
        ))),
    }
}

/// Order of a listing, and the id after which a listing in the order of ids continues.
pub(crate) fn order(
    order: Option<&str>,
    after: Option<String>,
) -> Result<(Order, Option<ExecutionId>), Problem> {
    match order.unwrap_or_default() {
        "" | "id" => Ok((Order::Id, after.as_deref().map(execution_id).transpose()?)),
        "newest" => {
            let after = after.as_deref().map(place).transpose()?;
            Ok((Order::Newest { after }, None))
        }
        order => Err(Problem::bad_request(format!(
            "`order` is {order:?}: expected id or newest"
        ))),
    }
}

/// Place in a listing with the newest first.
fn place(text: &str) -> Result<(Timestamp, ExecutionId), Problem> {
    let parts = text.split_once('/');
    let place = parts.and_then(|(start, id)| {
        let time = time("after", Some(start)).ok().flatten()?;
        Some((time, id.parse().ok()?))
    });
    place.ok_or_else(|| {
        Problem::bad_request(format!(
            "`after` is {text:?}: expected time of start and id of an execution, such as 2026-11-25T03:00:00.000Z/import-7"
        ))
    })
}

/// Words of states, separated by commas; empty is all.
pub(crate) fn statuses(text: Option<&str>) -> Result<Vec<ExecutionStatus>, Problem> {
    let words = text.unwrap_or_default().split(',').map(str::trim);
    let words = words.filter(|word| !word.is_empty());
    let status = |word: &str| {
        ExecutionStatus::from_word(word).ok_or_else(|| {
            let all = ExecutionStatus::ALL.map(ExecutionStatus::as_str).join(", ");
            Problem::bad_request(format!("`status` is {word:?}: expected one of {all}"))
        })
    };
    words.map(status).collect()
}

/// A text; empty is none.
pub(crate) fn some(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

/// A name of a handler, queue or schedule.
pub(crate) fn name(field: &str, text: &str) -> Result<String, Problem> {
    const LONGEST: usize = 512;
    if text.is_empty() || text.len() > LONGEST || text.chars().any(char::is_control) {
        return Err(Problem::bad_request(format!(
            "`{field}` is {text:?}: expected 1 to {LONGEST} bytes without control characters"
        )));
    }
    Ok(text.to_owned())
}

/// An input or value as JSON text, with the digits of its numbers.
pub(crate) fn input_payload(input: Option<&RawValue>) -> Payload {
    Payload::json(input.map_or("null", RawValue::get).to_owned())
}

/// A rate of starts.
pub(crate) fn rate(starts: Option<u32>, millis: Option<u64>) -> Result<Option<Rate>, Problem> {
    match (starts, millis) {
        (None, None) => Ok(None),
        (Some(starts @ 1..), Some(millis @ 1..)) => Ok(Some(Rate {
            starts,
            per: Duration::from_millis(millis.min(MAX_RATE)),
        })),
        _ => Err(Problem::bad_request(
            "a rate needs both `rate_starts` and `rate_ms`, each at least 1",
        )),
    }
}

/// A year: longer times do not fit into the arithmetic of every store.
const MAX_RATE: u64 = 365 * 86_400_000;
