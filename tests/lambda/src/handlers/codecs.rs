//! Codecs that requirements use.

use durable::{BatchResult, BoxError, Codec, Json};
use serde::Serialize;
use serde_json::{Value, json};

/// Codec for text in upper case, without quotes.
pub(super) struct Upper;

impl Codec<String> for Upper {
    fn name(&self) -> &'static str {
        "upper"
    }

    fn encode(&self, value: &String) -> Result<Vec<u8>, BoxError> {
        Ok(value.to_uppercase().into_bytes())
    }

    fn decode(&self, bytes: &[u8]) -> Result<String, BoxError> {
        Ok(std::str::from_utf8(bytes)?.to_uppercase())
    }
}

/// Codec for JSON with strings in upper case.
pub(super) struct UpperJson;

impl Codec<Value> for UpperJson {
    fn name(&self) -> &'static str {
        "upper-json"
    }

    fn encode(&self, value: &Value) -> Result<Vec<u8>, BoxError> {
        Json.encode(&to_uppercase(value))
    }

    fn decode(&self, bytes: &[u8]) -> Result<Value, BoxError> {
        Json.decode(bytes)
    }
}

fn to_uppercase(value: &Value) -> Value {
    match value {
        Value::String(text) => text.to_uppercase().into(),
        Value::Array(items) => items.iter().map(to_uppercase).collect(),
        Value::Object(fields) => {
            let fields = fields.iter();
            fields
                .map(|(name, value)| (name.clone(), to_uppercase(value)))
                .collect()
        }
        other => other.clone(),
    }
}

/// Codec for text with a prefix.
pub(super) struct Prefixed(pub(super) &'static str);

impl Codec<String> for Prefixed {
    fn name(&self) -> &'static str {
        "prefixed"
    }

    fn encode(&self, value: &String) -> Result<Vec<u8>, BoxError> {
        Ok(format!("{}{value}", self.0).into_bytes())
    }

    fn decode(&self, bytes: &[u8]) -> Result<String, BoxError> {
        let text = std::str::from_utf8(bytes)?.strip_prefix(self.0);
        Ok(text.ok_or("the prefix is missing")?.to_owned())
    }
}

/// Codec for text in an envelope: `{"wrapped": text}`.
pub(super) struct Wrapped;

impl Codec<String> for Wrapped {
    fn name(&self) -> &'static str {
        "wrapped"
    }

    fn encode(&self, value: &String) -> Result<Vec<u8>, BoxError> {
        Json.encode(&json!({ "wrapped": value }))
    }

    fn decode(&self, bytes: &[u8]) -> Result<String, BoxError> {
        let envelope: Value = Json.decode(bytes)?;
        let text = envelope["wrapped"].as_str();
        Ok(text.ok_or("the envelope is empty")?.to_owned())
    }
}

/// Codec for the values of a batch result in one line.
pub(super) struct Line;

impl Codec<BatchResult<String>> for Line {
    fn name(&self) -> &'static str {
        "line"
    }

    fn encode(&self, result: &BatchResult<String>) -> Result<Vec<u8>, BoxError> {
        let values: Vec<&str> = result.values().map(String::as_str).collect();
        Ok(format!("OPSERDE:{}", values.join(",")).into_bytes())
    }

    fn decode(&self, bytes: &[u8]) -> Result<BatchResult<String>, BoxError> {
        let line = std::str::from_utf8(bytes)?.strip_prefix("OPSERDE:");
        let values = line.ok_or("the prefix `OPSERDE:` is missing")?.split(',');
        Ok(BatchResult::of_values(values.map(str::to_owned)))
    }
}

/// Message with the time at which it was sent, in seconds since 1970.
#[derive(Serialize)]
pub(super) struct Message {
    id: String,
    message: String,
    timestamp: i64,
}

/// Codec for a message with an ISO 8601 time.
pub(super) struct Dated;

impl Codec<Message> for Dated {
    fn name(&self) -> &'static str {
        "dated"
    }

    /// Fails: only external systems send messages.
    fn encode(&self, _value: &Message) -> Result<Vec<u8>, BoxError> {
        Err("messages can only be decoded".into())
    }

    fn decode(&self, bytes: &[u8]) -> Result<Message, BoxError> {
        let fields: Value = Json.decode(bytes)?;
        let text = |name: &str| {
            let text = fields[name].as_str().map(str::to_owned);
            text.ok_or_else(|| format!("`{name}` is not a string"))
        };
        Ok(Message {
            id: text("id")?,
            message: text("message")?,
            timestamp: seconds(&text("timestamp")?).ok_or("`timestamp` is not a UTC time")?,
        })
    }
}

/// Parses a time such as `2026-01-01T00:00:00Z` as seconds since 1970.
fn seconds(time: &str) -> Option<i64> {
    const DAYS: [i64; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut parts = time.split(['-', 'T', ':', 'Z', '.']);
    let mut number = || parts.next()?.parse::<i64>().ok();
    let (year, month, day) = (number()?, number()?, number()?);
    let (hour, minute, second) = (number()?, number()?, number()?);
    let is_leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let years: i64 = (1970..year)
        .map(|year| 365 + i64::from(is_leap(year)))
        .sum();
    let before = DAYS.get(..usize::try_from(month - 1).ok()?)?;
    let leap = i64::from(month > 2 && is_leap(year));
    let days = years + before.iter().sum::<i64>() + leap + day - 1;
    Some(((days * 24 + hour) * 60 + minute) * 60 + second)
}

/// Codec for a number given as a JSON number or string.
pub(super) struct Number;

impl Codec<i64> for Number {
    fn name(&self) -> &'static str {
        "number"
    }

    fn encode(&self, value: &i64) -> Result<Vec<u8>, BoxError> {
        Ok(value.to_string().into_bytes())
    }

    fn decode(&self, bytes: &[u8]) -> Result<i64, BoxError> {
        Ok(std::str::from_utf8(bytes)?.trim_matches('"').parse()?)
    }
}
