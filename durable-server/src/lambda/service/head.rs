//! Data of an execution: status, limits, and the head that is stored with each change.

use serde::{Deserialize, Serialize};

use super::pause::Pause;
use super::wire::ErrorObject;

/// Longest lifetime of an execution in seconds, pauses included.
pub(crate) const MAX_LIFETIME: i64 = 31_622_400;

/// Time of a call, with the speed-up factor of the service's timers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    /// Milliseconds since 1970.
    pub(crate) now: u64,
    pub(crate) scale: f64,
}

impl Moment {
    /// Converts `seconds` of service time to real milliseconds, at least one.
    pub(crate) fn millis(self, seconds: i64) -> u64 {
        let millis = seconds as f64 * 1_000.0 / self.scale;
        (millis as u64).max(1)
    }

    /// Returns the time after `seconds` of service time.
    pub(crate) fn after(self, seconds: i64) -> u64 {
        self.now.saturating_add(self.millis(seconds))
    }
}

/// Quotas of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Billed operations per execution.
    pub(crate) operations: u64,
    /// Bytes of payloads and errors per execution.
    pub(crate) bytes: u64,
    /// Consecutive failed invocations that fail an execution.
    pub(crate) failed_invocations: u32,
    /// Consecutive `PENDING` outputs without pending operations that fail an execution.
    pub(crate) improper_pendings: u32,
    /// Bytes of operations in one page of state.
    pub(crate) page_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            operations: 3_000,
            bytes: 100 << 20,
            failed_invocations: 5,
            improper_pendings: 4,
            page_bytes: 5 << 20,
        }
    }
}

/// Status of an execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum ExecutionStatus {
    Running,
    Succeeded,
    Failed,
    TimedOut,
    Stopped,
    Pausing,
    Paused,
}

impl ExecutionStatus {
    /// Name on the wire.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
            Self::TimedOut => "TIMED_OUT",
            Self::Stopped => "STOPPED",
            Self::Pausing => "PAUSING",
            Self::Paused => "PAUSED",
        }
    }
}

/// End of an execution.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Ending {
    pub(crate) status: ExecutionStatus,
    pub(crate) at: u64,
    pub(crate) result: Option<String>,
    pub(crate) error: Option<ErrorObject>,
}

/// Outcome that a handler reported.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Outcome {
    Succeeded(Option<String>),
    Failed(ErrorObject),
}

/// Invocation in flight.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Invocation {
    pub(crate) request_id: String,
    pub(crate) started: u64,
    /// Whether an external event has changed an operation since it started.
    pub(crate) triggered: bool,
}

/// The chained invoke that started an execution.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Parent {
    pub(crate) execution: String,
    pub(crate) operation: String,
}

/// Consumption of the quotas.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Used {
    pub(crate) operations: u64,
    pub(crate) bytes: u64,
}

/// Execution to start.
#[derive(Debug, Clone)]
pub(crate) struct NewExecution {
    pub(crate) id: String,
    pub(crate) name: String,
    /// Bare name of the function.
    pub(crate) function: String,
    /// ARN of the function with the version.
    pub(crate) function_arn: String,
    pub(crate) version: String,
    pub(crate) input: String,
    pub(crate) secret: String,
    pub(crate) timeout_seconds: i64,
    pub(crate) retention_days: u32,
    /// Whether the start was asynchronous, which lowers the limit of the output.
    pub(crate) asynchronous: bool,
    pub(crate) parent: Option<Parent>,
    pub(crate) tenant: Option<String>,
    pub(crate) trace: Option<String>,
}

impl NewExecution {
    pub(crate) fn arn(&self) -> String {
        format!(
            "{}/durable-execution/{}/{}",
            self.function_arn, self.name, self.id
        )
    }
}

/// State of an execution without its operations and its history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Head {
    pub(crate) id: String,
    pub(crate) arn: String,
    pub(crate) name: String,
    pub(crate) function: String,
    pub(crate) function_arn: String,
    pub(crate) version: String,
    pub(crate) tenant: Option<String>,
    pub(crate) trace: Option<String>,
    pub(crate) timeout_seconds: i64,
    pub(crate) retention_days: u32,
    pub(crate) asynchronous: bool,
    pub(crate) parent: Option<Parent>,
    pub(crate) started: u64,
    pub(crate) ending: Option<Ending>,
    pub(super) secret: String,
    /// Number of the last change of an operation.
    pub(super) changes: u64,
    /// Last change that the current invocation has seen.
    pub(super) seen: u64,
    /// Last change that an invocation with a valid output had seen.
    pub(super) handed_over: u64,
    pub(super) tokens: u64,
    pub(super) token: Option<String>,
    pub(super) invocation: Option<Invocation>,
    /// Outcome of an EXECUTION update, applied when the invocation ends.
    pub(super) outcome: Option<Outcome>,
    pub(super) failures: u32,
    pub(super) improper: u32,
    /// Whether the current invocation gets no further token.
    pub(super) withheld: bool,
    /// Time of the next invocation, regardless of changes.
    pub(super) wake: Option<u64>,
    pub(super) used: Used,
    pub(super) deadline: Option<u64>,
    pub(super) pause: Option<Pause>,
    /// Client token of the last resume.
    pub(super) resumed_by: Option<String>,
    /// Number of the last event.
    pub(super) events: u64,
}

impl Head {
    pub(super) fn new(new: &NewExecution, at: Moment) -> Self {
        Self {
            arn: new.arn(),
            id: new.id.clone(),
            name: new.name.clone(),
            function: new.function.clone(),
            function_arn: new.function_arn.clone(),
            version: new.version.clone(),
            tenant: new.tenant.clone(),
            trace: new.trace.clone(),
            timeout_seconds: new.timeout_seconds,
            retention_days: new.retention_days,
            asynchronous: new.asynchronous,
            parent: new.parent.clone(),
            started: at.now,
            ending: None,
            secret: new.secret.clone(),
            changes: 0,
            seen: 0,
            handed_over: 0,
            tokens: 0,
            token: None,
            invocation: None,
            outcome: None,
            failures: 0,
            improper: 0,
            withheld: false,
            wake: Some(at.now),
            used: Used {
                operations: 1,
                bytes: new.input.len() as u64,
            },
            deadline: Some(at.after(new.timeout_seconds)),
            pause: None,
            resumed_by: None,
            events: 0,
        }
    }

    pub(crate) fn status(&self) -> ExecutionStatus {
        match (&self.ending, &self.pause) {
            (Some(ending), _) => ending.status,
            (None, Some(pause)) if pause.is_complete() => ExecutionStatus::Paused,
            (None, Some(_)) => ExecutionStatus::Pausing,
            (None, None) => ExecutionStatus::Running,
        }
    }
}
