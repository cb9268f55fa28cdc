//! Tests of the conversions between records, updates and operations.

use std::collections::HashMap;
use std::time::Duration;

use durable_core::store::NewExecution;
use durable_core::{
    ErrorKind, Kind, Occurrence, OperationError, OperationId, Payload, Record, Status, Timestamp,
};
use serde_json::{Value, json};

use super::{KnownOperation, Operation, UpdateBuilder, to_record};

const NOW: Timestamp = Timestamp::from_millis(1_764_000_010_000);

fn record(kind: Kind, name: &'static str) -> Record {
    let id = OperationId::of(OperationId::ROOT, name, &Occurrence::Once);
    let started_at = Timestamp::from_millis(NOW.as_millis() - 1_000);
    Record::started(
        1,
        id,
        OperationId::ROOT,
        kind,
        name,
        Occurrence::Once,
        started_at,
    )
}

/// Stand-in for the service: the operations it knows.
#[derive(Default)]
struct Service {
    known: HashMap<OperationId, KnownOperation>,
    children: Vec<(OperationId, NewExecution)>,
}

impl Service {
    fn send(&mut self, record: &Record) -> Vec<Value> {
        let functions = HashMap::from([("charge".to_owned(), "arn:charge:live".to_owned())]);
        let mut updates = UpdateBuilder {
            known: &mut self.known,
            now: NOW,
            children: self
                .children
                .iter()
                .map(|(id, child)| (*id, child))
                .collect(),
            functions: &functions,
            list: Vec::new(),
        };
        updates.add(record);
        let sent = updates.list.iter();
        sent.map(|update| serde_json::to_value(update).unwrap())
            .collect()
    }

    /// Sets a status that the service itself changes.
    fn set_status(&mut self, record: &Record, status: &str) {
        let operation =
            json!({"Id": record.id.to_string(), "Type": "STEP", "Status": status, "Name": "s"});
        let operation: Operation = serde_json::from_value(operation).unwrap();
        self.known
            .insert(record.id, KnownOperation::from(&operation));
    }
}

fn actions(updates: &[Value]) -> Vec<&str> {
    updates
        .iter()
        .map(|update| update["Action"].as_str().unwrap())
        .collect()
}

fn read(operation: Value) -> Record {
    let operation = serde_json::from_value(operation).unwrap();
    to_record(operation, 7, NOW).unwrap()
}

#[test]
fn every_kind_round_trips() {
    let mut service = Service::default();
    for kind in Kind::ALL {
        let mut started = record(kind, kind.as_str());
        let parent = match kind {
            Kind::Branch => record(Kind::Map, "parent"),
            _ => record(Kind::Scope, "parent"),
        };
        service.known.remove(&parent.id);
        service.send(&parent);
        started.parent = parent.id;
        let sent = service.send(&started).remove(0);
        let mut operation = sent.clone();
        operation["Status"] = json!("STARTED");
        let read_back = read(operation);
        assert_eq!((read_back.kind, read_back.id), (kind, started.id), "{sent}");
        assert_eq!(read_back.parent, parent.id);
        assert_eq!(read_back.name, kind.as_str());
    }
}

#[test]
fn start_is_sent_once_at_the_latest_with_the_outcome() {
    let mut service = Service::default();
    let mut step = record(Kind::Step, "s");
    assert_eq!(actions(&service.send(&step)), ["START"]);
    assert_eq!(service.send(&step), [] as [Value; 0]);
    step.status = Status::Succeeded;
    step.payload = Some(Payload::json("1"));
    let sent = service.send(&step);
    assert_eq!(actions(&sent), ["SUCCEED"]);
    assert_eq!(sent[0]["Payload"], "1");
    assert_eq!(service.send(&step), [] as [Value; 0]);
    let mut other = record(Kind::Step, "other");
    other.status = Status::Succeeded;
    assert_eq!(actions(&service.send(&other)), ["START", "SUCCEED"]);
}

#[test]
fn retry_delays_are_whole_seconds_and_a_ready_step_starts_again() {
    let mut service = Service::default();
    let mut step = record(Kind::Step, "s");
    step.status = Status::Pending;
    step.error = Some(OperationError::new("s", ErrorKind::Failed, "no"));
    for (millis, seconds) in [(0, 1), (1, 1), (1_000, 1), (1_001, 2), (90_000, 90)] {
        service.known.clear();
        step.due_at = Some(Timestamp::from_millis(NOW.as_millis() + millis));
        let sent = service.send(&step);
        assert_eq!(actions(&sent), ["START", "RETRY"]);
        assert_eq!(sent[1]["StepOptions"]["NextAttemptDelaySeconds"], seconds);
        assert_eq!(sent[1]["Error"]["ErrorMessage"], "no");
    }
    service.set_status(&step, "READY");
    step.status = Status::Failed;
    assert_eq!(actions(&service.send(&step)), ["START", "FAIL"]);
}

#[test]
fn unfinished_polls_send_their_state_without_an_error() {
    let mut service = Service::default();
    let mut check = record(Kind::Poll, "p");
    check.status = Status::Pending;
    check.payload = Some(Payload::json("3"));
    check.due_at = Some(NOW);
    let sent = service.send(&check);
    assert_eq!(sent[1]["Payload"], "3");
    assert_eq!(sent[1]["Error"], Value::Null);
    let ready = json!({"Id": check.id.to_string(), "Type": "STEP", "SubType": "WaitForCondition", "Name": "p",
        "Status": "READY", "StepDetails": {"Attempt": 1, "Result": "3"}});
    let read_back = read(ready);
    assert_eq!(
        (read_back.status, read_back.due_at, read_back.attempt),
        (Status::Pending, None, 1)
    );
    assert_eq!(&read_back.payload.unwrap().data[..], b"3");
}

#[test]
fn every_update_repeats_identity_and_name_as_first_sent() {
    let mut service = Service::default();
    let mut step = record(Kind::Step, "s");
    step.label = Some("Zoë’s order".to_owned());
    let first = service.send(&step).remove(0);
    assert_eq!(first["Name"], "Zo\\u{eb}\\u{2019}s order");
    step.label = Some("another".to_owned());
    step.status = Status::Succeeded;
    let second = service.send(&step).remove(0);
    for field in ["Id", "Type", "SubType", "Name", "ParentId"] {
        assert_eq!(first[field], second[field], "{field}");
    }
    let mut long = record(Kind::Step, "long");
    long.label = Some("x".repeat(300));
    let name = service.send(&long).remove(0)["Name"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(name.len(), 256);
}

#[test]
fn cancelled_and_already_elapsed_timers_are_not_sent() {
    let mut service = Service::default();
    let mut wait = record(Kind::Wait, "w");
    wait.due_at = Some(Timestamp::from_millis(wait.started_at.as_millis() + 1));
    assert_eq!(service.send(&wait)[0]["WaitOptions"]["WaitSeconds"], 1);
    wait.status = Status::Cancelled;
    assert_eq!(service.send(&wait), [] as [Value; 0]);
    let mut elapsed = record(Kind::Wait, "elapsed");
    elapsed.status = Status::Succeeded;
    assert_eq!(service.send(&elapsed), [] as [Value; 0]);
}

#[test]
fn parent_of_an_undo_body_is_the_nearest_running_context() {
    let mut service = Service::default();
    let mut scope = record(Kind::Scope, "scope");
    service.send(&scope);
    let mut step = record(Kind::Step, "s");
    step.parent = scope.id;
    service.send(&step);
    let mut undo = record(Kind::Undo, "undo");
    undo.parent = step.id;
    let sent = service.send(&undo).remove(0);
    assert_eq!(sent["ParentId"], scope.id.to_string());
    scope.status = Status::Succeeded;
    service.send(&scope);
    let mut late = record(Kind::Undo, "late");
    late.parent = step.id;
    let sent = service.send(&late).remove(0);
    assert_eq!(sent["ParentId"], Value::Null, "the context has finished");
}

#[test]
fn contexts_ask_for_their_children_where_replay_needs_them() {
    let replays_children = |kind: Kind, payload: Option<Payload>| {
        let mut scope = record(kind, "scope");
        (scope.status, scope.payload) = (Status::Succeeded, payload);
        let sent = Service::default().send(&scope);
        sent[1]["ContextOptions"]["ReplayChildren"] == true
    };
    let summary = Payload {
        codec: "batch-summary".into(),
        data: "{}".into(),
    };
    assert!(replays_children(Kind::Scope, None), "value was too large");
    assert!(replays_children(Kind::Map, Some(summary)));
    assert!(replays_children(Kind::Race, Some(Payload::json("\"arm\""))));
    assert!(!replays_children(Kind::Scope, Some(Payload::json("1"))));
    assert!(!replays_children(Kind::Map, Some(Payload::json("{}"))));
}

#[test]
fn only_a_context_with_replayed_children_may_lack_a_value() {
    let read = |details: Value| {
        read(
            json!({"Id": "c", "Type": "CONTEXT", "Status": "SUCCEEDED", "ContextDetails": details}),
        )
        .payload
    };
    assert_eq!(read(json!({"ReplayChildren": true})), None);
    assert_eq!(read(json!({"ReplayChildren": true, "Result": ""})), None);
    assert!(read(json!({"ReplayChildren": true, "Result": "1"})).is_some());
    assert!(read(json!({})).is_some());
}

#[test]
fn batches_store_their_extent_and_duration() {
    let mut service = Service::default();
    let mut batch = record(Kind::Batch, "load");
    batch.label = Some("load[10..20]".to_owned());
    batch.extent = Some(15);
    batch.status = Status::Succeeded;
    batch.ended_at = Some(NOW);
    batch.payload = Some(Payload::json("{\"rows\":5}"));
    let sent = service.send(&batch);
    let operation = |status: &str, result: Value| {
        json!({"Id": batch.id.to_string(), "Type": "STEP", "SubType": "Batch", "Name": "load[10..20]",
            "Status": status, "StartTimestamp": 1_764_000_100_000_u64, "EndTimestamp": 1_764_000_100_001_u64,
            "StepDetails": {"Attempt": 1, "Result": result}})
    };
    let read_back = read(operation("SUCCEEDED", sent[1]["Payload"].clone()));
    assert_eq!(read_back.extent, Some(15));
    assert_eq!(&read_back.payload.unwrap().data[..], b"{\"rows\":5}");
    let took = read_back.ended_at.unwrap().since(read_back.started_at);
    assert_eq!(
        took,
        Duration::from_secs(1),
        "the stored duration, not the service's"
    );
    assert_eq!(read(operation("STARTED", Value::Null)).extent, Some(20));
}

#[test]
fn started_bodies_count_as_interrupted_after_a_minute() {
    let started = |age: i64, attempt: u32| {
        let at = NOW.as_millis() - age;
        read(
            json!({"Id": "s", "Type": "STEP", "Status": "STARTED", "Name": "load[0..400]", "SubType": "Batch",
            "StartTimestamp": at, "StepDetails": {"Attempt": attempt}}),
        )
    };
    assert_eq!(started(59_999, 0).interruptions, 0);
    assert_eq!(started(60_000, 0).interruptions, 1);
    let retried = started(86_400_000, 3);
    assert_eq!(
        (retried.interruptions, retried.attempt),
        (1, 4),
        "waiting between attempts is not an interruption"
    );
    assert_eq!(retried.extent, Some(400), "the engine halves it");
    let note = json!({"Id": "n", "Type": "STEP", "Status": "SUCCEEDED", "Name": "cut-off of s", "SubType": "CutOff"});
    assert!(read(note).is_internal());
}

#[test]
fn callbacks_and_invokes_send_their_options() {
    let mut service = Service::default();
    let mut callback = record(Kind::Callback, "c");
    callback.deadline = Some(Timestamp::from_millis(
        callback.started_at.as_millis() + 1_500,
    ));
    callback.heartbeat = Some(Duration::from_secs(5));
    let sent = service.send(&callback).remove(0);
    assert_eq!(
        sent["CallbackOptions"],
        json!({"TimeoutSeconds": 2, "HeartbeatTimeoutSeconds": 5})
    );
    let invoke = record(Kind::Invoke, "i");
    let id = "child".parse().unwrap();
    let child = NewExecution {
        tenant: Some("acme".to_owned()),
        ..NewExecution::new(id, "charge", Payload::json("7"), NOW)
    };
    service.children.push((invoke.id, child));
    let sent = service.send(&invoke).remove(0);
    assert_eq!(sent["Payload"], "7");
    assert_eq!(
        sent["ChainedInvokeOptions"],
        json!({"FunctionName": "arn:charge:live", "TenantId": "acme"})
    );
}

#[test]
fn callback_outcomes_keep_the_services_message_and_type() {
    let read = |status: &str, details: Value| {
        read(
            json!({"Id": "c", "Type": "CALLBACK", "Status": status, "Name": "approval", "CallbackDetails": details}),
        )
    };
    let done = read(
        "SUCCEEDED",
        json!({"CallbackId": "id", "Result": "\"yes\""}),
    );
    assert_eq!(&done.payload.unwrap().data[..], b"\"yes\"");
    assert_eq!(done.handle.as_deref(), Some("id"));
    let late = read(
        "TIMED_OUT",
        json!({"Error": {"ErrorType": "Callback.Timeout", "ErrorMessage": "late"}}),
    );
    let late = late.error.unwrap();
    assert_eq!(
        (late.kind(), late.message(), late.type_name()),
        (ErrorKind::TimedOut, "late", "Callback.Timeout")
    );
    assert_eq!(late.operation(), "approval");
    assert!(read("FAILED", json!({})).error.is_some());
}

#[test]
fn unknown_statuses_are_rejected_with_the_operations_name() {
    let operation = json!({"Id": "s", "Type": "STEP", "Status": "EXPIRED", "Name": "load"});
    let operation = serde_json::from_value(operation).unwrap();
    let error = to_record(operation, 1, NOW).unwrap_err().to_string();
    assert!(
        error.contains("`load`") && error.contains("status"),
        "{error}"
    );
}
