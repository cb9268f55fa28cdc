//! Persisted state of operations.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use super::payload::Payload;
use crate::model::error::OperationError;
use crate::{Fingerprint, Occurrence, OperationId, Timestamp};

/// Name of internal operations that hold published values. No call site can have it.
pub(crate) const PUBLISHED: &str = "#published";

/// [`Record::handle`] of a step whose body runs in a transaction of the application's database. After an operator has let the
/// step run again, a `/` and a tag follow.
pub(crate) const TRANSACTION: &str = "transaction";

/// Name of internal operations that mark the point from which an operator has let an execution run again. The key is
/// the tag for the steps after it.
pub(crate) const RERUN: &str = "#retry";

/// Kind of an operation. A call site only matches records of its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// `step!`: a body whose value is recorded.
    Step,
    /// `record!`: an infallible value that is recorded.
    Record,
    /// `wait!`: a durable timer.
    Wait,
    /// `scope!`: a named child context.
    Scope,
    /// `call!`: another handler, run within this execution.
    Call,
    /// `poll!`: a check repeated until it is satisfied.
    Poll,
    /// `callback!`: an outcome reported by an external party.
    Callback,
    /// `callback!` with `submit`: the scope of a callback and of the step that hands out its id.
    WaitForCallback,
    /// `invoke!`: another execution.
    Invoke,
    /// `receive!`: a message sent to the execution.
    Receive,
    /// `send!`: a message to another execution.
    SendMessage,
    /// `map!`: one body for each item of a list.
    Map,
    /// `parallel!`: several named bodies.
    Parallel,
    /// One item of a `map!`, or one branch of a `parallel!`.
    Branch,
    /// `race!`: the first of several futures to finish.
    Race,
    /// One batch of a `batches!`.
    Batch,
    /// The undo body of a step.
    Undo,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 17] = [
        Self::Step,
        Self::Record,
        Self::Wait,
        Self::Scope,
        Self::Call,
        Self::Poll,
        Self::Callback,
        Self::WaitForCallback,
        Self::Invoke,
        Self::Receive,
        Self::SendMessage,
        Self::Map,
        Self::Parallel,
        Self::Branch,
        Self::Race,
        Self::Batch,
        Self::Undo,
    ];

    /// Returns the word used in histories, reports and stores. It is the same in every release.
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
            Self::Receive => "receive",
            Self::SendMessage => "send",
            Self::Map => "map",
            Self::Parallel => "parallel",
            Self::Branch => "branch",
            Self::Race => "race",
            Self::Batch => "batch",
            Self::Undo => "undo",
        }
    }

    /// Returns the kind whose [`Kind::as_str`] is `word`.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// Returns whether operations of this kind contain other operations.
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

    /// Returns whether the outcome comes from outside the execution.
    pub const fn is_external(self) -> bool {
        matches!(self, Self::Callback | Self::Invoke)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Progress of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Status {
    /// In progress: a body runs, or a timer or an external party is awaited.
    Started,
    /// An attempt failed, and the next one may start at [`Record::due_at`].
    Pending,
    /// Ended with a value.
    Succeeded,
    /// Ended with an error.
    Failed,
    /// Ended because its execution was cancelled or its race was lost.
    Cancelled,
}

impl Status {
    /// All statuses.
    pub const ALL: [Self; 5] = [
        Self::Started,
        Self::Pending,
        Self::Succeeded,
        Self::Failed,
        Self::Cancelled,
    ];

    /// Returns the word used in histories, reports and stores. It is the same in every release.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Pending => "pending",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Returns the status whose [`Status::as_str`] is `word`.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }

    /// Returns whether the outcome is final.
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Outcome of an operation that an external party completes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Completion {
    /// The operation succeeded with this value.
    Succeed(Payload),
    /// The operation failed with this error.
    Fail(OperationError),
}

/// Persisted state of one operation of an execution.
///
/// Stores keep records unchanged and do not interpret them. [`Record::seq`] is the key within an execution;
/// writing a record again replaces the previous version.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Record {
    /// Position in the order in which records were first written: starts at 1, without gaps.
    pub seq: u64,
    /// Id of the operation.
    pub id: OperationId,
    /// Id of the enclosing scope; [`OperationId::ROOT`] at the top.
    pub parent: OperationId,
    /// Kind of the operation.
    pub kind: Kind,
    /// Name of the call site.
    pub name: Cow<'static, str>,
    /// Run of the call site.
    pub occurrence: Occurrence,
    /// Display name, if it differs from name and occurrence.
    pub label: Option<String>,
    /// Position in the order in which call sites were registered. Only compared, never used as a key.
    pub order: u64,
    /// Progress of the operation.
    pub status: Status,
    /// Number of attempts started so far; zero for kinds without attempts.
    pub attempt: u32,
    /// How often the process ended while the body ran.
    pub interruptions: u32,
    /// When the operation first started.
    pub started_at: Timestamp,
    /// When the outcome was settled.
    pub ended_at: Option<Timestamp>,
    /// When a timer fires or the next attempt may start.
    pub due_at: Option<Timestamp>,
    /// Rust type of the value, for reports.
    pub value_type: Option<Cow<'static, str>>,
    /// Rust type of the state that a `poll!` carries from one check to the next, for reports.
    pub state_type: Option<Cow<'static, str>>,
    /// Value of a [`Status::Succeeded`] operation. While a `poll!` is in progress, its state.
    pub payload: Option<Payload>,
    /// Error of a [`Status::Failed`] operation. While [`Status::Pending`], the error of the previous attempt.
    pub error: Option<OperationError>,
    /// Id known to external parties: of a callback or of an invoked execution. For a `call!`, the name of the
    /// function. For a `step!` with `tx`, what identifies its row.
    pub handle: Option<String>,
    /// When a callback times out regardless of heartbeats.
    pub deadline: Option<Timestamp>,
    /// How long a callback may go without a heartbeat.
    pub heartbeat: Option<Duration>,
    /// Index after the last item of a batch.
    pub extent: Option<u64>,
    /// Fingerprint of the input, if the call site has a `with`.
    pub fingerprint: Option<Fingerprint>,
    /// Whether value and error must never be displayed.
    pub secret: bool,
    /// `file:line` of the call site that started it, for reports.
    pub source: Cow<'static, str>,
}

impl Record {
    /// Returns the number of the message that an ended `receive!` concerns.
    ///
    /// If the record [succeeded](Status::Succeeded), the message was received; if it was
    /// [cancelled](Status::Cancelled), the message waits again.
    pub fn received_message(&self) -> Option<u64> {
        let settled = matches!(self.status, Status::Succeeded | Status::Cancelled);
        let handle = self.handle.as_deref();
        handle
            .filter(|_| self.kind == Kind::Receive && settled)?
            .parse()
            .ok()
    }

    /// Returns the name under which `publish!` published the value of this record, if it is such a record.
    ///
    /// Its payload is the latest value, its attempt the number of calls that it reflects.
    pub fn published_name(&self) -> Option<&str> {
        match &self.occurrence {
            Occurrence::Keyed(name) if self.name == PUBLISHED => Some(name),
            _ => None,
        }
    }

    /// Creates the record of an operation that starts now and has no outcome yet.
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

    /// Returns the display name: the label if there is one, otherwise name and occurrence (`load[3]`).
    pub fn display_name(&self) -> String {
        match &self.label {
            Some(label) => label.clone(),
            None => format!("{}{}", self.name, self.occurrence),
        }
    }

    /// Settles an operation with an external outcome. Returns false if it is already settled, as the first
    /// outcome counts.
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

    /// Restarts the heartbeat timeout, without exceeding the deadline.
    pub fn beat(&mut self, now: Timestamp) {
        let next = self.heartbeat.map(|pause| now.after(pause));
        self.due_at = [next, self.deadline].into_iter().flatten().min();
    }

    /// Returns whether the engine created the operation itself, without a call site.
    pub fn is_internal(&self) -> bool {
        self.name.starts_with('#')
    }

    /// Returns whether a replay needs the records inside this finished scope: its value is rebuilt from them or
    /// only summarises them.
    pub fn needs_children(&self) -> bool {
        let value = self.payload.as_ref();
        let partial = value.is_none_or(|value| value.codec == "batch-summary");
        self.status == Status::Succeeded && (partial || self.kind == Kind::Race)
    }

    /// Returns the size of value and error in bytes, which the limits of stores refer to.
    pub fn size(&self) -> usize {
        self.payload.as_ref().map_or(0, Payload::len)
            + self.error.as_ref().map_or(0, OperationError::size)
    }
}
