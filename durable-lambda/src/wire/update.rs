//! Conversion of records to updates, limited to changes that the service does not know yet.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use durable_core::store::NewExecution;
use durable_core::{ErrorKind, Kind, OperationError, OperationId, Record, Status, Timestamp};
use serde::Serialize;

use super::error::to_object;
use super::record::{BatchResult, parse_id};
use super::{ErrorObject, Operation, Type, json_len, to_text};
use crate::client::CallError;

/// Longest name, in bytes.
const MAX_NAME: usize = 256;
/// Longest timer, in seconds: 366 days.
const MAX_SECONDS: u64 = 31_622_400;
/// Upper bound of an update's size without payload and error, in bytes.
const ENVELOPE: usize = 768;

/// One change of one operation, as sent to the service.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Update {
    id: String,
    #[serde(rename = "Type")]
    kind: &'static str,
    action: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorObject>,
    #[serde(skip_serializing_if = "Option::is_none")]
    context_options: Option<ContextOptions>,
    #[serde(skip_serializing_if = "Option::is_none")]
    step_options: Option<StepOptions>,
    #[serde(skip_serializing_if = "Option::is_none")]
    wait_options: Option<WaitOptions>,
    #[serde(skip_serializing_if = "Option::is_none")]
    callback_options: Option<CallbackOptions>,
    #[serde(skip_serializing_if = "Option::is_none")]
    chained_invoke_options: Option<ChainedInvokeOptions>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ContextOptions {
    replay_children: bool,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
struct StepOptions {
    next_attempt_delay_seconds: u64,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
struct WaitOptions {
    wait_seconds: u64,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
struct CallbackOptions {
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout_seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    heartbeat_timeout_seconds: Option<u64>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ChainedInvokeOptions {
    function_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant_id: Option<String>,
}

impl Update {
    /// Returns an upper bound of its size in a request, in bytes.
    pub(crate) fn size(&self) -> usize {
        let error = self.error.as_ref().map_or(0, |error| {
            let texts = [&error.error_message, &error.error_type, &error.error_data];
            texts.into_iter().flatten().map(|text| json_len(text)).sum()
        });
        ENVELOPE + self.payload.as_deref().map_or(0, json_len) + error
    }

    /// Ends the execution with a result that does not fit into the invocation's response.
    pub(crate) fn execution_result(execution: &str, result: String) -> Self {
        let mut update = Self::new(execution.to_owned(), Type::Execution, "SUCCEED");
        update.payload = Some(result);
        update
    }

    /// Whether the update ends the execution.
    pub(crate) fn ends_execution(&self) -> bool {
        self.kind == Type::Execution.as_str()
    }

    /// Converts a rejected outcome of an operation to a failure of the operation. Returns `None` for other updates.
    pub(crate) fn to_failure(&self, rejection: &CallError) -> Option<Self> {
        if self.action == "START" || self.ends_execution() {
            return None;
        }
        let name = self.name.as_deref().unwrap_or_default();
        let error = OperationError::new(name, ErrorKind::Failed, rejection.to_string())
            .with_type_name("CheckpointFailedError");
        let mut update = self.clone();
        (update.action, update.payload) = ("FAIL", None);
        (update.context_options, update.step_options) = (None, None);
        update.error = Some(to_object(&error));
        Some(update)
    }

    /// Whether `other` can only be sent after this one: the START of the same operation or of an enclosing context.
    pub(crate) fn is_required_by(&self, other: &Self) -> bool {
        self.action == "START" && (self.id == other.id || self.kind == Type::Context.as_str())
    }

    fn new(id: String, kind: Type, action: &'static str) -> Self {
        Self {
            id,
            kind: kind.as_str(),
            action,
            parent_id: None,
            name: None,
            sub_type: None,
            payload: None,
            error: None,
            context_options: None,
            step_options: None,
            wait_options: None,
            callback_options: None,
            chained_invoke_options: None,
        }
    }
}

/// Removes the STARTs that an execution that has ended does not need.
///
/// Operations that end here and chained invokes, which keep running, keep their STARTs and those of their contexts.
pub(crate) fn without_unneeded_starts(list: Vec<Update>) -> Vec<Update> {
    let mut needed: HashSet<String> = HashSet::new();
    let mut kept: Vec<Update> = Vec::with_capacity(list.len());
    for update in list.into_iter().rev() {
        let keeps_running = update.kind == Type::ChainedInvoke.as_str();
        if update.action == "START" && !keeps_running && !needed.contains(&update.id) {
            continue;
        }
        needed.extend(update.parent_id.clone());
        needed.insert(update.id.clone());
        kept.push(update);
    }
    kept.reverse();
    kept
}

/// Operation as the service knows it: its immutable fields and its status.
#[derive(Debug, Clone)]
pub(crate) struct KnownOperation {
    kind: Type,
    sub_type: Option<String>,
    parent: Option<String>,
    name: Option<String>,
    pub(crate) status: super::Status,
}

impl From<&Operation> for KnownOperation {
    fn from(operation: &Operation) -> Self {
        Self {
            kind: operation.kind,
            sub_type: operation.sub_type.clone(),
            parent: operation.parent_id.clone(),
            name: operation.name.clone(),
            status: operation.status,
        }
    }
}

impl KnownOperation {
    /// Whether it is a step whose body started and never finished. A step inside a finished context does not count:
    /// it was abandoned, not interrupted.
    pub(crate) fn is_interrupted(&self, known: &HashMap<OperationId, Self>) -> bool {
        let ancestors = std::iter::successors(Some(self), |inner| {
            known.get(&parse_id(inner.parent.as_deref()?))
        });
        let started = self.kind == Type::Step && self.status == super::Status::Started;
        started
            && !ancestors
                .skip(1)
                .any(|context| context.status.is_terminal())
    }

    /// Whether the service, not this invocation, sets its current status.
    pub(crate) fn is_external(&self) -> bool {
        use super::Status::{Pending, Ready};
        match self.kind {
            Type::Wait | Type::Callback | Type::ChainedInvoke => true,
            Type::Step => matches!(self.status, Pending | Ready),
            _ => false,
        }
    }

    /// Whether it will make the service invoke the function again.
    pub(crate) fn will_resume(&self) -> bool {
        use super::Status::{Pending, Ready, Started};
        match self.kind {
            Type::Step => matches!(self.status, Pending | Ready),
            Type::Wait | Type::Callback | Type::ChainedInvoke => self.status == Started,
            _ => false,
        }
    }
}

/// Builder of the updates for a batch of records.
pub(crate) struct UpdateBuilder<'a> {
    pub(crate) known: &'a mut HashMap<OperationId, KnownOperation>,
    pub(crate) now: Timestamp,
    /// Executions to start, by the id of the invoke that awaits them.
    pub(crate) children: HashMap<OperationId, &'a NewExecution>,
    /// Function ARNs by handler name.
    pub(crate) functions: &'a HashMap<String, String>,
    pub(crate) list: Vec<Update>,
}

impl UpdateBuilder<'_> {
    /// Adds the updates for the changes in `record` that the service does not know yet.
    pub(crate) fn add(&mut self, record: &Record) {
        use super::Status::{Failed, Pending, Ready, Succeeded};
        let known = self.known.get(&record.id).map(|known| known.status);
        // The service has no update for an operation that is cancelled together with its scope.
        if known.is_some_and(super::Status::is_terminal) || record.status == Status::Cancelled {
            return;
        }
        let kind = type_of(record.kind);
        let is_check = record.kind == Kind::Poll && record.status == Status::Started;
        if matches!(known, None | Some(Ready)) {
            if kind == Type::Wait && record.status.is_terminal() {
                // A timer that has already passed when it starts needs no operation: replay decides the same.
                return;
            }
            if known == Some(Ready) && is_check {
                // The START of a further check would delete the state it reads. It is sent together with the
                // outcome, so that an interrupted check can rerun with the same state.
                return;
            }
            self.start(record, kind);
        }
        let closes = matches!(kind, Type::Step | Type::Context);
        let (action, status) = match record.status {
            Status::Pending if known != Some(Pending) => ("RETRY", Pending),
            Status::Succeeded => ("SUCCEED", Succeeded),
            Status::Failed => ("FAIL", Failed),
            _ => return,
        };
        if !closes {
            return;
        }
        let mut update = self.update(record, action);
        match status {
            Pending => self.retry(record, &mut update),
            Failed => update.error = record.error.as_ref().map(to_object),
            _ => succeed(record, &mut update),
        }
        self.list.push(update);
        self.set_status(record.id, status);
    }

    /// Sets the status that the service will know once the update is sent.
    fn set_status(&mut self, id: OperationId, status: super::Status) {
        if let Some(known) = self.known.get_mut(&id) {
            known.status = status;
        }
    }

    fn start(&mut self, record: &Record, kind: Type) {
        if !self.known.contains_key(&record.id) {
            let known = self.describe(record, kind);
            self.known.insert(record.id, known);
        }
        let mut update = self.update(record, "START");
        match kind {
            Type::Wait => {
                let length = record.due_at.map(|due| due.since(record.started_at));
                update.wait_options = Some(WaitOptions {
                    wait_seconds: seconds(length.unwrap_or_default()),
                });
            }
            Type::Callback => {
                let limit = record.deadline.map(|end| end.since(record.started_at));
                update.callback_options = Some(CallbackOptions {
                    timeout_seconds: limit.map(seconds),
                    heartbeat_timeout_seconds: record.heartbeat.map(seconds),
                });
            }
            Type::ChainedInvoke => self.invoke(record, &mut update),
            _ => {}
        }
        self.list.push(update);
        self.set_status(record.id, super::Status::Started);
    }

    fn invoke(&self, record: &Record, update: &mut Update) {
        let Some(child) = self.children.get(&record.id) else {
            return;
        };
        let target = self.functions.get(&child.handler);
        update.payload = Some(to_text(&child.input.data));
        update.chained_invoke_options = Some(ChainedInvokeOptions {
            function_name: target.unwrap_or(&child.handler).clone(),
            tenant_id: child.tenant.clone(),
        });
    }

    fn retry(&self, record: &Record, update: &mut Update) {
        let due = record.due_at.unwrap_or(self.now);
        update.step_options = Some(StepOptions {
            next_attempt_delay_seconds: seconds(due.since(self.now)),
        });
        match &record.error {
            Some(error) => update.error = Some(to_object(error)),
            None => {
                let state = record.payload.as_ref();
                update.payload = state.map(|state| to_text(&state.data));
            }
        }
    }

    /// Builds an update with the immutable fields of the operation, which every update repeats.
    fn update(&self, record: &Record, action: &'static str) -> Update {
        let known = self.known.get(&record.id);
        let mut update = Update::new(record.id.to_string(), type_of(record.kind), action);
        if let Some(known) = known {
            update.parent_id.clone_from(&known.parent);
            update.name.clone_from(&known.name);
            update.sub_type.clone_from(&known.sub_type);
        }
        update
    }

    fn describe(&self, record: &Record, kind: Type) -> KnownOperation {
        KnownOperation {
            kind,
            sub_type: Some(self.sub_type(record).to_owned()),
            parent: self.parent(record),
            name: wire_name(record),
            status: super::Status::Started,
        }
    }

    /// Returns the id of the nearest enclosing context.
    ///
    /// The parent of an undo body is the step that it undoes. Its context may have finished, and the service starts
    /// nothing in finished contexts, so it moves to the nearest one that is still running.
    fn parent(&self, record: &Record) -> Option<String> {
        let mut parent = record.parent;
        while let Some(known) = self.known.get(&parent) {
            let finished = record.kind == Kind::Undo && known.status.is_terminal();
            if known.kind == Type::Context && !finished {
                break;
            }
            parent = known.parent.as_deref().map_or(OperationId::ROOT, parse_id);
        }
        (parent != OperationId::ROOT).then(|| parent.to_string())
    }

    fn sub_type(&self, record: &Record) -> &'static str {
        match record.kind {
            _ if record.name == "#slice" => "Slice",
            _ if record.name == "#continue" => "Continue",
            _ if record.name == "#cutoff" => "CutOff",
            _ if record.name == "#count" => "Count",
            Kind::Record => "Record",
            Kind::Poll => "WaitForCondition",
            Kind::Batch => "Batch",
            Kind::Undo => "Undo",
            Kind::Receive => "Receive",
            Kind::SendMessage => "Send",
            Kind::Wait => "Wait",
            Kind::Callback => "Callback",
            Kind::WaitForCallback => "WaitForCallback",
            Kind::Invoke => "ChainedInvoke",
            Kind::Map => "Map",
            Kind::Parallel => "Parallel",
            Kind::Race => "Race",
            Kind::Call => "Call",
            Kind::Branch => {
                let parent = self.known.get(&record.parent);
                match parent.and_then(|parent| parent.sub_type.as_deref()) {
                    Some("Map") => "MapIteration",
                    _ => "ParallelBranch",
                }
            }
            Kind::Scope => "RunInChildContext",
            _ => "Step",
        }
    }
}

fn succeed(record: &Record, update: &mut Update) {
    let text = record.payload.as_ref().map(|value| to_text(&value.data));
    if type_of(record.kind) == Type::Context {
        let replay_children = record.needs_children();
        update.context_options = replay_children.then_some(ContextOptions { replay_children });
    }
    update.payload = match text {
        Some(text) if record.kind == Kind::Batch => Some(BatchResult::format(record, &text)),
        text => text,
    };
}

/// Returns the service's operation type for a kind.
fn type_of(kind: Kind) -> Type {
    match kind {
        Kind::Wait => Type::Wait,
        Kind::Callback => Type::Callback,
        Kind::Invoke => Type::ChainedInvoke,
        kind if kind.is_scope() => Type::Context,
        _ => Type::Step,
    }
}

/// Returns the display name in the form that the service accepts: printable ASCII, limited in length.
fn wire_name(record: &Record) -> Option<String> {
    let display_name = record.display_name();
    let display_name = display_name.strip_prefix('#').unwrap_or(&display_name);
    let mut name = String::with_capacity(display_name.len());
    for character in display_name.chars() {
        match character {
            ' '..='~' => name.push(character),
            other => name.extend(other.escape_unicode()),
        }
    }
    if name.len() > MAX_NAME {
        name.truncate(MAX_NAME - 3);
        name.push_str("...");
    }
    (!name.is_empty()).then_some(name)
}

/// Rounds up to whole seconds within the service's limits.
fn seconds(length: Duration) -> u64 {
    let up = length.as_secs() + u64::from(length.subsec_nanos() > 0);
    up.clamp(1, MAX_SECONDS)
}
