//! State of an execution, and its transitions.

use std::borrow::Cow;

use super::{ExecutionUpdate, ForkedFrom, QueueEntry, StoreError, StoreErrorKind};
use crate::model::error::{ErrorKind, OperationError};
use crate::model::payload::Payload;
use crate::model::record::{Completion, Kind, Record};
use crate::model::sealed_text;
use crate::{ExecutionId, Labels, OperationId, Timestamp, TraceParent};

/// Status of an execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ExecutionStatus {
    /// Started, but never claimed.
    Queued,
    /// A process holds the lease, or held it when it died.
    Running,
    /// Waits for a time or an event. No process holds the lease.
    Suspended,
    /// Ended with an output.
    Succeeded,
    /// Ended with an error.
    Failed,
    /// Code and history disagree. Deploy a fix or roll back, and the execution resumes.
    Blocked,
    /// Ended because it was cancelled.
    Cancelled,
    /// Ended, and continues as another execution.
    Continued,
}

impl ExecutionStatus {
    /// All statuses.
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

    /// Returns the word that stores, tables and commands use. It never changes.
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

    /// Returns the status whose [`ExecutionStatus::as_str`] is `word`.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }

    /// Returns whether the execution has ended or is blocked, so that it does not change without
    /// intervention.
    pub const fn is_settled(self) -> bool {
        self.is_terminal() || matches!(self, Self::Blocked)
    }

    /// Returns whether the execution has ended.
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

/// Execution to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewExecution {
    /// Id of the execution.
    pub id: ExecutionId,
    /// Name of the handler that runs it.
    pub handler: String,
    /// Encoded input.
    pub input: Payload,
    /// Rust type of the input, for reports. `None` if the input was not given as the handler's type.
    pub input_type: Option<Cow<'static, str>>,
    /// When it was started.
    pub created_at: Timestamp,
    /// Operation of another execution that waits for its end.
    pub parent: Option<Parent>,
    /// Tenant it runs for, in stores with [`Capabilities::tenants`](super::Capabilities::tenants).
    pub tenant: Option<String>,
    /// Time before which it does not run. `None` means that it may run at once.
    pub start_at: Option<Timestamp>,
    /// Queue it waits in before it first runs.
    pub queue: Option<QueueEntry>,
    /// Position of its caller in a distributed trace, which its invocations continue.
    pub trace: Option<TraceParent>,
    /// Labels to find it by.
    pub labels: Labels,
    /// The execution whose history it begins with.
    pub forked_from: Option<Box<ForkedFrom>>,
}

impl NewExecution {
    /// Returns an execution that may run at once, without a parent or a queue.
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
            trace: None,
            labels: Labels::new(),
            forked_from: None,
        }
    }

    /// Sets the Rust type of the input.
    #[must_use]
    pub fn with_input_type(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.input_type = Some(name.into());
        self
    }

    /// Sets the operation that waits for its end.
    #[must_use]
    pub fn for_parent(mut self, parent: Parent) -> Self {
        self.parent = Some(parent);
        self
    }
}

/// Operation that waits for the end of an execution that it invoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parent {
    /// Execution that waits.
    pub execution: ExecutionId,
    /// [`Record::seq`] of the operation that waits.
    pub seq: u64,
    /// [`Record::id`] of the operation that waits.
    pub operation: OperationId,
}

impl Parent {
    /// Returns whether `record` belongs to the operation that waits.
    pub fn is(&self, record: &Record) -> bool {
        record.kind == Kind::Invoke && record.id == self.operation
    }
}

/// Persisted state of an execution, without its operations.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Execution {
    /// Id of the execution.
    pub id: ExecutionId,
    /// Name of the handler that runs it.
    pub handler: String,
    /// Current status.
    pub status: ExecutionStatus,
    /// Encoded input.
    pub input: Payload,
    /// Rust type of the input, if known.
    pub input_type: Option<Cow<'static, str>>,
    /// Encoded output, once it has succeeded.
    pub output: Option<Payload>,
    /// Error, once it has failed or was cancelled.
    pub error: Option<OperationError>,
    /// Description of the disagreement between code and history, while it is blocked.
    pub report: Option<String>,
    /// When it was started.
    pub created_at: Timestamp,
    /// When its state last changed.
    pub updated_at: Timestamp,
    /// Time at which it is due again, while it is suspended. `None` means that it waits for an event.
    pub wake_at: Option<Timestamp>,
    /// Operation of another execution that waits for its end.
    pub parent: Option<Parent>,
    /// Execution that it continues as, once it is continued.
    pub next: Option<ExecutionId>,
    /// Number of external changes: completed callbacks, heartbeats, ended children, cancellation and
    /// changes by operators.
    pub changes: u64,
    /// Whether cancellation was requested.
    pub cancel: bool,
    /// Time before which it does not run. `None` means that it could run at once.
    pub start_at: Option<Timestamp>,
    /// Queue it was started in.
    pub queue: Option<QueueEntry>,
    /// Whether it has left the waiting line of its queue. From then to its end it counts toward the queue's
    /// limits.
    pub admitted: bool,
    /// Whether it is paused: it does not run until it is resumed.
    pub paused: bool,
    /// Position of its caller in a distributed trace, which its invocations continue.
    pub trace: Option<TraceParent>,
    /// Labels it was started with.
    pub labels: Labels,
    /// The execution whose history it began with, if it was forked.
    pub forked_from: Option<Box<ForkedFrom>>,
}

impl Execution {
    /// Returns the state right after a start.
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
            trace: new.trace,
            labels: new.labels,
            forked_from: new.forked_from,
        }
    }

    /// The state right after a fork. Suspended rather than queued: it has a history to load, and cancelling it undoes
    /// the steps in it.
    pub fn forked(new: NewExecution) -> Self {
        let due = new.start_at.unwrap_or(new.created_at);
        Self {
            status: ExecutionStatus::Suspended,
            wake_at: Some(due),
            ..Self::queued(new)
        }
    }

    /// Returns the time from which a worker may claim it. `None` while it runs, is paused, is blocked or
    /// waits for an event, and after its end. Leases and queues are not considered.
    pub fn due_at(&self) -> Option<Timestamp> {
        match self.status {
            _ if self.paused => None,
            ExecutionStatus::Queued => Some(self.start_at.unwrap_or(self.created_at)),
            ExecutionStatus::Suspended => self.wake_at,
            _ => None,
        }
    }

    /// Checks that its state allows a lease.
    ///
    /// # Errors
    ///
    /// [`StoreErrorKind::Conflict`](super::StoreErrorKind::Conflict) if it has ended or is paused.
    pub fn ensure_claimable(&self) -> Result<(), StoreError> {
        let reason = match self.status {
            status if status.is_terminal() => format!("has {status}"),
            _ if self.paused => "is paused: resume it first".to_owned(),
            _ => return Ok(()),
        };
        let message = format!("execution `{}` {reason}", self.id);
        Err(StoreError::new(StoreErrorKind::Conflict, message))
    }

    /// Returns whether it still waits in its queue.
    pub fn waits_in_queue(&self) -> bool {
        self.queue.is_some() && !self.admitted
    }

    /// Returns the report in readable form. For a sealed report, that is a note that names its codec.
    pub fn readable_report(&self) -> Option<&str> {
        let report = self.report.as_deref()?;
        Some(sealed_text::read_report(report).map_or(report, |(note, _)| note))
    }

    /// Applies the grant of a lease: the execution is running.
    pub fn mark_running(&mut self, now: Timestamp) {
        self.status = ExecutionStatus::Running;
        self.updated_at = now;
        (self.wake_at, self.report) = (None, None);
        self.admitted = self.queue.is_some();
    }

    /// Applies an update by the holder of the lease. `seen` is [`Batch::seen`](super::Batch::seen).
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

    /// Completes the next execution of a chain: it has the same parent and takes over the queue entry.
    pub fn successor(&self, next: &NewExecution) -> NewExecution {
        NewExecution {
            parent: self.parent.clone(),
            queue: self.queue.clone(),
            ..next.clone()
        }
    }

    /// Counts an external change. A suspended execution becomes due.
    pub fn note_external_change(&mut self, now: Timestamp) {
        self.changes += 1;
        if self.status == ExecutionStatus::Suspended {
            self.wake_at = Some(now);
        }
    }

    /// Counts a heartbeat of a callback. A running invocation has to know the new timeout, but a suspended
    /// execution does not become due: when it wakes at the old timeout, it finds the new one.
    pub fn note_heartbeat(&mut self) {
        self.changes += 1;
    }

    /// Requests the cancellation. An execution that has never run ends at once. A blocked one becomes due, because
    /// its finished steps may have to be undone.
    pub fn request_cancel(&mut self, now: Timestamp) {
        if self.status.is_terminal() || self.cancel {
            return;
        }
        (self.cancel, self.paused) = (true, false);
        if self.status == ExecutionStatus::Blocked {
            (self.status, self.report) = (ExecutionStatus::Suspended, None);
        }
        // Cancellation does not wait for the limits of the queue.
        self.admitted = self.queue.is_some();
        self.note_external_change(now);
        if self.status == ExecutionStatus::Queued {
            let error = cancelled_before_run(&self.handler);
            self.apply(&ExecutionUpdate::Cancel { error }, self.changes, now);
        }
    }

    /// Returns the outcome for the operation that waits for it, once it has ended.
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

/// Error of an execution that was cancelled before it ran. No other error is created by stores.
pub(super) fn cancelled_before_run(handler: &str) -> OperationError {
    let message = "it was cancelled before it ran";
    OperationError::new(handler, ErrorKind::Cancelled, message)
}
