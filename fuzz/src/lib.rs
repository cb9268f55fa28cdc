//! What the fuzz targets do with their input. Each function panics if it finds a mistake.

mod history;
mod sqlite_row;

use std::str::from_utf8;

use durable::Timestamp;
use durable::schedule::Schedule;
use durable_core::json::Exact;
use durable_core::lock::Lock;

pub use history::history;
pub use sqlite_row::sqlite_row;

/// All targets by name.
pub const TARGETS: &[(&str, fn(&[u8]))] = &[
    ("attribute", attribute),
    ("history", history),
    ("json", json),
    ("lambda_wire", lambda_wire),
    ("lock_file", lock_file),
    ("postgres_url", postgres_url),
    ("schedule", schedule),
    ("sqlite_row", sqlite_row),
];

/// Expands `#[durable]`: the first line is its arguments, the rest is the function or its body.
pub fn attribute(data: &[u8]) {
    let Ok(text) = from_utf8(data) else { return };
    let (arguments, item) = text.split_once('\n').unwrap_or(("", text));
    fuzz_attribute::expand(arguments, item);
    let function =
        format!("async fn handler(app: &App, input: u32) -> Result<u32, BoxError> {{ {item}\n }}");
    fuzz_attribute::expand(arguments, &function);
}

/// A value that is parsed is printed and parsed back.
pub fn json(data: &[u8]) {
    if let Ok(value) = Exact::parse(data) {
        let text = value.to_string();
        let again = Exact::parse(text.as_bytes()).expect("printed JSON is parsed");
        assert_eq!(again.to_string(), text);
        assert_eq!(value, again);
    }
}

/// Decodes messages of AWS Lambda's durable service.
pub fn lambda_wire(data: &[u8]) {
    if let Ok(text) = from_utf8(data) {
        for record in durable_lambda::decode_messages(text) {
            let _ = record.display_name();
        }
    }
}

/// A lock file that is parsed is printed and parsed back.
pub fn lock_file(data: &[u8]) {
    let Ok(text) = from_utf8(data) else { return };
    match text.parse::<Lock>() {
        Ok(lock) => {
            let printed = lock.to_string();
            assert_eq!(
                printed.parse::<Lock>().expect("a printed lock is parsed"),
                lock
            );
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// Parses the URL of a PostgreSQL store.
pub fn postgres_url(data: &[u8]) {
    if let Ok(text) = from_utf8(data)
        && let Ok(options) = text.parse::<durable::postgres::Options>()
    {
        let _ = options.to_string();
    }
}

/// Parses a cron expression and the name of a zone, one a line, and computes firings.
pub fn schedule(data: &[u8]) {
    let Ok(text) = from_utf8(data) else { return };
    let (expression, zone) = text.split_once('\n').unwrap_or((text, "UTC"));
    let Ok(schedule) = Schedule::cron(expression).and_then(|cron| cron.zone(zone)) else {
        return;
    };
    let _ = schedule.describe();
    let mut time = Timestamp::from_millis(1_790_000_000_000);
    for _ in 0..3 {
        match schedule.next_after(time) {
            Ok(Some(next)) => {
                assert!(next > time, "a firing is later than the time before it");
                time = next;
            }
            Ok(None) | Err(_) => break,
        }
    }
}
