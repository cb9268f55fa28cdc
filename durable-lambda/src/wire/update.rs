//! From records to the updates that the service does not know of yet.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use durable_core::store::NewExecution;
use durable_core::{ErrorKind, Kind, OperationError, OperationId, Record, Status, Timestamp};
use serde::Serialize;

use super::error::to_object;
use super::record::{Items, id_of};
use super::{ErrorObject, Operation, Type, to_text, written};
use crate::client::CallError;

/// Longest name, in bytes.
const MAX_NAME: usize = 256;
/// Longest timer, in seconds: 366 days.
const MAX_SECONDS: u64 = 31_622_400;
/// Bytes that an update takes beside its payload, at most.
const FRAME: usize = 768;

/// One change of one operation.
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
    /// Bytes that it takes in a request, at most.
    pub(crate) fn size(&self) -> usize {
        let error = self.error.as_ref().map_or(0, |error| {
            let texts = [&error.error_message, &error.error_type, &error.error_data];
            texts.into_iter().flatten().map(|text| written(text)).sum()
        });
        FRAME + self.payload.as_deref().map_or(0, written) + error
    }

    /// The execution ends with this result, which does not fit into an answer.
    pub(crate) fn end(execution: &str, result: String) -> Self {
        let mut update = Self::of(execution.to_owned(), Type::Execution, "SUCCEED");
        update.payload = Some(result);
        update
    }

    /// Whether the execution is over with it.
    pub(crate) fn is_end(&self) -> bool {
        self.kind == Type::Execution.as_str()
    }

    /// The failure to send instead of an outcome that was refused, if it is one.
    pub(crate) fn refused(&self, why: &CallError) -> Option<Self> {
        if self.action == "START" || self.is_end() {
            return None;
        }
        let name = self.name.as_deref().unwrap_or_default();
        let error = OperationError::new(name, ErrorKind::Failed, why.to_string())
            .with_type_name("CheckpointFailedError");
        let mut update = self.clone();
        (update.action, update.payload) = ("FAIL", None);
        (update.context_options, update.step_options) = (None, None);
        update.error = Some(to_object(&error));
        Some(update)
    }

    /// Whether `other` needs it: the START of the same operation, or of a context around.
    pub(crate) fn comes_before(&self, other: &Self) -> bool {
        self.action == "START" && (self.id == other.id || self.kind == Type::Context.as_str())
    }

    fn of(id: String, kind: Type, action: &'static str) -> Self {
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

/// Leaves out what only says that something begins: the execution does without once it has ended. What ends,
/// and what runs elsewhere, keeps its own START and those of the contexts around.
pub(crate) fn without_idle_starts(list: Vec<Update>) -> Vec<Update> {
    let mut needed: HashSet<String> = HashSet::new();
    let mut kept: Vec<Update> = Vec::with_capacity(list.len());
    for update in list.into_iter().rev() {
        let goes_on = update.kind == Type::ChainedInvoke.as_str();
        if update.action == "START" && !goes_on && !needed.contains(&update.id) {
            continue;
        }
        needed.extend(update.parent_id.clone());
        needed.insert(update.id.clone());
        kept.push(update);
    }
    kept.reverse();
    kept
}

/// What the service knows of an operation: what of it never changes, and how far it has come.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    kind: Type,
    sub_type: Option<String>,
    parent: Option<String>,
    name: Option<String>,
    pub(crate) status: super::Status,
}

impl Known {
    pub(crate) fn of(operation: &Operation) -> Self {
        Self {
            kind: operation.kind,
            sub_type: operation.sub_type.clone(),
            parent: operation.parent_id.clone(),
            name: operation.name.clone(),
            status: operation.status,
        }
    }

    /// Whether it is a body that began and never ended, though nothing around it has. One in a context that
    /// is over was given up.
    pub(crate) fn is_cut_off(&self, known: &HashMap<OperationId, Self>) -> bool {
        let around = std::iter::successors(Some(self), |inner| {
            known.get(&id_of(inner.parent.as_deref()?))
        });
        let begun = self.kind == Type::Step && self.status == super::Status::Started;
        begun && !around.skip(1).any(|context| context.status.is_terminal())
    }

    /// Whether only the service could tell.
    pub(crate) fn is_news(&self) -> bool {
        use super::Status::{Pending, Ready};
        match self.kind {
            Type::Wait | Type::Callback | Type::ChainedInvoke => true,
            Type::Step => matches!(self.status, Pending | Ready),
            _ => false,
        }
    }

    /// Whether the service begins an invocation because of it some day.
    pub(crate) fn is_awaited(&self) -> bool {
        use super::Status::{Pending, Ready, Started};
        match self.kind {
            Type::Step => matches!(self.status, Pending | Ready),
            Type::Wait | Type::Callback | Type::ChainedInvoke => self.status == Started,
            _ => false,
        }
    }
}

/// Makes updates, one record after the other.
pub(crate) struct Updates<'a> {
    pub(crate) known: &'a mut HashMap<OperationId, Known>,
    pub(crate) now: Timestamp,
    /// Executions to start, by the operation that waits for them.
    pub(crate) children: HashMap<OperationId, &'a NewExecution>,
    /// What functions handlers are, by their names.
    pub(crate) functions: &'a HashMap<String, String>,
    pub(crate) list: Vec<Update>,
}

impl Updates<'_> {
    /// Adds what the service does not know of `record`.
    pub(crate) fn add(&mut self, record: &Record) {
        use super::Status::{Failed, Pending, Ready, Succeeded};
        let known = self.known.get(&record.id).map(|known| known.status);
        // What was given up with its scope is left to itself.
        if known.is_some_and(super::Status::is_terminal) || record.status == Status::Cancelled {
            return;
        }
        let kind = type_of(record.kind);
        let is_check = record.kind == Kind::Poll && record.status == Status::Started;
        if matches!(known, None | Some(Ready)) {
            if kind == Type::Wait && record.status.is_terminal() {
                // A timer that was over when it began: it follows from the code.
                return;
            }
            if known == Some(Ready) && is_check {
                // The START of a repeated check takes away the state that it begins with, so it goes with
                // what comes of it: a check that is cut off begins with that state again.
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
        self.note(record.id, status);
    }

    /// How far the service will have come with an operation.
    fn note(&mut self, id: OperationId, status: super::Status) {
        if let Some(known) = self.known.get_mut(&id) {
            known.status = status;
        }
    }

    fn start(&mut self, record: &Record, kind: Type) {
        if !self.known.contains_key(&record.id) {
            let known = self.identity(record, kind);
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
        self.note(record.id, super::Status::Started);
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

    /// An update that repeats all of the operation that never changes.
    fn update(&self, record: &Record, action: &'static str) -> Update {
        let known = self.known.get(&record.id);
        let mut update = Update::of(record.id.to_string(), type_of(record.kind), action);
        if let Some(known) = known {
            update.parent_id.clone_from(&known.parent);
            update.name.clone_from(&known.name);
            update.sub_type.clone_from(&known.sub_type);
        }
        update
    }

    fn identity(&self, record: &Record, kind: Type) -> Known {
        Known {
            kind,
            sub_type: Some(self.sub_type(record).to_owned()),
            parent: self.parent(record),
            name: name(record),
            status: super::Status::Started,
        }
    }

    /// The nearest context around. An undo body stands in the step that it takes back, and nothing begins in a
    /// context that is over: then it is the one around that.
    fn parent(&self, record: &Record) -> Option<String> {
        let mut around = record.parent;
        while let Some(known) = self.known.get(&around) {
            let over = record.kind == Kind::Undo && known.status.is_terminal();
            if known.kind == Type::Context && !over {
                break;
            }
            around = known.parent.as_deref().map_or(OperationId::ROOT, id_of);
        }
        (around != OperationId::ROOT).then(|| around.to_string())
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
            Kind::Wait => "Wait",
            Kind::Callback => "Callback",
            Kind::WaitForCallback => "WaitForCallback",
            Kind::Invoke => "ChainedInvoke",
            Kind::Map => "Map",
            Kind::Parallel => "Parallel",
            Kind::Race => "Race",
            Kind::Call => "Call",
            Kind::Branch => {
                let around = self.known.get(&record.parent);
                match around.and_then(|around| around.sub_type.as_deref()) {
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
        Some(text) if record.kind == Kind::Batch => Some(Items::write(record, &text)),
        text => text,
    };
}

/// The type that the service has for a kind.
fn type_of(kind: Kind) -> Type {
    match kind {
        Kind::Wait => Type::Wait,
        Kind::Callback => Type::Callback,
        Kind::Invoke => Type::ChainedInvoke,
        kind if kind.is_scope() => Type::Context,
        _ => Type::Step,
    }
}

/// The readable name, in what the service takes: printable ASCII, not too long.
fn name(record: &Record) -> Option<String> {
    let written = record.written();
    let written = written.strip_prefix('#').unwrap_or(&written);
    let mut name = String::with_capacity(written.len());
    for character in written.chars() {
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

/// Whole seconds, rounded up, as long as the service allows.
fn seconds(length: Duration) -> u64 {
    let up = length.as_secs() + u64::from(length.subsec_nanos() > 0);
    up.clamp(1, MAX_SECONDS)
}
