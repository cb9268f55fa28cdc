//! What is persisted about an operation.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use super::payload::Payload;
use crate::model::error::OperationError;
use crate::{Fingerprint, Occurrence, OperationId, Timestamp};

/// What an operation does. A record answers only a call site of the same kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// `step!`: a body that runs once and whose value is kept.
    Step,
    /// `record!`: an infallible value that is kept.
    Record,
    /// `wait!`: a durable timer.
    Wait,
    /// `scope!`: a named child context.
    Scope,
    /// `call!`: another handler within this execution.
    Call,
    /// `poll!`: a check that is repeated until it is satisfied.
    Poll,
    /// `callback!`: an outcome that an outside party reports.
    Callback,
    /// `callback!` with `submit`: the scope of a callback and of the step that hands its id out.
    WaitForCallback,
    /// `invoke!`: another execution.
    Invoke,
    /// `map!`: a body for each of many items.
    Map,
    /// `parallel!`: several named bodies.
    Parallel,
    /// One item of a `map!`, or one branch of a `parallel!`.
    Branch,
    /// `race!`: the first of several futures.
    Race,
    /// One batch of a `batches!`.
    Batch,
    /// The undo body of a step.
    Undo,
}

impl Kind {
    /// Every kind there is.
    pub const ALL: [Self; 15] = [
        Self::Step,
        Self::Record,
        Self::Wait,
        Self::Scope,
        Self::Call,
        Self::Poll,
        Self::Callback,
        Self::WaitForCallback,
        Self::Invoke,
        Self::Map,
        Self::Parallel,
        Self::Branch,
        Self::Race,
        Self::Batch,
        Self::Undo,
    ];

    /// The word that histories, reports and stores use. Never changes.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Step => "step",
            Self::Record => "record",
            Self::Wait => "wait",
            Self::Scope => "scope",
            Self::Call => "call",
            Self::Poll => "poll",
            Self::Callback => "callback",
            Self::WaitForCallback => "wait_for_callback",
            Self::Invoke => "invoke",
            Self::Map => "map",
            Self::Parallel => "parallel",
            Self::Branch => "branch",
            Self::Race => "race",
            Self::Batch => "batch",
            Self::Undo => "undo",
        }
    }

    /// The kind that [`Kind::as_str`] writes as `word`.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// Whether operations of this kind hold other operations.
    pub const fn is_scope(self) -> bool {
        matches!(
            self,
            Self::Scope
                | Self::Call
                | Self::WaitForCallback
                | Self::Map
                | Self::Parallel
                | Self::Branch
                | Self::Race
        )
    }

    /// Whether the outcome comes from outside of the execution.
    pub const fn is_external(self) -> bool {
        matches!(self, Self::Callback | Self::Invoke)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How far an operation has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Status {
    /// Under way: a body runs, a timer or an outside party is waited for.
    Started,
    /// A failed attempt is to be repeated when [`Record::due_at`] has come.
    Pending,
    /// Ended with a value.
    Succeeded,
    /// Ended with an error.
    Failed,
    /// Ended because its execution or its race was given up.
    Cancelled,
}

impl Status {
    /// Every status there is.
    pub const ALL: [Self; 5] = [
        Self::Started,
        Self::Pending,
        Self::Succeeded,
        Self::Failed,
        Self::Cancelled,
    ];

    /// The word that histories, reports and stores use. Never changes.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Pending => "pending",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// The status that [`Status::as_str`] writes as `word`.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }

    /// Whether the outcome is settled for good.
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The outcome of an operation that the outside settles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Completion {
    /// It ended with this value.
    Succeed(Payload),
    /// It ended with this error.
    Fail(OperationError),
}

/// The persisted state of one operation of an execution.
///
/// Stores keep records as they are handed over and give them back unchanged; only the engine reads
/// meaning into them. The key within an execution is [`Record::seq`]; a record written again
/// replaces the one before.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Record {
    /// Position in the order in which records were first written, from 1, without gaps.
    pub seq: u64,
    /// Identity of the operation.
    pub id: OperationId,
    /// The enclosing scope; [`OperationId::ROOT`] at the top.
    pub parent: OperationId,
    /// What the operation does.
    pub kind: Kind,
    /// Name of the call site.
    pub name: Cow<'static, str>,
    /// Which run of the call site this is.
    pub occurrence: Occurrence,
    /// How this run is written in histories in place of name and occurrence.
    pub label: Option<String>,
    /// Where the operation stands in the order of claims; compared, never used as a key.
    pub order: u64,
    /// How far it has come.
    pub status: Status,
    /// Attempts begun so far, from 1; zero for kinds without attempts.
    pub attempt: u32,
    /// How often a body was cut off by the end of its process.
    pub interruptions: u32,
    /// When it was first started.
    pub started_at: Timestamp,
    /// When its outcome was settled.
    pub ended_at: Option<Timestamp>,
    /// When a timer ends or the next attempt may begin.
    pub due_at: Option<Timestamp>,
    /// Rust type of the value, for reports.
    pub value_type: Option<Cow<'static, str>>,
    /// Rust type of the state that a `poll!` carries from one check to the next, for reports.
    pub state_type: Option<Cow<'static, str>>,
    /// The value, once [`Status::Succeeded`].
    pub payload: Option<Payload>,
    /// The error, once [`Status::Failed`], or of the attempt before while [`Status::Pending`].
    pub error: Option<OperationError>,
    /// What the outside knows the operation by: the id of a callback, the id of an invoked
    /// execution; of a `call!`, the name of the function.
    pub handle: Option<String>,
    /// When a callback ends for good, whatever its heartbeats say.
    pub deadline: Option<Timestamp>,
    /// How long a callback lasts without a heartbeat.
    pub heartbeat: Option<Duration>,
    /// The index after the last item of a batch.
    pub extent: Option<u64>,
    /// What its body was called with, where the call site says so.
    pub fingerprint: Option<Fingerprint>,
    /// Whether value and error must never be shown.
    pub secret: bool,
    /// `file:line` of the call site that started it, for reports.
    pub source: Cow<'static, str>,
}

impl Record {
    /// A record of an operation that is started now and has no outcome yet.
    pub fn started(
        seq: u64,
        id: OperationId,
        parent: OperationId,
        kind: Kind,
        name: impl Into<Cow<'static, str>>,
        occurrence: Occurrence,
        started_at: Timestamp,
    ) -> Self {
        Self {
            seq,
            id,
            parent,
            kind,
            name: name.into(),
            occurrence,
            label: None,
            order: 0,
            status: Status::Started,
            attempt: 0,
            interruptions: 0,
            started_at,
            ended_at: None,
            due_at: None,
            value_type: None,
            state_type: None,
            payload: None,
            error: None,
            handle: None,
            deadline: None,
            heartbeat: None,
            extent: None,
            fingerprint: None,
            secret: false,
            source: Cow::Borrowed(""),
        }
    }

    /// The operation as histories write it: its label, else name and occurrence (`load[3]`).
    pub fn display_name(&self) -> String {
        match &self.label {
            Some(label) => label.clone(),
            None => format!("{}{}", self.name, self.occurrence),
        }
    }

    /// Settles an operation whose outcome comes from outside. The first outcome counts.
    pub fn settle(&mut self, outcome: &Completion, now: Timestamp) -> bool {
        if self.status.is_terminal() {
            return false;
        }
        self.ended_at = Some(now);
        self.due_at = None;
        match outcome {
            Completion::Succeed(payload) => {
                self.status = Status::Succeeded;
                self.payload = Some(payload.clone());
            }
            Completion::Fail(error) => {
                self.status = Status::Failed;
                self.error = Some(error.clone());
            }
        }
        true
    }

    /// A heartbeat has come: its time begins anew, within the deadline.
    pub fn beat(&mut self, now: Timestamp) {
        let next = self.heartbeat.map(|pause| now.after(pause));
        self.due_at = [next, self.deadline].into_iter().flatten().min();
    }

    /// Whether the engine made it for itself: no call site asks for it.
    pub fn is_internal(&self) -> bool {
        self.name.starts_with('#')
    }

    /// Whether a replay needs what was recorded inside of this ended scope: its value is built again from that, or it
    /// is only a summary of it.
    pub fn needs_children(&self) -> bool {
        let value = self.payload.as_ref();
        let partial = value.is_none_or(|value| value.codec == "batch-summary");
        self.status == Status::Succeeded && (partial || self.kind == Kind::Race)
    }

    /// Bytes of value and error, which is what limits of stores count.
    pub fn size(&self) -> usize {
        self.payload.as_ref().map_or(0, Payload::len)
            + self.error.as_ref().map_or(0, OperationError::size)
    }
}
