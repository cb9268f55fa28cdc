//! External events: callbacks, results of chained invokes, and stops.

use serde_json::json;

use super::execution::Execution;
use super::head::{Ending, ExecutionStatus, Moment};
use super::history;
use super::validation::{MAX_CALLBACK, MAX_CHAINED};
use super::wire::{ErrorObject, Kind, Refusal, Status};

/// Outcome of a callback.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum CallbackOutcome {
    Succeeded(Option<String>),
    Failed(ErrorObject),
}

/// Outcome of a chained invoke.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum InvokeOutcome {
    Succeeded(Option<String>),
    Failed(ErrorObject),
    TimedOut(ErrorObject),
    Stopped(ErrorObject),
}

impl Execution {
    /// Completes the callback of an operation; `id` is the callback id from the request.
    pub(crate) fn complete_callback(
        &mut self,
        operation: &str,
        id: &str,
        outcome: CallbackOutcome,
        at: Moment,
    ) -> Result<(), Refusal> {
        self.advance(at);
        let position = self.open_callback(operation, id)?;
        match outcome {
            CallbackOutcome::Succeeded(result) => {
                let size = result.as_ref().map_or(0, String::len);
                if size > MAX_CALLBACK {
                    let constraint =
                        format!("Member must have length less than or equal to {MAX_CALLBACK}");
                    return Err(Refusal::validation("result", "", &constraint));
                }
                let details = json!({ "Result": history::wrapped(result.as_deref()) });
                self.settle(position, Status::Succeeded, (result, None), at.now);
                self.event("CallbackSucceeded", at.now, Some(position), details);
            }
            CallbackOutcome::Failed(error) => {
                let details = json!({ "Error": history::wrapped_error(Some(&error)) });
                self.settle(position, Status::Failed, (None, Some(error)), at.now);
                self.event("CallbackFailed", at.now, Some(position), details);
            }
        }
        Ok(())
    }

    /// Restarts the heartbeat window of a callback.
    pub(crate) fn heartbeat(
        &mut self,
        operation: &str,
        id: &str,
        at: Moment,
    ) -> Result<(), Refusal> {
        self.advance(at);
        let position = self.open_callback(operation, id)?;
        let mut callback = self.operations[position].clone();
        if let Some(times) = &mut callback.callback {
            times.silent_until = times.heartbeat.map(|pause| at.now.saturating_add(pause));
            callback.due = [times.deadline, times.silent_until]
                .into_iter()
                .flatten()
                .min();
        }
        self.store(position, callback);
        Ok(())
    }

    fn open_callback(&self, operation: &str, id: &str) -> Result<usize, Refusal> {
        let invalid = || Refusal::invalid("Invalid callback id");
        let position = *self.index.get(operation).ok_or_else(invalid)?;
        let callback = &self.operations[position];
        let times = callback.callback.as_ref().ok_or_else(invalid)?;
        if times.id != id {
            return Err(invalid());
        }
        if self.is_running() && callback.status == Status::Started {
            return Ok(position);
        }
        Err(Refusal::new(
            400,
            "CallbackTimeoutException",
            "The callback is either timed out or already completed",
        ))
    }

    /// Completes a chained invoke. Returns whether it was open.
    pub(crate) fn complete_invoke(
        &mut self,
        operation: &str,
        outcome: InvokeOutcome,
        at: Moment,
    ) -> bool {
        let Some(position) = self.index.get(operation).copied() else {
            return false;
        };
        let invoke = &self.operations[position];
        let open = invoke.kind == Kind::ChainedInvoke && !invoke.status.is_closed();
        if !open || !self.is_running() {
            return false;
        }
        let error = |error: &ErrorObject| json!({ "Error": history::wrapped_error(Some(error)) });
        let (status, kind, details, values) = match fitting(outcome) {
            InvokeOutcome::Succeeded(result) => {
                let details = json!({ "Result": history::wrapped(result.as_deref()) });
                let kind = "ChainedInvokeSucceeded";
                (Status::Succeeded, kind, details, (result, None))
            }
            InvokeOutcome::Failed(e) => {
                let kind = "ChainedInvokeFailed";
                (Status::Failed, kind, error(&e), (None, Some(e)))
            }
            InvokeOutcome::TimedOut(e) => {
                let kind = "ChainedInvokeTimedOut";
                (Status::TimedOut, kind, error(&e), (None, Some(e)))
            }
            InvokeOutcome::Stopped(e) => {
                let kind = "ChainedInvokeStopped";
                (Status::Stopped, kind, error(&e), (None, Some(e)))
            }
        };
        self.settle(position, status, values, at.now);
        self.event(kind, at.now, Some(position), details);
        true
    }

    fn settle(
        &mut self,
        position: usize,
        status: Status,
        (payload, error): (Option<String>, Option<ErrorObject>),
        now: u64,
    ) {
        let mut operation = self.operations[position].clone();
        let bytes =
            payload.as_ref().map_or(0, String::len) + error.as_ref().map_or(0, ErrorObject::size);
        self.head.used.bytes += bytes as u64;
        operation.due = None;
        operation.ended = Some(now);
        operation.status = status;
        (operation.payload, operation.error) = (payload, error);
        self.put(operation);
        self.trigger();
    }

    /// Stops the execution. Its operations do not change.
    pub(crate) fn stop(&mut self, error: Option<ErrorObject>, at: Moment) {
        self.end(Ending {
            status: ExecutionStatus::Stopped,
            at: at.now,
            result: None,
            error: Some(error.unwrap_or_default()),
        });
    }
}

fn fitting(outcome: InvokeOutcome) -> InvokeOutcome {
    match outcome {
        InvokeOutcome::Succeeded(Some(result)) if result.len() > MAX_CHAINED => {
            InvokeOutcome::Failed(ErrorObject::message(format!(
                "CHAINED_INVOKE output payload size must be less than or equal to {MAX_CHAINED} bytes."
            )))
        }
        outcome => outcome,
    }
}
