//! What `--json` prints: one object, whose shape is kept between releases.
//!
//! `format` is 1. Fields may be added under the same number; none is renamed, removed or given
//! another meaning without a new one. Every field named here is always there, `null` where there is
//! nothing to say. Times are written as `2026-11-23T14:06:12.120Z`.
//!
//! `durable ls --json` prints an [`Executions`], `durable show ID --json` a [`History`]; with `--follow`
//! every line is an [`Operation`] or a [`Whole`]. Changes print a [`Changed`].

mod answers;

use std::time::Duration;

pub(crate) use answers::print_json;
pub use answers::{Began, Changed, Queue, Queues, Refused, Schedule, Schedules};

use durable_core::json::Exact;
use durable_core::store::Execution;
use durable_core::{Occurrence, OperationError, OperationId, Payload, Record, Timestamp};
use serde::Serialize;

use crate::secrets::Secrets;
use crate::tree::{Node, tree};

/// The number of the shape.
pub const FORMAT: u32 = 1;

/// The longest encoded value that is printed without `--full`.
const LONGEST: usize = 1000;

/// What `ls` prints.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct Executions {
    /// [`FORMAT`].
    pub format: u32,
    /// In the order of their ids.
    pub executions: Vec<Summary>,
    /// Whether there are more after them.
    pub more: bool,
}

/// What `show` prints.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct History {
    /// [`FORMAT`].
    pub format: u32,
    /// The execution as a whole.
    pub execution: Whole,
    /// Each scope followed by what it holds, siblings in the order they were first written.
    pub operations: Vec<Operation>,
}

/// An execution without what it was given and what became of it.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct Summary {
    /// The id it was started with.
    pub id: String,
    /// Name of its handler.
    pub handler: String,
    /// `queued`, `running`, `suspended`, `succeeded`, `failed`, `blocked`, `cancelled` or `continued`.
    pub status: &'static str,
    /// When it was started.
    pub created_at: String,
    /// When its state last changed.
    pub updated_at: String,
    /// When it is due again, while suspended until a time.
    pub wake_at: Option<String>,
    /// The operation of another execution that waits for its end.
    pub parent: Option<Parent>,
    /// Once continued: the id of the execution that goes on in its place.
    pub next: Option<String>,
    /// When it may first run, where that is later than its start.
    pub start_at: Option<String>,
    /// The queue it was started in.
    pub queue: Option<String>,
    /// Whom it is for in that queue.
    pub key: Option<String>,
    /// Its priority in that queue.
    pub priority: Option<i32>,
    /// Whether nothing of it runs until it is resumed.
    pub paused: bool,
}

/// An operation that waits for the end of an execution.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct Parent {
    /// The id of the execution that waits.
    pub execution: String,
    /// `seq` of the operation in it.
    pub seq: u64,
    /// `id` of the operation in it.
    pub operation: String,
}

/// An execution: the fields of [`Summary`] and these.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct Whole {
    /// Its fields stand beside those below.
    #[serde(flatten)]
    pub summary: Summary,
    /// What it was started with.
    pub input: Value,
    /// Rust type of that, where it is known.
    pub input_type: Option<String>,
    /// Once succeeded.
    pub output: Option<Value>,
    /// Once failed or cancelled.
    pub error: Option<Failure>,
    /// Whether its cancellation was asked for.
    pub cancel: bool,
    /// Why it is blocked; `null` also when the reason is secret.
    pub report: Option<String>,
}

/// One operation.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct Operation {
    /// Position in the order in which operations were first written, from 1.
    pub seq: u64,
    /// 32 hexadecimal digits.
    pub id: String,
    /// The id of the scope it is in; `null` at the top.
    pub parent: Option<String>,
    /// The operation as histories write it, with the scopes it is in: `files[a.csv]/parse`.
    pub path: String,
    /// The name of its call site.
    pub name: String,
    /// What tells it apart from other runs of a call site with `key`.
    pub key: Option<String>,
    /// Which run of a call site with `ordered` it is, from 0.
    pub turn: Option<u64>,
    /// How it is written in place of its name, if it has a label.
    pub label: Option<String>,
    /// Where it stands in the order in which the code asked for operations; compared with that of its
    /// siblings only.
    pub order: u64,
    /// `step`, `record`, `wait`, `scope`, `call`, `poll`, `callback`, `invoke`, `map`, `parallel`,
    /// `branch`, `race`, `batch` or `undo`.
    pub kind: &'static str,
    /// `started`, `pending`, `succeeded`, `failed` or `cancelled`.
    pub status: &'static str,
    /// Attempts begun.
    pub attempts: u32,
    /// How often a body was cut off by the end of its process.
    pub interruptions: u32,
    /// When it was first started.
    pub started_at: String,
    /// When its outcome was settled.
    pub ended_at: Option<String>,
    /// When a timer ends, the next attempt may begin or a callback is given up.
    pub due_at: Option<String>,
    /// What it is known by outside: the id of a callback or of an invoked execution.
    pub handle: Option<String>,
    /// When a callback is given up, whatever its heartbeats say.
    pub deadline: Option<String>,
    /// How long a callback lasts without a heartbeat, in milliseconds.
    pub heartbeat_ms: Option<u64>,
    /// The index after the last item of a batch.
    pub extent: Option<u64>,
    /// What its body was called with, as 32 hexadecimal digits that tell one input from another.
    pub fingerprint: Option<String>,
    /// From the start to the outcome, in milliseconds.
    pub duration_ms: Option<u64>,
    /// Bytes of value and error.
    pub size: usize,
    /// Rust type of the value.
    pub value_type: Option<String>,
    /// Rust type of what a poll carries from one check to the next.
    pub state_type: Option<String>,
    /// Once succeeded, or what a poll carries on to its next check.
    pub value: Option<Value>,
    /// Once failed, or of the attempt before while pending.
    pub error: Option<Failure>,
    /// Whether the operation is marked as secret.
    pub secret: bool,
    /// `file:line` of the call site.
    pub source: String,
}

/// A recorded value.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct Value {
    /// Name of the codec that encoded it.
    pub codec: String,
    /// Bytes of the encoded value.
    pub size: usize,
    /// Why `json` says nothing: `sealed`, `secret`, `long` (see `--full`) or `not_json`.
    pub hidden: Option<&'static str>,
    /// The value.
    pub json: Option<Exact>,
    /// The value as it was encoded, where a reader of `json` may round its numbers or `json` is written otherwise.
    pub text: Option<String>,
    /// The encoded value in hexadecimal digits, where it is `not_json`.
    pub hex: Option<String>,
}

/// A recorded error.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct Failure {
    /// The operation that failed, with the scopes it is in.
    pub operation: String,
    /// `failed`, `interrupted`, `timed_out`, `too_large`, `codec` or `cancelled`.
    pub kind: &'static str,
    /// Attempts begun.
    pub attempts: u32,
    /// Whether `message`, `type_name` and `chain` are left out because they are secret.
    pub secret: bool,
    /// Text of the error, without the errors behind it.
    pub message: Option<String>,
    /// Rust type of the error; `null` too when the error is not a body's.
    pub type_name: Option<String>,
    /// The errors behind it, nearest first.
    pub chain: Vec<String>,
}

impl Executions {
    /// The listing. `more` says that there are others after `executions`.
    pub fn new(executions: &[Execution], more: bool) -> Self {
        Self {
            format: FORMAT,
            executions: executions.iter().map(Summary::new).collect(),
            more,
        }
    }
}

impl History {
    /// The execution and its operations; with long values only when `full`.
    pub fn new(execution: &Execution, records: &[Record], full: bool) -> Self {
        let view = View {
            secrets: Secrets::of(records),
            full,
        };
        Self {
            format: FORMAT,
            execution: view.execution(execution),
            operations: tree(records)
                .iter()
                .map(|node| view.operation(node))
                .collect(),
        }
    }
}

impl Summary {
    fn new(execution: &Execution) -> Self {
        let place = execution.queue.as_ref();
        Self {
            id: execution.id.to_string(),
            handler: execution.handler.clone(),
            status: execution.status.as_str(),
            created_at: execution.created_at.to_string(),
            updated_at: execution.updated_at.to_string(),
            wake_at: written(execution.wake_at),
            parent: execution.parent.as_ref().map(|parent| Parent {
                execution: parent.execution.to_string(),
                seq: parent.seq,
                operation: parent.operation.to_string(),
            }),
            next: execution.next.as_ref().map(ToString::to_string),
            start_at: written(execution.start_at),
            queue: place.map(|place| place.queue.clone()),
            key: place.and_then(|place| place.key.clone()),
            priority: place.map(|place| place.priority),
            paused: execution.paused,
        }
    }
}

fn millis(time: Duration) -> Option<u64> {
    u64::try_from(time.as_millis()).ok()
}

fn written(at: Option<Timestamp>) -> Option<String> {
    at.map(|at| at.to_string())
}

struct View {
    secrets: Secrets,
    full: bool,
}

impl View {
    fn execution(&self, execution: &Execution) -> Whole {
        let hide_report = self.secrets.hide_report(execution);
        Whole {
            summary: Summary::new(execution),
            input: self.value(&execution.input, false),
            input_type: execution.input_type.as_deref().map(str::to_owned),
            output: execution
                .output
                .as_ref()
                .map(|output| self.value(output, false)),
            error: execution
                .error
                .as_ref()
                .map(|error| self.failure(error, false)),
            cancel: execution.cancel,
            report: execution
                .readable_report()
                .filter(|_| !hide_report)
                .map(str::to_owned),
        }
    }

    fn operation(&self, node: &Node<'_>) -> Operation {
        let record = node.record;
        let (key, turn) = match &record.occurrence {
            Occurrence::Once => (None, None),
            Occurrence::Ordered(turn) => (None, Some(*turn)),
            Occurrence::Keyed(key) => (Some(key.clone()), None),
        };
        let duration = record.ended_at.map(|ended| ended.since(record.started_at));
        Operation {
            seq: record.seq,
            id: record.id.to_string(),
            parent: (record.parent != OperationId::ROOT).then(|| record.parent.to_string()),
            path: node.path.clone(),
            name: record.name.to_string(),
            key,
            turn,
            label: record.label.clone(),
            order: record.order,
            kind: record.kind.as_str(),
            status: record.status.as_str(),
            attempts: record.attempt,
            interruptions: record.interruptions,
            started_at: record.started_at.to_string(),
            ended_at: written(record.ended_at),
            due_at: written(record.due_at),
            handle: record.handle.clone(),
            deadline: written(record.deadline),
            heartbeat_ms: record.heartbeat.and_then(millis),
            extent: record.extent,
            fingerprint: record.fingerprint.map(|print| print.to_string()),
            duration_ms: duration.and_then(millis),
            size: record.size(),
            value_type: record.value_type.as_deref().map(str::to_owned),
            state_type: record.state_type.as_deref().map(str::to_owned),
            value: record
                .payload
                .as_ref()
                .map(|value| self.value(value, record.secret)),
            error: record
                .error
                .as_ref()
                .map(|error| self.failure(error, record.secret)),
            secret: record.secret,
            source: record.source.to_string(),
        }
    }

    fn value(&self, payload: &Payload, secret: bool) -> Value {
        let json = if payload.sealed_with().is_some() {
            Err("sealed")
        } else if secret || self.secrets.hide_bytes(&payload.data) {
            Err("secret")
        } else if !self.full && payload.len() > LONGEST {
            Err("long")
        } else {
            let json = payload.as_text().map(|text| Exact::parse(text.as_bytes()));
            json.and_then(Result::ok).ok_or("not_json")
        };
        let bytes = &payload.data;
        let exact = json.as_ref().is_ok_and(|value| {
            !value.has_fractions() && value.to_string().as_bytes() == &payload.data[..]
        });
        let text = json
            .is_ok()
            .then(|| String::from_utf8_lossy(bytes).into_owned());
        let digits = || bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        Value {
            codec: payload.codec.to_string(),
            size: payload.len(),
            hidden: json.as_ref().err().copied(),
            text: text.filter(|_| !exact),
            hex: matches!(json, Err("not_json")).then(digits),
            json: json.ok(),
        }
    }

    fn failure(&self, error: &OperationError, secret: bool) -> Failure {
        let secret = secret || self.secrets.hide_error(error);
        let shown = |text: &str| (!secret).then(|| text.to_owned());
        Failure {
            operation: error.operation().to_owned(),
            kind: error.kind().as_str(),
            attempts: error.attempts(),
            secret,
            message: shown(error.message()),
            type_name: shown(error.type_name()).filter(|name| !name.is_empty()),
            chain: if secret {
                Vec::new()
            } else {
                error.chain().to_vec()
            },
        }
    }
}
