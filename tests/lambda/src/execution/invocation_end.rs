//! Effects of the end of an invocation on its execution.

use serde_json::Value;

use crate::wire::ErrorObject;

use super::validation::MAX_CHAINED;
use super::{Execution, ExecutionOutcome};

/// Result of checking a handler's output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OutputCheck {
    Accepted,
    /// The output is `PENDING`, but no operation is.
    NothingPending,
    /// The output is malformed.
    Invalid,
}

impl Execution {
    /// Ends the execution after an EXECUTION update. The handler's output is then ignored.
    pub(crate) fn close(&mut self) {
        if let Some(outcome) = self.pending_outcome.take() {
            self.end(outcome);
        }
    }

    /// Applies the output of the handler.
    pub(crate) fn invocation_succeeded(&mut self, output: &Value, now: u64) -> OutputCheck {
        self.token = None;
        if !self.is_running() {
            return OutputCheck::Accepted;
        }
        match parse_output(output) {
            Err(message) => {
                let error = ErrorObject::new("InvalidParameterValueException", message);
                self.end(ExecutionOutcome::Failed(error));
                OutputCheck::Invalid
            }
            Ok(Some(outcome)) => {
                self.end(self.limit_result(outcome));
                OutputCheck::Accepted
            }
            Ok(None) => self.suspend(now),
        }
    }

    fn suspend(&mut self, now: u64) -> OutputCheck {
        self.failures = 0;
        if self.token_withheld {
            // Invokes the function again at once; the service may take its time.
            self.wake_at = Some(now);
            return OutputCheck::Accepted;
        }
        if self.has_pending() || self.has_unseen_changes() {
            self.invalid_pendings = 0;
            self.acknowledged = self.seen;
            return OutputCheck::Accepted;
        }
        self.invalid_pendings += 1;
        self.wake_at = Some(now);
        if self.invalid_pendings >= self.quotas.invalid_pendings {
            self.end(ExecutionOutcome::Failed(ErrorObject::new(
                "InvalidParameterValueException",
                "Cannot return PENDING status with no pending operations.",
            )));
        }
        OutputCheck::NothingPending
    }

    fn limit_result(&self, outcome: ExecutionOutcome) -> ExecutionOutcome {
        match outcome {
            ExecutionOutcome::Succeeded(result)
                if self.quotas.asynchronous && result.len() > MAX_CHAINED =>
            {
                ExecutionOutcome::Failed(ErrorObject::new(
                    "InvalidParameterValueException",
                    format!(
                        "Execution output payload size must be less than or equal to {MAX_CHAINED} bytes."
                    ),
                ))
            }
            outcome => outcome,
        }
    }

    /// Schedules a retry of a failed invocation, or fails the execution after too many failures.
    pub(crate) fn invocation_failed(&mut self, error: ErrorObject, now: u64) {
        self.token = None;
        if !self.is_running() {
            return;
        }
        self.failures += 1;
        self.usage.operations += 1;
        if self.failures >= self.quotas.failed_invocations {
            self.end(ExecutionOutcome::Failed(error));
            return;
        }
        let backoff = 1_000.0 * f64::from(1 << self.failures.min(6)) / self.speedup.0;
        self.wake_at = Some(now + backoff as u64);
    }
}

/// Parses an output. Returns the execution's outcome, or `None` if it is pending.
fn parse_output(output: &Value) -> Result<Option<ExecutionOutcome>, &'static str> {
    let has = |member: &str| output.get(member).is_some_and(|value| !value.is_null());
    match output.get("Status").and_then(Value::as_str) {
        Some("SUCCEEDED") if has("Error") => Err("Cannot provide an Error for SUCCEEDED status."),
        Some("FAILED") if has("Result") => Err("Cannot provide a Result for FAILED status."),
        Some("SUCCEEDED") => match output.get("Result") {
            None | Some(Value::Null) => Ok(Some(ExecutionOutcome::Succeeded(String::new()))),
            Some(Value::String(result)) => Ok(Some(ExecutionOutcome::Succeeded(result.clone()))),
            Some(_) => Err("Invalid Result in invocation output."),
        },
        Some("FAILED") => {
            let error = output.get("Error").cloned().unwrap_or_default();
            let error = serde_json::from_value::<Option<ErrorObject>>(error);
            let error = error.map_err(|_| "Invalid Error in invocation output.")?;
            Ok(Some(ExecutionOutcome::Failed(error.unwrap_or_default())))
        }
        Some("PENDING") if has("Result") || has("Error") => {
            Err("Cannot provide a Result or an Error for PENDING status.")
        }
        Some("PENDING") => Ok(None),
        _ => Err("Invalid Status in invocation output."),
    }
}
