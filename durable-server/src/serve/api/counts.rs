//! Counts of executions, for people and for Prometheus.

use std::fmt::Write as _;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Json, Response};
use durable_core::store::{Counts, ExecutionStatus, QueueState};
use serde::Serialize;
use utoipa::ToSchema;

use crate::serve::problem::Problem;
use crate::serve::state::App;

/// Executions by handler and status.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CountList {
    /// Number of the shape: 1.
    format: u32,
    /// Whether every execution was counted; `false` above the limit of the server. Large groups are counted in part then.
    complete: bool,
    /// By handler and status.
    counts: Vec<CountEntry>,
}

/// How many executions of a handler are in one state.
#[derive(Debug, Serialize, ToSchema)]
struct CountEntry {
    /// Name of the handler.
    handler: String,
    /// The state.
    status: &'static str,
    /// How many were counted.
    executions: u64,
    /// Whether all of them were counted; otherwise there are more.
    complete: bool,
    /// When the oldest of them was started.
    oldest: String,
}

impl CountList {
    fn new(counts: &Counts) -> Self {
        let entry = |count: &durable_core::store::Count| CountEntry {
            handler: count.handler.clone(),
            status: count.status.as_str(),
            executions: count.executions,
            complete: count.complete,
            oldest: count.oldest.to_string(),
        };
        Self {
            format: crate::view::json::FORMAT,
            complete: counts.complete,
            counts: counts.counts.iter().map(entry).collect(),
        }
    }
}

/// Count executions by handler and status.
#[utoipa::path(get, path = "/api/counts", operation_id = "count_executions", tag = "metrics", responses(
    (status = 200, description = "The answer.", body = CountList),
    Problem
))]
pub(super) async fn counts(State(app): State<App>) -> Result<Json<CountList>, Problem> {
    let counts = app.client.counts(app.options.counted).await?;
    Ok(Json(CountList::new(&counts)))
}

/// Numbers for Prometheus, in its text format.
#[utoipa::path(get, path = "/metrics", operation_id = "get_metrics", tag = "metrics", responses(
    (status = 200, description = "Gauges of executions and queues.", body = String, content_type = "text/plain"),
    Problem
))]
pub(super) async fn metrics(State(app): State<App>) -> Result<Response, Problem> {
    let counts = app.client.counts(app.options.counted).await?;
    let queues = app.client.queues().await?;
    let text = prometheus(&counts, &queues, app.now().as_millis());
    let kind = [(
        header::CONTENT_TYPE,
        "text/plain; version=0.0.4; charset=utf-8",
    )];
    Ok((kind, text).into_response())
}

/// Whether the server and its store answer.
#[utoipa::path(get, path = "/healthz", operation_id = "get_health", tag = "metrics", responses(
    (status = 200, description = "Both answer.", body = String, content_type = "text/plain"),
    Problem
))]
pub(super) async fn health(State(app): State<App>) -> Result<&'static str, Problem> {
    let filter = durable_core::store::Filter {
        limit: 1,
        ..Default::default()
    };
    app.client.list(filter).await?;
    Ok("ok\n")
}

fn prometheus(counts: &Counts, queues: &[QueueState], now: i64) -> String {
    let mut text = String::new();
    let mut family = |name: &str, help: &str, samples: Vec<(String, f64)>| {
        // A string takes everything.
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge");
        for (labels, value) in samples {
            let _ = writeln!(text, "{name}{labels} {value}");
        }
    };
    let by = |count: &durable_core::store::Count| {
        format!(
            "{{handler=\"{}\",status=\"{}\"}}",
            escaped(&count.handler),
            count.status
        )
    };
    let all = counts.counts.iter();
    family(
        "durable_executions",
        "Executions by handler and status; at least so many if durable_counts_complete is 0.",
        all.clone()
            .map(|count| (by(count), count.executions as f64))
            .collect(),
    );
    let open = all.filter(|count| !count.status.is_terminal());
    let age = |count: &durable_core::store::Count| (now - count.oldest.as_millis()).max(0) as f64;
    family(
        "durable_oldest_execution_age_seconds",
        "Time since the start of the oldest execution that has not ended.",
        open.map(|count| (by(count), age(count) / 1e3)).collect(),
    );
    family(
        "durable_counts_complete",
        "1 if every execution was counted, 0 above the limit of the server.",
        vec![(String::new(), f64::from(u8::from(counts.complete)))],
    );
    let of = |state: &QueueState| format!("{{queue=\"{}\"}}", escaped(&state.queue.name));
    let each = |value: fn(&QueueState) -> f64| {
        let samples = queues.iter().map(|state| (of(state), value(state)));
        samples.collect::<Vec<_>>()
    };
    family(
        "durable_queue_waiting",
        "Executions that wait for their turn.",
        each(|state| state.waiting as f64),
    );
    family(
        "durable_queue_running",
        "Executions that have left the queue and not ended.",
        each(|state| state.running as f64),
    );
    family(
        "durable_queue_paused",
        "1 if nothing leaves the queue.",
        each(|state| f64::from(u8::from(state.queue.paused))),
    );
    text
}

/// A label value, as the format writes it.
fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('"', "\\\"");
    text.replace('\n', "\\n")
}

/// How many executions are in each state, in the order of [`ExecutionStatus::ALL`]: a number, followed by `+` if there are
/// more.
pub(crate) fn by_status(counts: &Counts) -> Vec<(ExecutionStatus, String)> {
    let of = |status: ExecutionStatus| {
        let some = counts.counts.iter().filter(|count| count.status == status);
        let sum: u64 = some.clone().map(|count| count.executions).sum();
        let more = match some.clone().all(|count| count.complete) {
            true => "",
            false => "+",
        };
        (status, format!("{sum}{more}"))
    };
    ExecutionStatus::ALL.into_iter().map(of).collect()
}
