//! Builds the output of `ls` and `show` from executions and records, hiding secrets.

use durable_core::store::Execution;
use durable_core::{Occurrence, OperationError, OperationId, Payload, PublishedValue, Record};

use super::history::{
    ExecutionDetails, Executions, Failure, ForkedFrom, History, Operation, Parent, Published,
    Summary, Value,
};
use super::{FORMAT, millis, time};
use crate::view::nesting::parse;
use crate::view::{Node, Secrets, tree};

/// Length of the longest encoded value that is printed without `--full`, in bytes.
const MAX_VALUE: usize = 1000;

impl Executions {
    /// Builds the listing. `more` says that there are more executions after these.
    pub fn new(executions: &[Execution], more: bool) -> Self {
        Self {
            format: FORMAT,
            executions: executions.iter().map(Summary::new).collect(),
            more,
        }
    }
}

impl History {
    /// Builds the execution and its operations. Long values are included only if `full`.
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
            published: Published::of(records, full),
            messages: Vec::new(),
        }
    }
}

impl Published {
    /// Builds the published values of a history, by name. Long values are included only if `full`.
    pub fn of(records: &[Record], full: bool) -> Vec<Self> {
        let secrets = Secrets::of(records);
        let values = records.iter().filter_map(PublishedValue::of);
        let values = values.map(|value| Self {
            value: Value::new(&value.payload, false, &secrets, full),
            name: value.name,
            count: value.count,
            at: value.at.to_string(),
        });
        let mut values: Vec<_> = values.collect();
        values.sort_by(|a, b| a.name.cmp(&b.name));
        values
    }
}

impl Operation {
    /// Builds those operations of a history that are `wanted`, in the order of [`History::operations`]. Long values are
    /// included only if `full`.
    pub fn select(records: &[Record], full: bool, wanted: impl Fn(&Record) -> bool) -> Vec<Self> {
        let view = View {
            secrets: Secrets::of(records),
            full,
        };
        let nodes = tree(records);
        let nodes = nodes.iter().filter(|node| wanted(node.record));
        nodes.map(|node| view.operation(node)).collect()
    }
}

impl ExecutionDetails {
    /// Builds the execution; `records` tell what is secret. Long values are included only if `full`.
    pub fn new(execution: &Execution, records: &[Record], full: bool) -> Self {
        let view = View {
            secrets: Secrets::of(records),
            full,
        };
        view.execution(execution)
    }
}

impl Summary {
    fn new(execution: &Execution) -> Self {
        let entry = execution.queue.as_ref();
        Self {
            id: execution.id.to_string(),
            handler: execution.handler.clone(),
            status: execution.status.as_str(),
            created_at: execution.created_at.to_string(),
            updated_at: execution.updated_at.to_string(),
            wake_at: time(execution.wake_at),
            parent: execution.parent.as_ref().map(|parent| Parent {
                execution: parent.execution.to_string(),
                seq: parent.seq,
                operation: parent.operation.to_string(),
            }),
            next: execution.next.as_ref().map(ToString::to_string),
            start_at: time(execution.start_at),
            queue: entry.map(|entry| entry.queue.clone()),
            key: entry.and_then(|entry| entry.key.clone()),
            priority: entry.map(|entry| entry.priority),
            paused: execution.paused,
            labels: super::labels(&execution.labels),
            forked_from: execution.forked_from.as_ref().map(|origin| ForkedFrom {
                execution: origin.execution.to_string(),
                seq: origin.seq,
                records: origin.records,
            }),
        }
    }
}

/// Options of the conversion.
struct View {
    secrets: Secrets,
    full: bool,
}

impl View {
    fn execution(&self, execution: &Execution) -> ExecutionDetails {
        let hide_report = self.secrets.hide_report(execution);
        ExecutionDetails {
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
            Occurrence::Ordered(index) => (None, Some(*index)),
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
            ended_at: time(record.ended_at),
            due_at: time(record.due_at),
            handle: record.handle.clone(),
            deadline: time(record.deadline),
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
        Value::new(payload, secret, &self.secrets, self.full)
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

impl Value {
    /// Builds the value, unless it is sealed, marked as secret, contains a secret, or is long and not `full`.
    pub fn new(payload: &Payload, secret: bool, secrets: &Secrets, full: bool) -> Self {
        let json = if payload.sealed_with().is_some() {
            Err("sealed")
        } else if secret || secrets.hide_bytes(&payload.data) {
            Err("secret")
        } else if !full && payload.len() > MAX_VALUE {
            Err("long")
        } else {
            let text = payload.as_text().map(str::as_bytes);
            text.and_then(parse).ok_or("not_json")
        };
        let bytes = &payload.data;
        let exact = json.as_ref().is_ok_and(|value| {
            !value.has_fractions() && value.to_string().as_bytes() == &payload.data[..]
        });
        let text = json
            .is_ok()
            .then(|| String::from_utf8_lossy(bytes).into_owned());
        let digits = || bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        Self {
            codec: payload.codec.to_string(),
            size: payload.len(),
            hidden: json.as_ref().err().copied(),
            text: text.filter(|_| !exact),
            hex: matches!(json, Err("not_json")).then(digits),
            json: json.ok(),
        }
    }
}
