//! What the end of an invocation does to its execution.

use serde_json::Value;

use crate::wire::ErrorObject;

use super::shape::LARGEST_CHAINED;
use super::{Ended, Execution};

/// Whether the service took what an invocation ended with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Taken,
    /// `PENDING`, though nothing is.
    NothingPending,
    /// Not an output at all.
    Invalid,
}

impl Execution {
    /// An EXECUTION update ends the execution at once; what the handler answers then is a formality.
    pub(crate) fn close(&mut self) {
        if let Some(outcome) = self.outcome.take() {
            self.end(outcome);
        }
    }

    /// The handler answered.
    pub(crate) fn output(&mut self, output: &Value, now: u64) -> Verdict {
        self.token = None;
        if !self.is_running() {
            return Verdict::Taken;
        }
        match decide(output) {
            Err(message) => {
                let error = ErrorObject::new("InvalidParameterValueException", message);
                self.end(Ended::Failed(error));
                Verdict::Invalid
            }
            Ok(Some(ended)) => {
                self.end(self.fitting(ended));
                Verdict::Taken
            }
            Ok(None) => self.pending(now),
        }
    }

    fn pending(&mut self, now: u64) -> Verdict {
        self.failures = 0;
        if self.withheld {
            // The fake holds nothing back for long: it goes on in the next invocation.
            self.wake = Some(now);
            return Verdict::Taken;
        }
        if self.has_pending() || self.has_news() {
            self.improper = 0;
            self.handed_over = self.seen;
            return Verdict::Taken;
        }
        self.improper += 1;
        self.wake = Some(now);
        if self.improper >= self.quotas.improper_pendings {
            self.end(Ended::Failed(ErrorObject::new(
                "InvalidParameterValueException",
                "Cannot return PENDING status with no pending operations.",
            )));
        }
        Verdict::NothingPending
    }

    fn fitting(&self, ended: Ended) -> Ended {
        match ended {
            Ended::Succeeded(result)
                if self.quotas.asynchronous && result.len() > LARGEST_CHAINED =>
            {
                Ended::Failed(ErrorObject::new(
                    "InvalidParameterValueException",
                    format!(
                        "Execution output payload size must be less than or equal to {LARGEST_CHAINED} bytes."
                    ),
                ))
            }
            ended => ended,
        }
    }

    /// The invocation failed: it is repeated, up to a point.
    pub(crate) fn invocation_failed(&mut self, error: ErrorObject, now: u64) {
        self.token = None;
        if !self.is_running() {
            return;
        }
        self.failures += 1;
        self.used.operations += 1;
        if self.failures >= self.quotas.failed_invocations {
            self.end(Ended::Failed(error));
            return;
        }
        let backoff = 1_000.0 * f64::from(1 << self.failures.min(6)) / self.pace.0;
        self.wake = Some(now + backoff as u64);
    }
}

/// How the execution ends with this output; `None` while it goes on.
fn decide(output: &Value) -> Result<Option<Ended>, &'static str> {
    let has = |member: &str| output.get(member).is_some_and(|value| !value.is_null());
    match output.get("Status").and_then(Value::as_str) {
        Some("SUCCEEDED") if has("Error") => Err("Cannot provide an Error for SUCCEEDED status."),
        Some("FAILED") if has("Result") => Err("Cannot provide a Result for FAILED status."),
        Some("SUCCEEDED") => match output.get("Result") {
            None | Some(Value::Null) => Ok(Some(Ended::Succeeded(String::new()))),
            Some(Value::String(result)) => Ok(Some(Ended::Succeeded(result.clone()))),
            Some(_) => Err("Invalid Result in invocation output."),
        },
        Some("FAILED") => {
            let error = output.get("Error").cloned().unwrap_or_default();
            let error = serde_json::from_value::<Option<ErrorObject>>(error);
            let error = error.map_err(|_| "Invalid Error in invocation output.")?;
            Ok(Some(Ended::Failed(error.unwrap_or_default())))
        }
        Some("PENDING") if has("Result") || has("Error") => {
            Err("Cannot provide a Result or an Error for PENDING status.")
        }
        Some("PENDING") => Ok(None),
        _ => Err("Invalid Status in invocation output."),
    }
}
