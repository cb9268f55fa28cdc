//! Parsers of argument values.

use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use durable_core::json::Exact;
use durable_core::store::{ExecutionStatus, Rate};
use durable_core::{Labels, Timestamp};

pub(crate) fn statuses() -> impl TypedValueParser<Value = ExecutionStatus> {
    PossibleValuesParser::new(ExecutionStatus::ALL.map(ExecutionStatus::as_str)).try_map(|word| {
        ExecutionStatus::from_word(&word).ok_or_else(|| format!("unknown status {word}"))
    })
}

/// Parses a duration such as `90s`, `15m`, `12h`, `30d` or `500ms`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let invalid = || {
        format!(
            "invalid duration `{text}`: expected a number and a unit, as in 500ms, 90s, 15m, 12h, 30d or 2w"
        )
    };
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .ok_or_else(invalid)?;
    let (number, unit) = text.split_at(end);
    let number: u64 = number.parse().map_err(|_| invalid())?;
    let millis = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        "w" => 7 * 86_400_000,
        _ => return Err(invalid()),
    };
    number
        .checked_mul(millis)
        .map(Duration::from_millis)
        .ok_or_else(invalid)
}

/// Parses a time such as `2026-11-25T03:00:00Z`.
pub(crate) fn time(text: &str) -> Result<Timestamp, String> {
    let parsed: Result<jiff::Timestamp, _> = text.parse();
    match parsed {
        Ok(time) => Ok(Timestamp::from_millis(time.as_millisecond())),
        Err(_) => Err(format!(
            "invalid time `{text}`: expected a date, a time and an offset, as in 2026-11-25T03:00:00Z or \
             2026-11-25T03:00:00+01:00"
        )),
    }
}

/// Parses a rate such as `10/1m`: ten starts per minute.
pub(crate) fn rate(text: &str) -> Result<Rate, String> {
    let invalid =
        || format!("invalid rate `{text}`: expected starts per duration, as in 10/1s or 100/1h");
    let (starts, per) = text.split_once('/').ok_or_else(invalid)?;
    let starts = starts.parse().map_err(|_| invalid())?;
    let per = duration(per).map_err(|_| invalid())?;
    if starts == 0 || per.is_zero() {
        return Err(invalid());
    }
    Ok(Rate { starts, per })
}

/// Parses a label such as `tenant=acme`.
pub(crate) fn label(text: &str) -> Result<(String, String), String> {
    let Some((key, value)) = text.split_once('=') else {
        return Err(format!(
            "invalid label `{text}`: expected a key and a value, as in tenant=acme"
        ));
    };
    let labels = Labels::new().with(key, value);
    labels.map_err(|error| error.to_string())?;
    Ok((key.to_owned(), value.to_owned()))
}

/// Collects labels, of which the last one with a key counts.
pub(crate) fn labels(given: Vec<(String, String)>) -> Result<Labels, String> {
    let mut given = given.into_iter();
    let labels = given.try_fold(Labels::new(), |labels, (key, value)| {
        labels.with(key, value)
    });
    labels.map_err(|error| error.to_string())
}

/// Parses a message such as `approved=true`.
pub(crate) fn message(text: &str) -> Result<(String, Exact), String> {
    let Some((name, value)) = text.split_once('=') else {
        return Err(format!(
            "invalid message `{text}`: expected a name and a JSON value, as in approved=true"
        ));
    };
    Ok((name.to_owned(), json(value)?))
}

/// Parses a JSON value, keeping the digits of its numbers.
pub(crate) fn json(text: &str) -> Result<Exact, String> {
    Exact::parse(text.as_bytes()).map_err(|error| {
        format!("invalid JSON: {error} (a string needs its own quotes: '\"like this\"')")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_need_a_unit_and_times_an_offset() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("2w"), Ok(Duration::from_secs(14 * 86_400)));
        for invalid in ["", "90", "s", "1y", "-1s", "99999999999999999999s"] {
            assert!(duration(invalid).is_err(), "{invalid}");
        }
        let noon = time("2026-11-25T12:00:00+01:00").unwrap();
        assert_eq!(noon.to_string(), "2026-11-25T11:00:00.000Z");
        assert!(time("tomorrow").is_err());
    }

    #[test]
    fn labels_need_a_key_and_a_value() {
        let pair = |key: &str, value: &str| Ok((key.to_owned(), value.to_owned()));
        assert_eq!(label("tenant=acme"), pair("tenant", "acme"));
        assert_eq!(label("query=a=b"), pair("query", "a=b"));
        assert_eq!(label("empty="), pair("empty", ""));
        for invalid in ["tenant", "=acme", "two words=x"] {
            assert!(label(invalid).is_err(), "{invalid}");
        }
    }

    #[test]
    fn messages_need_a_name_and_a_json_value() {
        let (name, value) = message("text=\"a=b\"").unwrap();
        assert_eq!((&*name, value), ("text", json("\"a=b\"").unwrap()));
        for invalid in ["text", "text=", "text=hello"] {
            assert!(message(invalid).is_err(), "{invalid}");
        }
    }

    #[test]
    fn rates_need_a_count_and_a_duration() {
        let per = Duration::from_secs(60);
        assert_eq!(rate("10/1m"), Ok(Rate { starts: 10, per }));
        for invalid in ["10", "0/1s", "1/0s", "x/1s"] {
            assert!(rate(invalid).is_err(), "{invalid}");
        }
    }
}
