//! External events: callback completion, outcomes of invoked functions, stopping.

use crate::wire::{ApiError, ErrorObject, Kind, Status};

use super::validation::{MAX_CHAINED, MAX_VALUE};
use super::{Execution, ExecutionOutcome, timers};

impl Execution {
    /// Completes the callback with this id.
    pub(crate) fn complete_callback(
        &mut self,
        callback: &str,
        outcome: Result<Option<String>, ErrorObject>,
        now: u64,
    ) -> Result<(), ApiError> {
        let id = self.open_callback(callback)?;
        if let Ok(Some(result)) = &outcome
            && result.len() > MAX_VALUE
        {
            let message =
                format!("Value at 'result' must have length less than or equal to {MAX_VALUE}");
            return Err(ApiError::new(400, "ValidationException", message));
        }
        self.settle(&id, outcome, now);
        Ok(())
    }

    /// Records a heartbeat of a callback.
    pub(crate) fn heartbeat(&mut self, callback: &str, now: u64) -> Result<(), ApiError> {
        let id = self.open_callback(callback)?;
        if let Some(at) = self.index.get(&id) {
            timers::restart_heartbeat(&mut self.operations[*at], now);
        }
        Ok(())
    }

    /// Returns the operation id of an open callback.
    fn open_callback(&self, callback: &str) -> Result<String, ApiError> {
        let known = self.operations.iter().find(|operation| {
            operation
                .callback
                .as_ref()
                .is_some_and(|times| times.id == callback)
        });
        let known = known.ok_or_else(|| ApiError::invalid("Invalid callback id"))?;
        if self.is_running() && self.is_open(&known.id) {
            return Ok(known.id.clone());
        }
        Err(ApiError::new(
            400,
            "CallbackTimeoutException",
            "The callback is either timed out or already completed",
        ))
    }

    /// Completes the chained invoke with this operation id. Returns whether it was open.
    pub(crate) fn complete_invoke(
        &mut self,
        id: &str,
        outcome: Result<String, ErrorObject>,
        now: u64,
    ) -> bool {
        let invoke = |id: &str| {
            self.operation(id)
                .is_some_and(|o| o.kind == Kind::ChainedInvoke)
        };
        if !self.is_running() || !self.is_open(id) || !invoke(id) {
            return false;
        }
        let outcome = outcome.and_then(|result| {
            if result.len() <= MAX_CHAINED {
                return Ok(Some(result));
            }
            let message = format!(
                "CHAINED_INVOKE output payload size must be less than or equal to {MAX_CHAINED} bytes."
            );
            Err(ErrorObject {
                error_message: Some(message),
                ..ErrorObject::default()
            })
        });
        self.settle(id, outcome, now);
        true
    }

    /// Fails a chained invoke if its function does not exist.
    pub(crate) fn fail_invoke_without_function(&mut self, id: &str, now: u64) {
        let options = self
            .operation(id)
            .and_then(|invoke| invoke.function.as_ref());
        let name = options.and_then(|options| options.function_name.clone());
        let name = name.unwrap_or_default();
        if !self.functions.contains(function_name(&name)) {
            let message = format!("Function not found: {name}");
            self.settle(
                id,
                Err(ErrorObject::new("ResourceNotFoundException", message)),
                now,
            );
        }
    }

    fn settle(&mut self, id: &str, outcome: Result<Option<String>, ErrorObject>, now: u64) {
        let Some(mut operation) = self.operation(id).cloned() else {
            return;
        };
        operation.due = None;
        operation.ended_at = Some(now);
        match outcome {
            Ok(result) => {
                self.usage.bytes += result.as_ref().map_or(0, String::len) as u64;
                operation.status = Status::Succeeded;
                operation.payload = result;
            }
            Err(error) => {
                operation.status = Status::Failed;
                operation.error = Some(error);
            }
        }
        self.put(operation);
    }

    pub(crate) fn end(&mut self, outcome: ExecutionOutcome) {
        if self.outcome.is_none() {
            self.outcome = Some(outcome);
            self.token = None;
            self.wake_at = None;
        }
    }
}

/// Extracts a function's name from a name or ARN, with or without a qualifier.
pub(crate) fn function_name(name: &str) -> &str {
    let name = name
        .rsplit_once(":function:")
        .map_or(name, |(_, name)| name);
    name.split(':').next().unwrap_or(name)
}
