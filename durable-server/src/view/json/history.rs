//! Output of `ls` and `show`: executions and their operations.

use std::collections::BTreeMap;

use durable_core::json::Exact;
use serde::Serialize;

use super::messages::{Message, Messages};

/// Output of `ls`.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct Executions {
    /// Number of the output format: [`FORMAT`](super::FORMAT).
    pub format: u32,
    /// Executions in the order of the listing, by default that of their ids.
    pub executions: Vec<Summary>,
    /// Whether there are more executions after these.
    pub more: bool,
}

/// Output of `show`.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct History {
    /// Number of the output format: [`FORMAT`](super::FORMAT).
    pub format: u32,
    /// The execution itself.
    pub execution: ExecutionDetails,
    /// Operations: each scope is followed by those in it, in the order they were first recorded.
    pub operations: Vec<Operation>,
    /// Published values, by name.
    pub published: Vec<Published>,
    /// Messages in the order in which they were accepted, received ones included. Left out if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<Message>,
}

impl History {
    /// Adds the messages to the execution.
    #[must_use]
    pub fn with_messages(mut self, messages: Messages) -> Self {
        self.messages = messages.messages;
        self
    }
}

/// The latest value that an execution has published under a name.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct Published {
    /// The name.
    pub name: String,
    /// The value.
    pub value: Value,
    /// Number of values published under this name so far.
    pub count: u32,
    /// Time at which it was published.
    pub at: String,
}

/// Execution without its input, output and error.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct Summary {
    /// Id of the execution.
    pub id: String,
    /// Name of the handler.
    pub handler: String,
    /// `queued`, `running`, `suspended`, `succeeded`, `failed`, `blocked`, `cancelled` or `continued`.
    pub status: &'static str,
    /// Time at which it was started.
    pub created_at: String,
    /// Time of the last change of its state.
    pub updated_at: String,
    /// Time at which it is due again, while it is suspended until then.
    pub wake_at: Option<String>,
    /// Operation of another execution that waits for its end.
    pub parent: Option<Parent>,
    /// Id of the execution that continues it, if its status is `continued`.
    pub next: Option<String>,
    /// Earliest time of its first run, if that is later than its start.
    pub start_at: Option<String>,
    /// Queue it was started in.
    pub queue: Option<String>,
    /// Its key in that queue.
    pub key: Option<String>,
    /// Its priority in that queue.
    pub priority: Option<i32>,
    /// Whether it is paused.
    pub paused: bool,
    /// Labels it was started with: an object of texts.
    pub labels: BTreeMap<String, String>,
    /// Execution whose history it began with, if it was forked.
    pub forked_from: Option<ForkedFrom>,
}

/// Origin of a forked execution.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct ForkedFrom {
    /// Id of the other execution.
    pub execution: String,
    /// Last `seq` in it that belongs to the part taken over.
    pub seq: u64,
    /// Number of operations taken over: those with a `seq` up to this one.
    pub records: u64,
}

/// Operation that waits for the end of an execution.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct Parent {
    /// Id of the execution that waits.
    pub execution: String,
    /// `seq` of the operation.
    pub seq: u64,
    /// `id` of the operation.
    pub operation: String,
}

/// Execution with all its fields: those of [`Summary`] and these.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct ExecutionDetails {
    /// Fields of the summary, flattened into this object.
    #[serde(flatten)]
    pub summary: Summary,
    /// Input.
    pub input: Value,
    /// Rust type of the input, if it is known.
    pub input_type: Option<String>,
    /// Output, once it succeeded.
    pub output: Option<Value>,
    /// Error, once it failed or was cancelled.
    pub error: Option<Failure>,
    /// Whether its cancellation was requested.
    pub cancel: bool,
    /// Reason why it is blocked; also `null` if the reason is secret.
    pub report: Option<String>,
}

/// Operation of an execution.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct Operation {
    /// Position in the order in which operations were first recorded, from 1.
    pub seq: u64,
    /// Id of the operation: 32 hexadecimal digits.
    pub id: String,
    /// Id of the scope it is in; `null` at the top level.
    pub parent: Option<String>,
    /// Display name, after those of the scopes it is in: `files[a.csv]/parse`.
    pub path: String,
    /// Name of its call site.
    pub name: String,
    /// Key, if its call site has `key`.
    pub key: Option<String>,
    /// Index of the run, from 0, if its call site has `ordered`.
    pub turn: Option<u64>,
    /// Label, shown instead of its name.
    pub label: Option<String>,
    /// Position in the order in which the code reached its operations. Comparable only among operations of
    /// the same scope.
    pub order: u64,
    /// `step`, `record`, `wait`, `scope`, `call`, `poll`, `callback`, `invoke`, `map`, `parallel`,
    /// `branch`, `race`, `batch` or `undo`.
    pub kind: &'static str,
    /// `started`, `pending`, `succeeded`, `failed` or `cancelled`.
    pub status: &'static str,
    /// Number of attempts begun.
    pub attempts: u32,
    /// Number of times its body was interrupted by the end of the process.
    pub interruptions: u32,
    /// Time of its first start.
    pub started_at: String,
    /// Time at which its outcome was settled.
    pub ended_at: Option<String>,
    /// Time at which a timer ends, the next attempt may begin or a callback times out.
    pub due_at: Option<String>,
    /// Id of a callback or of an invoked execution.
    pub handle: Option<String>,
    /// Time at which a callback times out regardless of its heartbeats.
    pub deadline: Option<String>,
    /// Heartbeat timeout of a callback, in milliseconds.
    pub heartbeat_ms: Option<u64>,
    /// Index after the last item of a batch.
    pub extent: Option<u64>,
    /// Fingerprint of its input: 32 hexadecimal digits.
    pub fingerprint: Option<String>,
    /// Time from the start to the outcome, in milliseconds.
    pub duration_ms: Option<u64>,
    /// Size of value and error, in bytes.
    pub size: usize,
    /// Rust type of the value.
    pub value_type: Option<String>,
    /// Rust type of the state that a poll carries from one check to the next.
    pub state_type: Option<String>,
    /// Value, once it succeeded, or the state that a poll carries to its next check.
    pub value: Option<Value>,
    /// Error, once it failed, or that of the previous attempt while it is pending.
    pub error: Option<Failure>,
    /// Whether the operation is marked as secret.
    pub secret: bool,
    /// `file:line` of the call site.
    pub source: String,
}

/// Recorded value.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct Value {
    /// Name of the codec that encoded it.
    pub codec: String,
    /// Size of the encoded value, in bytes.
    pub size: usize,
    /// Reason why `json` is `null`: `sealed`, `secret`, `long` (see `--full`) or `not_json`.
    pub hidden: Option<&'static str>,
    /// The value.
    #[cfg_attr(feature = "serve", schema(value_type = Option<serde_json::Value>))]
    pub json: Option<Exact>,
    /// The value as it was encoded, if `json` differs from it or contains numbers that a reader may round.
    pub text: Option<String>,
    /// The encoded value in hexadecimal digits, if it is `not_json`.
    pub hex: Option<String>,
}

/// Recorded error.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct Failure {
    /// Operation that failed, with the scopes it is in.
    pub operation: String,
    /// `failed`, `interrupted`, `timed_out`, `too_large`, `codec` or `cancelled`.
    pub kind: &'static str,
    /// Number of attempts begun.
    pub attempts: u32,
    /// Whether `message`, `type_name` and `chain` are left out because they are secret.
    pub secret: bool,
    /// Message of the error, without its causes.
    pub message: Option<String>,
    /// Rust type of the error; also `null` if the error did not come from a body.
    pub type_name: Option<String>,
    /// Causes of the error, nearest first.
    pub chain: Vec<String>,
}
