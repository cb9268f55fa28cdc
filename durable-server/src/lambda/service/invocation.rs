//! Invocations: when they are due, their events, and the effects of their ends.

use serde_json::{Value, json};

use super::execution::Execution;
use super::head::{Ending, ExecutionStatus, Invocation, Moment, Outcome};
use super::history;
use super::operation::{Times, seconds};
use super::validation::{MAX_CHAINED, MAX_PAYLOAD};
use super::wire::ErrorObject;

/// Longest delay before a failed invocation is retried, in seconds of service time.
const MAX_BACKOFF: i64 = 60;

impl Execution {
    /// Whether the execution may be invoked.
    pub(super) fn may_invoke(&self) -> bool {
        self.is_running() && self.head.invocation.is_none() && self.head.pause.is_none()
    }

    /// Whether an invocation is due.
    pub(crate) fn is_due(&self, now: u64) -> bool {
        let due = match self.head.wake {
            Some(wake) => wake <= now,
            None => self.has_unseen_changes(),
        };
        due && self.may_invoke()
    }

    /// Starts an invocation and returns its event. Its token fences all earlier invocations.
    pub(crate) fn begin_invocation(&mut self, request_id: &str, at: Moment) -> String {
        let token = self.new_token();
        self.last = None;
        let head = &mut self.head;
        head.withheld = false;
        head.wake = None;
        head.seen = head.changes;
        head.invocation = Some(Invocation {
            request_id: request_id.to_owned(),
            started: at.now,
            triggered: false,
        });
        let updated = self.changed_since(self.head.handed_over);
        let updated: Vec<&str> = updated.iter().map(|at| &*self.operations[*at].id).collect();
        let updated = json!(updated);
        let arn = json!(self.head.arn);
        let state = self.page(&self.visible(), usize::MAX, 0, Times::Millis);
        format!(
            "{{\"DurableExecutionArn\":{arn},\"CheckpointToken\":\"{token}\",\
             \"InitialExecutionState\":{state},\"UpdatedOperationIds\":{updated}}}"
        )
    }

    /// Ends the invocation with the handler's output.
    pub(crate) fn output(&mut self, output: &[u8], at: Moment) {
        let Some(invocation) = self.close_invocation(None, at) else {
            return;
        };
        if let Some(outcome) = self.head.outcome.take() {
            return self.close(outcome, at);
        }
        if !self.is_running() {
            return;
        }
        match decide(output) {
            Err(message) => {
                let error = ErrorObject::new("InvalidParameterValueException", message);
                self.close(Outcome::Failed(error), at);
            }
            Ok(Some(outcome)) => self.close(outcome, at),
            Ok(None) => self.pending(&invocation, at),
        }
    }

    /// Ends the invocation with a function error.
    pub(crate) fn invocation_failed(&mut self, error: ErrorObject, at: Moment) {
        if self.close_invocation(Some(&error), at).is_none() {
            return;
        }
        if let Some(outcome) = self.head.outcome.take() {
            return self.close(outcome, at);
        }
        if !self.is_running() {
            return;
        }
        self.head.failures += 1;
        self.head.used.operations += 1;
        if self.head.failures >= self.limits.failed_invocations {
            return self.close(Outcome::Failed(error), at);
        }
        let backoff = 1_i64 << (self.head.failures - 1).min(6);
        self.head.wake = Some(at.after(backoff.min(MAX_BACKOFF)));
    }

    /// Fails the invocation that was in flight when the server stopped, and repeats lost dispatches.
    pub(crate) fn recover(&mut self, at: Moment) {
        let open = self.operations.iter().enumerate().filter(|(_, operation)| {
            operation.kind == super::wire::Kind::ChainedInvoke && !operation.status.is_closed()
        });
        let open: Vec<usize> = open.map(|(position, _)| position).collect();
        for position in open {
            let mut operation = self.operations[position].clone();
            operation.due = Some(at.now);
            self.store(position, operation);
        }
        let error = ErrorObject::new("Runtime.ExitError", "The server was restarted");
        if self.close_invocation(Some(&error), at).is_none() {
            return;
        }
        match self.head.outcome.take() {
            Some(outcome) => self.close(outcome, at),
            None => self.head.wake = Some(at.now),
        }
    }

    fn close_invocation(&mut self, error: Option<&ErrorObject>, at: Moment) -> Option<Invocation> {
        let invocation = self.head.invocation.take()?;
        self.head.token = None;
        self.last = None;
        let mut details = json!({
            "StartTimestamp": seconds(invocation.started),
            "EndTimestamp": seconds(at.now),
            "RequestId": invocation.request_id,
        });
        if error.is_some() {
            details["Error"] = history::wrapped_error(error);
        }
        self.event("InvocationCompleted", at.now, None, details);
        self.flush_invokes();
        self.complete_pause(at.now);
        Some(invocation)
    }

    fn pending(&mut self, invocation: &Invocation, at: Moment) {
        self.head.failures = 0;
        if self.head.withheld {
            return;
        }
        let pending = self.operations.iter().skip(1).any(|one| one.is_pending());
        if pending || self.has_unseen_changes() {
            self.head.improper = 0;
            self.head.handed_over = self.head.seen;
            return;
        }
        if invocation.triggered {
            // An operation has completed meanwhile, and the handler may have missed it.
            self.head.wake = Some(at.now);
            return;
        }
        self.head.improper += 1;
        self.head.wake = Some(at.now);
        if self.head.improper >= self.limits.improper_pendings {
            let message = "Cannot return PENDING status with no pending operations.";
            let error = ErrorObject::new("InvalidParameterValueException", message);
            self.close(Outcome::Failed(error), at);
        }
    }

    fn close(&mut self, outcome: Outcome, at: Moment) {
        let most = match self.head.asynchronous {
            true => MAX_CHAINED,
            false => MAX_PAYLOAD,
        };
        let (status, result, error) = match outcome {
            Outcome::Succeeded(Some(result)) if result.len() > most => {
                let message = format!(
                    "Execution output payload size must be less than or equal to {most} bytes."
                );
                let error = ErrorObject::new("InvalidParameterValueException", message);
                (ExecutionStatus::Failed, None, Some(error))
            }
            Outcome::Succeeded(result) => (ExecutionStatus::Succeeded, result, None),
            Outcome::Failed(error) => (ExecutionStatus::Failed, None, Some(error)),
        };
        let at = at.now;
        self.end(Ending {
            status,
            at,
            result,
            error,
        });
    }
}

/// Parses the outcome in a handler's output; `None` for `PENDING`.
fn decide(output: &[u8]) -> Result<Option<Outcome>, &'static str> {
    let output: Value =
        serde_json::from_slice(output).map_err(|_| "Invalid Status in invocation output.")?;
    let has = |member: &str| output.get(member).is_some_and(|value| !value.is_null());
    match output.get("Status").and_then(Value::as_str) {
        Some("SUCCEEDED") if has("Error") => Err("Cannot provide an Error for SUCCEEDED status."),
        Some("FAILED") if has("Result") => Err("Cannot provide a Result for FAILED status."),
        Some("SUCCEEDED") => match output.get("Result") {
            None | Some(Value::Null) => Ok(Some(Outcome::Succeeded(None))),
            Some(Value::String(result)) => Ok(Some(Outcome::Succeeded(Some(result.clone())))),
            Some(_) => Err("Invalid Result in invocation output."),
        },
        Some("FAILED") => {
            let error = output.get("Error").cloned().unwrap_or_default();
            let error = serde_json::from_value::<Option<ErrorObject>>(error);
            let error = error.map_err(|_| "Invalid Error in invocation output.")?;
            Ok(Some(Outcome::Failed(error.unwrap_or_default())))
        }
        Some("PENDING") => Ok(None),
        _ => Err("Invalid Status in invocation output."),
    }
}
