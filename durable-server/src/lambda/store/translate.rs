//! Executions and operations of the service as those of the library.

use durable_core::store::{CallbackId, Execution, ExecutionStatus, Filter, NewExecution};
use durable_core::{
    ErrorKind, ExecutionId, Kind, Occurrence, OperationError, OperationId, Payload, Record, Status,
    Timestamp,
};
use sha2::{Digest, Sha256};

use crate::lambda::service::{self, ErrorObject, Head, Operation};

/// Id on the page: the function and the name that people gave, then the service's own.
pub(super) fn id(head: &Head) -> String {
    format!("{}/{}/{}", head.function, head.name, head.id)
}

fn time(millis: u64) -> Timestamp {
    Timestamp::from_millis(i64::try_from(millis).unwrap_or(i64::MAX))
}

fn value(text: &str) -> Payload {
    Payload::json(text.to_owned())
}

/// An execution without its operations.
pub(super) fn whole(execution: &service::Execution) -> Execution {
    let head = &execution.head;
    // Names of functions and executions are made of characters that an id may have.
    let id = id(head).parse::<ExecutionId>();
    let id = id.unwrap_or_else(|_| fallback());
    let new = NewExecution::new(
        id,
        head.function.clone(),
        value(execution.input()),
        time(head.started),
    );
    let mut whole = Execution::queued(new);
    whole.changes = execution.changes();
    let (status, paused) = state(execution);
    (whole.status, whole.paused) = (status, paused);
    whole.updated_at = time(execution.last_change());
    if let Some(ending) = &head.ending {
        whole.updated_at = time(ending.at);
        whole.output = ending.result.as_deref().map(value);
        let kind = match ending.status {
            service::ExecutionStatus::TimedOut => ErrorKind::TimedOut,
            service::ExecutionStatus::Stopped => ErrorKind::Cancelled,
            _ => ErrorKind::Failed,
        };
        let error = ending.error.as_ref();
        whole.error = error.map(|error| failure(&head.function, kind, error));
    }
    whole
}

/// Replacement for an invalid id. The service creates none.
fn fallback() -> ExecutionId {
    match "invalid".parse() {
        Ok(id) => id,
        Err(_) => fallback(),
    }
}

fn state(execution: &service::Execution) -> (ExecutionStatus, bool) {
    use service::ExecutionStatus as Service;
    match execution.head.status() {
        Service::Succeeded => (ExecutionStatus::Succeeded, false),
        Service::Failed | Service::TimedOut => (ExecutionStatus::Failed, false),
        Service::Stopped => (ExecutionStatus::Cancelled, false),
        Service::Pausing | Service::Paused => (ExecutionStatus::Suspended, true),
        Service::Running if execution.invocation().is_some() => (ExecutionStatus::Running, false),
        Service::Running => (ExecutionStatus::Suspended, false),
    }
}

/// Words of the service for the states that a filter selects; all when empty.
pub(super) fn words(filter: &Filter) -> Vec<&'static str> {
    let words = filter.status.iter().flat_map(|status| match status {
        ExecutionStatus::Succeeded => &["SUCCEEDED"][..],
        ExecutionStatus::Failed => &["FAILED", "TIMED_OUT"],
        ExecutionStatus::Cancelled => &["STOPPED"],
        ExecutionStatus::Running => &["RUNNING"],
        ExecutionStatus::Suspended => &["RUNNING", "PAUSING", "PAUSED"],
        _ => &["NONE"],
    });
    words.copied().collect()
}

/// The operations, without the one that stands for the execution itself.
pub(super) fn records(execution: &service::Execution) -> Vec<Record> {
    let own = id(&execution.head);
    let operations = execution.operations().iter().skip(1);
    let numbered = operations.zip(1..);
    numbered
        .map(|(operation, seq)| record(operation, seq, &own))
        .collect()
}

fn operation_id(id: &str) -> OperationId {
    let digest = Sha256::digest(id);
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    OperationId::from_bytes(bytes)
}

fn record(operation: &Operation, seq: u64, execution: &str) -> Record {
    let id = operation_id(&operation.id);
    let parent = operation
        .parent_id
        .as_deref()
        .map_or(OperationId::ROOT, operation_id);
    let name = operation
        .name
        .clone()
        .unwrap_or_else(|| operation.id.clone());
    let kind = kind(operation);
    let started = time(operation.started);
    let mut record = Record::started(seq, id, parent, kind, name, Occurrence::Once, started);
    record.order = seq;
    record.status = status(operation.status);
    record.ended_at = operation.ended.map(time);
    record.due_at = operation.timer().map(time);
    if kind == Kind::Step || kind == Kind::Poll {
        record.attempt = operation.attempt + u32::from(!operation.status.is_closed());
        record.attempt = record.attempt.max(1);
    }
    let is_result = operation.status.is_closed() || kind != Kind::Invoke;
    record.payload = operation
        .payload
        .as_deref()
        .filter(|_| is_result)
        .map(value);
    let failed = match operation.status {
        service::Status::TimedOut => ErrorKind::TimedOut,
        service::Status::Stopped => ErrorKind::Cancelled,
        _ => ErrorKind::Failed,
    };
    let error = operation.error.as_ref();
    record.error = error.map(|error| failure(&record.display_name(), failed, error));
    if let Some(callback) = &operation.callback {
        record.handle = Some(format!("{execution}:{seq}:{id}:{}", callback.id));
        record.deadline = callback.deadline.map(time);
    }
    record
}

/// The service's id of a callback: what [`record`] wrote last.
pub(super) fn service_callback(callback: &CallbackId) -> &str {
    let text = callback.as_str();
    text.rsplit_once(':').map_or(text, |(_, id)| id)
}

fn kind(operation: &Operation) -> Kind {
    use service::Kind as Service;
    match (
        operation.kind,
        operation.sub_type.as_deref().unwrap_or_default(),
    ) {
        (Service::Wait, _) => Kind::Wait,
        (Service::Callback, _) => Kind::Callback,
        (Service::ChainedInvoke, _) => Kind::Invoke,
        (Service::Context | Service::Execution, sub) => match sub {
            "WaitForCallback" => Kind::WaitForCallback,
            "Map" => Kind::Map,
            "Parallel" => Kind::Parallel,
            "MapIteration" | "ParallelBranch" => Kind::Branch,
            "Race" => Kind::Race,
            "Call" => Kind::Call,
            _ => Kind::Scope,
        },
        (Service::Step, "WaitForCondition") => Kind::Poll,
        (Service::Step, "Record") => Kind::Record,
        (Service::Step, "Batch") => Kind::Batch,
        (Service::Step, "Undo") => Kind::Undo,
        (Service::Step, _) => Kind::Step,
    }
}

fn status(status: service::Status) -> Status {
    use service::Status as Service;
    match status {
        Service::Started => Status::Started,
        Service::Pending | Service::Ready => Status::Pending,
        Service::Succeeded => Status::Succeeded,
        Service::Cancelled => Status::Cancelled,
        Service::Failed | Service::TimedOut | Service::Stopped => Status::Failed,
    }
}

fn failure(operation: &str, kind: ErrorKind, error: &ErrorObject) -> OperationError {
    let message = error.error_message.clone().unwrap_or_default();
    let name = error.error_type.clone().unwrap_or_default();
    OperationError::new(operation, kind, message).with_type_name(name)
}
