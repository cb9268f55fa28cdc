//! Histories and lists, in pages.

use std::sync::Arc;

use axum::body::Body;
use axum::http::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::durable::{check_arn, id_of, missing};
use super::request::Call;
use super::response::json_text;
use crate::lambda::db::{self, ListFilter};
use crate::lambda::engine::Engine;
use crate::lambda::service::{Refusal, page_size, without_data};

const STATUSES: [&str; 7] = [
    "RUNNING",
    "SUCCEEDED",
    "FAILED",
    "TIMED_OUT",
    "STOPPED",
    "PAUSING",
    "PAUSED",
];

pub(super) async fn history(
    engine: &Arc<Engine>,
    arn: &str,
    call: &Call,
) -> Result<Response<Body>, Refusal> {
    let most = page_size(call.parameter("MaxItems"))?;
    let reverse = call.flag("ReverseOrder", false)?;
    let with_data = call.flag("IncludeExecutionData", true)?;
    let from = marker(call)?;
    let from = match from.as_deref() {
        None => None,
        Some([from]) => Some(*from),
        Some(_) => return Err(Refusal::invalid("Invalid marker")),
    };
    let key = engine.read(
        id_of(arn),
        || missing(arn),
        |execution, key| check_arn(execution, arn).map(|()| key),
    );
    let key = key.await?;
    // One more than requested, to know whether there is another page.
    let read = move |conn: &rusqlite::Connection| db::events(conn, key, from, reverse, most + 1);
    let mut events = engine.db.read(read).await?;
    let next = events.get(most).map(|(number, _)| *number);
    events.truncate(most);
    let mut body = String::from("{\"Events\":[");
    for (at, (_, event)) in events.iter().enumerate() {
        if at > 0 {
            body.push(',');
        }
        body.push_str(&match with_data {
            true => event.clone(),
            false => stripped(event)?,
        });
    }
    body.push(']');
    if let Some(next) = next {
        body.push_str(&format!(",\"NextMarker\":\"{}\"", written(&[next])));
    }
    body.push('}');
    Ok(json_text(200, body))
}

fn stripped(event: &str) -> Result<String, Refusal> {
    let event = serde_json::from_str::<Value>(event);
    let mut event = event.map_err(|error| Refusal::internal(error.to_string()))?;
    without_data(&mut event);
    Ok(event.to_string())
}

pub(super) async fn executions(
    engine: &Arc<Engine>,
    function: &str,
    call: &Call,
) -> Result<Response<Body>, Refusal> {
    let found = engine
        .registry
        .find(function, call.parameter("Qualifier"))?;
    let most = page_size(call.parameter("MaxItems"))?;
    let statuses = call.parameters("Statuses");
    if let Some(unknown) = statuses
        .iter()
        .find(|text| !STATUSES.contains(&text.as_str()))
    {
        let constraint = format!("Member must satisfy enum value set: {STATUSES:?}");
        return Err(Refusal::validation("statuses", unknown, &constraint));
    }
    let after = marker(call)?;
    let filter = ListFilter {
        function: found.pool.name.clone(),
        version: found.qualified.then(|| found.version.clone()),
        name: call.parameter("DurableExecutionName").map(str::to_owned),
        statuses,
        started_after: time(call, "StartedAfter")?,
        started_before: time(call, "StartedBefore")?,
        after: match after.as_deref() {
            None => None,
            Some([started, key]) => Some((started.unsigned_abs(), *key)),
            Some(_) => return Err(Refusal::invalid("Invalid marker")),
        },
        reverse: call.flag("ReverseOrder", false)?,
        most: most + 1,
    };
    let read = move |conn: &rusqlite::Connection| db::list(conn, &filter);
    let mut heads = engine.db.read(read).await?;
    let more = heads.len() > most;
    heads.truncate(most);
    let list: Vec<Value> = heads.iter().map(|(_, head)| head.summary()).collect();
    let mut body = json!({ "DurableExecutions": list });
    if let (true, Some((key, head))) = (more, heads.last()) {
        body["NextMarker"] = json!(written(&[head.started as i64, *key]));
    }
    Ok(json_text(200, body.to_string()))
}

/// Parses a time parameter: ISO 8601, or seconds since 1970.
fn time(call: &Call, name: &str) -> Result<Option<u64>, Refusal> {
    let Some(text) = call.parameter(name).filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let millis = match text.parse::<f64>() {
        Ok(seconds) => Some((seconds * 1_000.0) as i64),
        Err(_) => {
            let time = text.parse::<jiff::Timestamp>();
            time.ok().map(|time| time.as_millisecond())
        }
    };
    match millis {
        Some(millis) => Ok(Some(u64::try_from(millis).unwrap_or(0))),
        None => Err(Refusal::validation(
            name,
            text,
            "Member must be a timestamp",
        )),
    }
}

fn written(numbers: &[i64]) -> String {
    let words: Vec<String> = numbers.iter().map(i64::to_string).collect();
    STANDARD.encode(words.join(" "))
}

fn marker(call: &Call) -> Result<Option<Vec<i64>>, Refusal> {
    let Some(text) = call.parameter("Marker").filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let read = || {
        let text = String::from_utf8(STANDARD.decode(text).ok()?).ok()?;
        let numbers = text.split(' ').map(|word| word.parse().ok());
        numbers.collect::<Option<Vec<i64>>>()
    };
    let numbers = read().filter(|numbers| numbers.iter().all(|n| (0..=1 << 53).contains(n)));
    let invalid = || Refusal::invalid("Invalid marker");
    numbers.map(Some).ok_or_else(invalid)
}
