//! Builders of executions and histories.

use std::time::Duration;

use durable_core::store::{Execution, ExecutionStatus, NewExecution};
use durable_core::{
    ErrorKind, Kind, Occurrence, OperationError, OperationId, Payload, Record, Status, Timestamp,
};

/// 2026-11-23T14:06:12.120Z
pub(crate) const START: Timestamp = Timestamp::from_millis(1_795_442_772_120);

pub(crate) fn after(millis: u64) -> Timestamp {
    START.after(Duration::from_millis(millis))
}

pub(crate) fn json(text: &str) -> Payload {
    Payload {
        codec: "json".into(),
        data: text.to_owned().into(),
    }
}

/// Builds an execution of the handler `import`.
pub(crate) fn execution(id: &str, status: ExecutionStatus) -> Execution {
    let mut execution = Execution::queued(NewExecution::new(
        id.parse().unwrap(),
        "import",
        json(r#"{"folder":"in","limit":3}"#),
        START,
    ));
    execution.status = status;
    execution.updated_at = after(4_500);
    execution
}

/// Builder of a history.
#[derive(Default)]
pub(crate) struct History(pub(crate) Vec<Record>);

impl History {
    /// Adds a finished operation and returns it for changes.
    pub(crate) fn add(
        &mut self,
        parent: OperationId,
        kind: Kind,
        name: &'static str,
        occurrence: Occurrence,
    ) -> &mut Record {
        let seq = self.0.len() as u64 + 1;
        let id = OperationId::of(parent, name, &occurrence);
        let started = after(100 * seq);
        let mut record = Record::started(seq, id, parent, kind, name, occurrence, started);
        record.attempt = u32::from(!kind.is_scope() && kind != Kind::Wait);
        record.status = Status::Succeeded;
        record.ended_at = Some(started.after(Duration::from_millis(12)));
        record.payload = Some(json("null"));
        record.source = format!("src/import.rs:{}", 10 + seq).into();
        self.0.push(record);
        self.0.last_mut().unwrap()
    }
}

pub(crate) fn key(text: &str) -> Occurrence {
    Occurrence::Keyed(text.into())
}

/// Builds a suspended import: nested scopes, a failed step, a repeated one, a secret one and a timer.
pub(crate) fn import() -> (Execution, Vec<Record>) {
    let mut execution = execution("import-7", ExecutionStatus::Suspended);
    execution.wake_at = Some(after(86_400_000));
    let root = OperationId::ROOT;
    let mut history = History::default();
    history
        .add(root, Kind::Step, "list_files", Occurrence::Once)
        .payload = Some(json(r#"["a.csv","b.csv"]"#));

    let a = history.add(root, Kind::Scope, "files", key("a.csv"));
    a.payload = None;
    (a.status, a.ended_at) = (Status::Started, None);
    let a = a.id;
    let parse = history.add(a, Kind::Step, "parse", Occurrence::Once);
    parse.payload = Some(json(&format!(r#"{{"rows":"{}"}}"#, "x".repeat(80))));
    parse.attempt = 3;
    parse.interruptions = 1;
    let send = history.add(a, Kind::Step, "send", Occurrence::Ordered(4));
    send.status = Status::Pending;
    send.payload = None;
    send.ended_at = None;
    send.due_at = Some(after(9_000));
    send.error = Some(OperationError::new(
        "files[a.csv]/send[4]",
        ErrorKind::TimedOut,
        "took longer than 5 s\nagain",
    ));

    let token = history.add(root, Kind::Step, "token", Occurrence::Once);
    token.secret = true;
    token.payload = Some(json(r#""hunter2""#));
    let night = history.add(root, Kind::Wait, "night", Occurrence::Once);
    (night.payload, night.ended_at) = (None, None);
    night.status = Status::Started;
    night.due_at = Some(after(86_400_000));
    (execution, history.0)
}

/// Builds a failed execution with the values of secret steps in all its texts.
pub(crate) fn leaking() -> (Execution, Vec<Record>) {
    let mut execution = execution("import-8", ExecutionStatus::Failed);
    execution.output = Some(json(r#"{"note":"hunter2 is the token"}"#));
    let error = |text: &str| OperationError::new("charge", ErrorKind::Failed, text);
    execution.error = Some(error("`charge` failed: card 4111-1111 was declined"));
    execution.report = Some("charge said: card 4111-1111 was declined".into());
    let mut history = History::default();
    let charge = history.add(OperationId::ROOT, Kind::Step, "charge", Occurrence::Once);
    charge.secret = true;
    charge.status = Status::Failed;
    charge.payload = None;
    charge.error = Some(error("card 4111-1111 was declined"));
    let login = history.add(OperationId::ROOT, Kind::Scope, "login", Occurrence::Once);
    login.payload = Some(json(r#"{"token":"hunter2"}"#));
    let login = login.id;
    let token = history.add(login, Kind::Step, "token", Occurrence::Once);
    token.secret = true;
    token.payload = Some(json(r#""hunter2""#));
    (execution, history.0)
}
