//! What is kept of an execution itself, and how it changes.

use std::borrow::Cow;

use super::{ExecutionUpdate, QueueEntry, StoreError, StoreErrorKind};
use crate::model::error::{ErrorKind, OperationError};
use crate::model::payload::Payload;
use crate::model::record::{Completion, Kind, Record};
use crate::model::sealed_text;
use crate::{ExecutionId, OperationId, Timestamp};

/// How far an execution has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ExecutionStatus {
    /// Started, never run yet.
    Queued,
    /// A process holds its lease, or held it when it died.
    Running,
    /// Waits for a time or an event; no process holds it.
    Suspended,
    /// Ended with an output.
    Succeeded,
    /// Ended with an error.
    Failed,
    /// Code and history disagree; a fixed deploy or a rollback resumes it.
    Blocked,
    /// Ended because it was cancelled.
    Cancelled,
    /// Ended; another execution goes on in its place.
    Continued,
}

impl ExecutionStatus {
    /// Every status there is.
    pub const ALL: [Self; 8] = [
        Self::Queued,
        Self::Running,
        Self::Suspended,
        Self::Succeeded,
        Self::Failed,
        Self::Blocked,
        Self::Cancelled,
        Self::Continued,
    ];

    /// The word that stores, tables and commands use. Never changes.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Suspended => "suspended",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Blocked => "blocked",
            Self::Cancelled => "cancelled",
            Self::Continued => "continued",
        }
    }

    /// The status that [`ExecutionStatus::as_str`] writes as `word`.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }

    /// Whether nothing happens to the execution by itself any more: it has ended, or is blocked.
    pub const fn is_settled(self) -> bool {
        self.is_terminal() || matches!(self, Self::Blocked)
    }

    /// Whether the execution has ended for good.
    pub const fn is_terminal(self) -> bool {
        matches!(
            self,
            Self::Succeeded | Self::Failed | Self::Cancelled | Self::Continued
        )
    }
}

impl std::fmt::Display for ExecutionStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What an execution is started with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewExecution {
    /// Its id.
    pub id: ExecutionId,
    /// Name of the handler that runs it.
    pub handler: String,
    /// The encoded input.
    pub input: Payload,
    /// Rust type of the input, for reports; none where it was not started by the handler's own type.
    pub input_type: Option<Cow<'static, str>>,
    /// When it was started.
    pub created_at: Timestamp,
    /// The operation that waits for its end.
    pub parent: Option<Parent>,
    /// Whom it is run for, where the store keeps its tenants apart
    /// ([`Capabilities::tenants`](super::Capabilities::tenants)).
    pub tenant: Option<String>,
    /// When it may first run, where that is later than its start.
    pub start_at: Option<Timestamp>,
    /// The queue it waits in until the queue lets it run.
    pub queue: Option<QueueEntry>,
}

impl NewExecution {
    /// An execution that may run at once and that nothing waits for.
    pub fn new(
        id: ExecutionId,
        handler: impl Into<String>,
        input: Payload,
        created_at: Timestamp,
    ) -> Self {
        Self {
            id,
            handler: handler.into(),
            input,
            input_type: None,
            created_at,
            parent: None,
            tenant: None,
            start_at: None,
            queue: None,
        }
    }

    /// The same, with the Rust type of its input.
    #[must_use]
    pub fn with_input_type(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.input_type = Some(name.into());
        self
    }

    /// The same, with an operation that waits for its end.
    #[must_use]
    pub fn for_parent(mut self, parent: Parent) -> Self {
        self.parent = Some(parent);
        self
    }
}

/// The operation of another execution that waits for an execution's end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parent {
    /// The execution that waits.
    pub execution: ExecutionId,
    /// [`Record::seq`] of the operation in it.
    pub seq: u64,
    /// [`Record::id`] of the operation in it.
    pub operation: OperationId,
}

impl Parent {
    /// Whether this is the record of the operation that waits.
    pub fn is(&self, record: &Record) -> bool {
        record.kind == Kind::Invoke && record.id == self.operation
    }
}

/// The persisted state of an execution, its operations apart.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Execution {
    /// Its id.
    pub id: ExecutionId,
    /// Name of the handler that runs it.
    pub handler: String,
    /// How far it has come.
    pub status: ExecutionStatus,
    /// The encoded input.
    pub input: Payload,
    /// Rust type of the input, where it is known.
    pub input_type: Option<Cow<'static, str>>,
    /// The encoded output, once succeeded.
    pub output: Option<Payload>,
    /// The error, once failed.
    pub error: Option<OperationError>,
    /// What disagrees, while blocked.
    pub report: Option<String>,
    /// When it was started.
    pub created_at: Timestamp,
    /// When its state last changed.
    pub updated_at: Timestamp,
    /// When it is due again, while suspended.
    pub wake_at: Option<Timestamp>,
    /// The operation that waits for its end.
    pub parent: Option<Parent>,
    /// The execution that goes on in its place, once continued.
    pub next: Option<ExecutionId>,
    /// How often it was changed from outside: by callbacks, their heartbeats, ended children and
    /// cancellation.
    pub changes: u64,
    /// Whether it is to be cancelled.
    pub cancel: bool,
    /// When it may first run, where that is later than its start.
    pub start_at: Option<Timestamp>,
    /// The queue it was started in.
    pub queue: Option<QueueEntry>,
    /// Whether its queue has let it run: from then to its end it counts among those that do.
    pub admitted: bool,
    /// Whether nothing of it is to run until it is resumed.
    pub paused: bool,
}

impl Execution {
    /// The state right after a start.
    pub fn queued(new: NewExecution) -> Self {
        Self {
            id: new.id,
            handler: new.handler,
            status: ExecutionStatus::Queued,
            input: new.input,
            input_type: new.input_type,
            output: None,
            error: None,
            report: None,
            created_at: new.created_at,
            updated_at: new.created_at,
            wake_at: None,
            parent: new.parent,
            next: None,
            changes: 0,
            cancel: false,
            start_at: new.start_at,
            queue: new.queue,
            admitted: false,
            paused: false,
        }
    }

    /// When a worker may claim it, as far as its own state says: nothing while it runs, is paused,
    /// is blocked or waits for an event, and after its end.
    pub fn due_at(&self) -> Option<Timestamp> {
        match self.status {
            _ if self.paused => None,
            ExecutionStatus::Queued => Some(self.start_at.unwrap_or(self.created_at)),
            ExecutionStatus::Suspended => self.wake_at,
            _ => None,
        }
    }

    /// Whether a lease of it may be granted.
    ///
    /// # Errors
    ///
    /// [`StoreErrorKind::Conflict`](super::StoreErrorKind::Conflict) when it has ended or is paused.
    pub fn may_be_claimed(&self) -> Result<(), StoreError> {
        let why = match self.status {
            status if status.is_terminal() => format!("has {status}"),
            _ if self.paused => "is paused: resume it first".to_owned(),
            _ => return Ok(()),
        };
        let message = format!("execution `{}` {why}", self.id);
        Err(StoreError::new(StoreErrorKind::Conflict, message))
    }

    /// Whether its queue has to let it run first.
    pub fn waits_in_queue(&self) -> bool {
        self.queue.is_some() && !self.admitted
    }

    /// The report as people can read it: of one that is sealed, only that it is and with what.
    pub fn readable_report(&self) -> Option<&str> {
        let report = self.report.as_deref()?;
        Some(sealed_text::read_report(report).map_or(report, |(note, _)| note))
    }

    /// Notes that a lease was granted: the execution runs, whatever it waited for.
    pub fn claimed(&mut self, now: Timestamp) {
        self.status = ExecutionStatus::Running;
        self.updated_at = now;
        (self.wake_at, self.report) = (None, None);
        self.admitted = self.queue.is_some();
    }

    /// Applies what a checkpoint says about the execution itself; `seen` as in
    /// [`Batch::seen`](super::Batch::seen).
    pub fn apply(&mut self, update: &ExecutionUpdate, seen: u64, now: Timestamp) {
        self.updated_at = now;
        (self.wake_at, self.report) = (None, None);
        match update {
            ExecutionUpdate::Suspend { wake_at } => {
                self.status = ExecutionStatus::Suspended;
                self.wake_at = if self.changes > seen {
                    Some(now)
                } else {
                    *wake_at
                };
            }
            ExecutionUpdate::Succeed { output } => {
                self.status = ExecutionStatus::Succeeded;
                self.output = Some(output.clone());
            }
            ExecutionUpdate::Fail { error } => {
                self.status = ExecutionStatus::Failed;
                self.error = Some(error.clone());
            }
            ExecutionUpdate::Block { report } => {
                self.status = ExecutionStatus::Blocked;
                self.report = Some(report.clone());
            }
            ExecutionUpdate::Cancel { error } => {
                self.status = ExecutionStatus::Cancelled;
                self.error = Some(error.clone());
            }
            ExecutionUpdate::Continue { next } => {
                self.status = ExecutionStatus::Continued;
                self.next = Some(next.id.clone());
            }
        }
        self.admitted &= !self.status.is_terminal();
    }

    /// What goes on in its place, as it is to be started: for the same parent, and with the place
    /// in the queue that this one gives up.
    pub fn successor(&self, next: &NewExecution) -> NewExecution {
        NewExecution {
            parent: self.parent.clone(),
            queue: self.queue.clone(),
            ..next.clone()
        }
    }

    /// Notes a change from outside: the execution is due, if it was waiting.
    pub fn changed(&mut self, now: Timestamp) {
        self.changes += 1;
        if self.status == ExecutionStatus::Suspended {
            self.wake_at = Some(now);
        }
    }

    /// Notes a heartbeat from outside. A run of the execution has to know the new time, but none
    /// has to begin because of it: when the old time has come, the new one is found.
    pub fn kept_alive(&mut self) {
        self.changes += 1;
    }

    /// Notes that it is to be cancelled. One that has never run is cancelled at once, and one that is blocked is due:
    /// what it has begun may be taken back.
    pub fn ask_to_cancel(&mut self, now: Timestamp) {
        if self.status.is_terminal() || self.cancel {
            return;
        }
        (self.cancel, self.paused) = (true, false);
        if self.status == ExecutionStatus::Blocked {
            (self.status, self.report) = (ExecutionStatus::Suspended, None);
        }
        // Nobody has to wait for a turn to be cancelled.
        self.admitted = self.queue.is_some();
        self.changed(now);
        if self.status == ExecutionStatus::Queued {
            let error = cancelled_unrun(&self.handler);
            self.apply(&ExecutionUpdate::Cancel { error }, self.changes, now);
        }
    }

    /// What its end means for the operation that waits for it.
    pub fn completion(&self) -> Option<Completion> {
        match (self.status, &self.output, &self.error) {
            (ExecutionStatus::Succeeded, Some(output), _) => {
                Some(Completion::Succeed(output.clone()))
            }
            (ExecutionStatus::Failed | ExecutionStatus::Cancelled, _, Some(error)) => {
                Some(Completion::Fail(error.clone()))
            }
            _ => None,
        }
    }
}

/// What an execution ends with that is cancelled before it runs: the one error that stores make.
pub(super) fn cancelled_unrun(handler: &str) -> OperationError {
    let message = "it was cancelled before it ran";
    OperationError::new(handler, ErrorKind::Cancelled, message)
}
