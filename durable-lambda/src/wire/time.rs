//! Timestamps in the formats that the service and its emulators use.

use std::fmt;

use durable_core::Timestamp;
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};

/// Numbers above this are milliseconds, others seconds. In seconds it is the year 5138.
const MAX_SECONDS: f64 = 1e11;

/// Point in time, read from any of the formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Time(pub(crate) Timestamp);

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TimeVisitor).map(Self)
    }
}

struct TimeVisitor;

impl Visitor<'_> for TimeVisitor {
    type Value = Timestamp;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("seconds or milliseconds since 1970, or an ISO 8601 time")
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Timestamp, E> {
        let millis = if number.abs() > MAX_SECONDS {
            number
        } else {
            number * 1000.0
        };
        Ok(Timestamp::from_millis(millis.round() as i64))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Timestamp, E> {
        self.visit_f64(number as f64)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Timestamp, E> {
        self.visit_f64(number as f64)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Timestamp, E> {
        parse(text)
            .map(Timestamp::from_millis)
            .ok_or_else(|| E::custom(format!("invalid time {text:?}: expected ISO 8601")))
    }
}

/// Parses a time such as `2026-11-25T14:00:00.123456+00:00`. A space may replace the `T`; fraction and offset are
/// optional.
fn parse(text: &str) -> Option<i64> {
    let number = |range: std::ops::Range<usize>| text.get(range)?.parse::<i64>().ok();
    let separators = [(4, "-"), (7, "-"), (13, ":"), (16, ":")];
    let fits = separators
        .iter()
        .all(|(at, separator)| text.get(*at..*at + 1) == Some(separator));
    if !fits || !matches!(text.get(10..11), Some("T" | "t" | " ")) {
        return None;
    }
    let days = days_from_civil(number(0..4)?, number(5..7)?, number(8..10)?)?;
    let seconds = number(11..13)? * 3600 + number(14..16)? * 60 + number(17..19)?;
    let rest = text.get(19..)?;
    let digits = rest.strip_prefix('.').map_or("", |fraction| {
        let end = fraction.find(|c: char| !c.is_ascii_digit());
        &fraction[..end.unwrap_or(fraction.len())]
    });
    let millis: i64 = format!("{digits:0<3}").get(..3)?.parse().ok()?;
    let after = if digits.is_empty() {
        0
    } else {
        digits.len() + 1
    };
    let offset = offset(rest.get(after..)?)?;
    Some((days * 86_400 + seconds - offset) * 1000 + millis)
}

/// Parses an offset (`Z`, `+01:00` or empty) as seconds.
fn offset(zone: &str) -> Option<i64> {
    if matches!(zone, "" | "Z" | "z") {
        return Some(0);
    }
    let sign = match zone.get(..1)? {
        "+" => 1,
        "-" => -1,
        _ => return None,
    };
    let two_digits = |text: &str| text.parse::<i64>().ok().filter(|_| text.len() == 2);
    let hours = two_digits(zone.get(1..3)?)?;
    let minutes = two_digits(zone.get(3..)?.trim_start_matches(':'))?;
    Some(sign * (hours * 3600 + minutes * 60))
}

/// Returns the days from 1970 to a date. Years are counted from March, so that leap days come last.
fn days_from_civil(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468)
}

/// Formats the date (`20261125`) and the second (`20261125T140000Z`) of a time for request signatures.
pub(crate) fn date_and_second(time: Timestamp) -> (String, String) {
    let text = time.to_string();
    let second = text.split('.').next().unwrap_or_default();
    let second = second.replace(['-', ':'], "");
    let date = second.split('T').next().unwrap_or_default();
    (date.to_owned(), format!("{second}Z"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Option<i64> {
        let time: Result<Time, _> = serde_json::from_str(json);
        time.ok().map(|time| time.0.as_millis())
    }

    #[test]
    fn all_time_formats_parse() {
        let millis = 1_764_000_000_123;
        for text in [
            "1764000000123",
            "1764000000.123",
            "\"2025-11-24T16:00:00.123Z\"",
            "\"2025-11-24 16:00:00.123456+00:00\"",
            "\"2025-11-24T17:00:00.123+01:00\"",
        ] {
            assert_eq!(read(text), Some(millis), "{text}");
        }
        assert_eq!(read("1764000000"), Some(1_764_000_000_000));
        assert_eq!(read("\"2024-02-29T00:00:00\""), Some(1_709_164_800_000));
        for wrong in [
            "\"yesterday\"",
            "\"2025-13-01T00:00:00Z\"",
            "\"2025-11-24T16:00:00+01:9223372036854775807\"",
            "true",
            "\"\"",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn formatted_dates_parse_to_the_same_time() {
        let mut millis = -62_135_596_800_000_i64;
        while millis < 4_102_444_800_000 {
            let time = Timestamp::from_millis(millis);
            assert_eq!(read(&format!("\"{time}\"")), Some(millis));
            millis += 86_400_000 * 13 + 7_919_001;
        }
        let (date, second) = date_and_second(Timestamp::from_millis(1_764_000_000_123));
        assert_eq!((&*date, &*second), ("20251124", "20251124T160000Z"));
    }
}
