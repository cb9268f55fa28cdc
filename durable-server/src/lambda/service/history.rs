//! Events of an execution's history.

use serde_json::{Map, Value, json};

use super::head::{Ending, ExecutionStatus};
use super::operation::{Operation, seconds};
use super::wire::{Action, ErrorObject, Kind, Status, Update};

/// Wraps a payload in the format of events.
pub(super) fn wrapped(payload: Option<&str>) -> Value {
    match payload {
        Some(payload) => json!({ "Payload": payload, "Truncated": false }),
        None => json!({ "Truncated": false }),
    }
}

pub(super) fn wrapped_error(error: Option<&ErrorObject>) -> Value {
    match error {
        Some(error) => json!({ "Payload": error, "Truncated": false }),
        None => json!({ "Truncated": false }),
    }
}

/// Builds an event with the id and the names of `operation`.
pub(super) fn event(
    number: u64,
    kind: &str,
    at: u64,
    operation: Option<&Operation>,
    details: Value,
) -> Value {
    let mut event = Map::new();
    event.insert("EventId".into(), json!(number));
    event.insert("EventType".into(), json!(kind));
    event.insert("EventTimestamp".into(), json!(seconds(at)));
    if let Some(operation) = operation {
        event.insert("Id".into(), json!(operation.id));
        let members = [
            ("Name", &operation.name),
            ("SubType", &operation.sub_type),
            ("ParentId", &operation.parent_id),
        ];
        for (member, value) in members {
            if let Some(value) = value {
                event.insert(member.into(), json!(value));
            }
        }
    }
    event.insert(format!("{kind}Details"), details);
    Value::Object(event)
}

/// Removes payloads and errors from an event.
pub(crate) fn without_data(event: &mut Value) {
    let Some(event) = event.as_object_mut() else {
        return;
    };
    let details = event.iter_mut().filter(|(key, _)| key.ends_with("Details"));
    for wrapped in details.filter_map(|(_, value)| value.as_object_mut()) {
        for member in ["Input", "Result", "Error", "Reason"] {
            if let Some(wrapped) = wrapped.get_mut(member).and_then(Value::as_object_mut) {
                wrapped.remove("Payload");
            }
        }
    }
}

/// Returns type and details of the event for an execution's end.
pub(super) fn ending(ending: &Ending) -> (&'static str, Value) {
    let error = || json!({ "Error": wrapped_error(ending.error.as_ref()) });
    match ending.status {
        ExecutionStatus::Succeeded => (
            "ExecutionSucceeded",
            json!({ "Result": wrapped(ending.result.as_deref()) }),
        ),
        ExecutionStatus::TimedOut => ("ExecutionTimedOut", error()),
        ExecutionStatus::Stopped => ("ExecutionStopped", error()),
        _ => ("ExecutionFailed", error()),
    }
}

/// Returns type and details of the event for an update that led to `operation`. Chained invokes have
/// other events.
pub(super) fn of_update(update: &Update, operation: &Operation) -> (&'static str, Value) {
    let result = || json!({ "Result": wrapped(operation.payload.as_deref()) });
    let error = || json!({ "Error": wrapped_error(operation.error.as_ref()) });
    match (update.kind, update.action) {
        (Kind::Step, Action::Start) => ("StepStarted", json!({})),
        (Kind::Step, _) => step_end(update, operation),
        (Kind::Context, Action::Start) => ("ContextStarted", json!({})),
        (Kind::Context, Action::Succeed) => ("ContextSucceeded", result()),
        (Kind::Context, _) => ("ContextFailed", error()),
        (Kind::Wait, Action::Start) => (
            "WaitStarted",
            json!({
                "Duration": operation.seconds.unwrap_or_default(),
                "ScheduledEndTimestamp": seconds(operation.due.unwrap_or_default()),
            }),
        ),
        (Kind::Wait, _) => ("WaitCancelled", json!({})),
        _ => ("CallbackStarted", callback(update, operation)),
    }
}

fn step_end(update: &Update, operation: &Operation) -> (&'static str, Value) {
    let mut retry = json!({ "CurrentAttempt": operation.attempt });
    let options = update.step_options.as_ref();
    if let Some(delay) = options.and_then(|step| step.next_attempt_delay_seconds) {
        retry["NextAttemptDelaySeconds"] = json!(delay);
    }
    // An unmet condition is a success with a state and a delay until the next check.
    let condition = update.error.is_none()
        && (update.payload.is_some() || update.sub_type.as_deref() == Some("WaitForCondition"));
    if operation.status == Status::Succeeded || update.action == Action::Retry && condition {
        let result = wrapped(operation.payload.as_deref());
        return (
            "StepSucceeded",
            json!({ "Result": result, "RetryDetails": retry }),
        );
    }
    let error = wrapped_error(operation.error.as_ref());
    (
        "StepFailed",
        json!({ "Error": error, "RetryDetails": retry }),
    )
}

fn callback(update: &Update, operation: &Operation) -> Value {
    let id = operation.callback.as_ref().map(|callback| &callback.id);
    let mut details = json!({ "CallbackId": id });
    let options = update.callback_options.clone().unwrap_or_default();
    let timeouts = [
        ("Timeout", options.timeout_seconds),
        ("HeartbeatTimeout", options.heartbeat_timeout_seconds),
    ];
    for (member, seconds) in timeouts {
        if let Some(seconds) = seconds.filter(|seconds| *seconds > 0) {
            details[member] = json!(seconds);
        }
    }
    details
}
