//! Tests of a function's log lines on Lambda.
//!
//! They are a separate binary because `tracing` caches for the whole process which spans are enabled.

use std::sync::{Arc, Mutex};

use durable::prelude::*;
use durable::store::MemoryStore;
use durable_lambda::log::Log;
use serde_json::Value;
use tokio::time::Instant;
use tracing::Instrument;
use tracing_subscriber::layer::SubscriberExt;

/// Clock that follows tokio's, which a paused runtime advances whenever all tasks are idle.
struct TokioClock(Instant);

impl durable::Clock for TokioClock {
    fn now(&self) -> durable::Timestamp {
        durable::Timestamp::from_millis(1_800_000_000_000).after(self.0.elapsed())
    }

    fn sleep(&self, delay: Duration) -> durable::BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(delay))
    }
}

const ARN: &str = "arn:aws:lambda:eu-central-1:123456789012:function:f:7/durable-execution/a/1";

#[durable]
async fn logs(_n: u32) -> Result<(), BoxError> {
    tracing::info!("begins");
    step!("work", {
        let error = std::io::Error::other("the cause");
        tracing::warn!(
            rows = 500,
            level = "mine",
            error = &error as &dyn std::error::Error,
            "works"
        );
        Ok::<_, String>(())
    })
    .await?;
    let part = tracing::info_span!("part", file = "a.csv");
    let logged = async { tracing::info!("in its own span") };
    logged.instrument(part).await;
    scope!("inside", {
        tracing::info!("inside begins");
        wait!("hour", Duration::from_secs(3600)).await;
        tracing::info!("inside waited");
        tracing::debug!("a detail");
        Ok::<_, BoxError>(())
    })
    .await?;
    tracing::info!("ends");
    Ok(())
}

/// Runs the handler and returns its log lines.
fn lines(log: Log) -> Vec<String> {
    let lines: Arc<Mutex<Vec<String>>> = Arc::default();
    let sink = Arc::clone(&lines);
    let layer = log.layer(move |line: &str| sink.lock().unwrap().push(line.to_owned()));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        let invocation = tracing::info_span!(
            target: "durable_lambda",
            "invocation",
            request_id = "8476a536",
            tenant_id = "blue"
        );
        let run = durable::run(logs, ARN, 0).clock(Arc::new(TokioClock(Instant::now())));
        let run = async { run.store(MemoryStore::new()).await };
        runtime.block_on(run.instrument(invocation)).unwrap();
    });
    let lines = lines.lock().unwrap();
    lines.clone()
}

fn find(lines: &[String], message: &str) -> Value {
    let parsed = lines
        .iter()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mut found: Vec<Value> = parsed.filter(|line| line["message"] == message).collect();
    assert_eq!(found.len(), 1, "{message:?} in {lines:#?}");
    found.remove(0)
}

#[test]
fn lines_are_flat_and_written_once() {
    let lines = lines(Log::new());
    assert!(
        lines
            .iter()
            .all(|line| line.ends_with("}\n") && line.lines().count() == 1)
    );
    for message in ["begins", "inside begins", "inside waited", "ends"] {
        let line = find(&lines, message);
        assert_eq!(line["executionArn"], ARN);
        assert_eq!(line["requestId"], "8476a536");
        assert_eq!(line["tenantId"], "blue");
        assert_eq!(line["level"], "INFO");
        assert_eq!(line.get("replay"), None);
        let time = line["timestamp"].as_str().unwrap();
        assert!(time.len() == 24 && time.ends_with('Z'), "{time}");
    }
    assert_eq!(find(&lines, "begins").get("operationName"), None);
    assert_eq!(find(&lines, "inside begins")["operationName"], "inside");
    assert!(!lines.iter().any(|line| line.contains("a detail")));
}

#[test]
fn lines_of_bodies_name_the_operation_and_keep_custom_fields() {
    let lines = lines(Log::new());
    let line = find(&lines, "works");
    assert_eq!(line["operationName"], "work");
    assert_eq!(line["operationId"].as_str().map(str::len), Some(32));
    assert_eq!(line["attempt"], 1);
    assert_eq!(line["rows"], 500);
    assert_eq!(line["level"], "WARN");
    assert_eq!(line["fields.level"], "mine");
    assert_eq!(line["error"], "the cause");
    assert_eq!(find(&lines, "in its own span")["file"], "a.csv");
}

#[test]
fn levels_filter_lines_but_not_span_fields() {
    let lines = lines(Log::new().level(tracing::Level::WARN));
    assert_eq!(lines.len(), 1, "{lines:#?}");
    assert_eq!(find(&lines, "works")["operationName"], "work");
}

#[test]
fn replayed_lines_are_marked_when_enabled() {
    let lines = lines(Log::new().replayed(true));
    let begins = lines.iter().filter(|line| line.contains("\"begins\""));
    let begins: Vec<Value> = begins
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(begins.len() > 1, "{lines:#?}");
    assert_eq!(begins[0].get("replay"), None);
    assert!(begins[1..].iter().all(|line| line["replay"] == true));
    assert_eq!(find(&lines, "works").get("replay"), None);
}
