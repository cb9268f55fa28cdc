//! What others than the handler do: completing callbacks, running functions, stopping it.

use crate::wire::{ErrorObject, Kind, Refusal, Status};

use super::shape::{LARGEST_CHAINED, LARGEST_VALUE};
use super::{Ended, Execution, timers};

impl Execution {
    /// Ends the callback with this id.
    pub(crate) fn complete_callback(
        &mut self,
        callback: &str,
        outcome: Result<Option<String>, ErrorObject>,
        now: u64,
    ) -> Result<(), Refusal> {
        let id = self.callback(callback)?;
        if let Ok(Some(result)) = &outcome
            && result.len() > LARGEST_VALUE
        {
            let message =
                format!("Value at 'result' must have length less than or equal to {LARGEST_VALUE}");
            return Err(Refusal::new(400, "ValidationException", message));
        }
        self.settle(&id, outcome, now);
        Ok(())
    }

    /// Takes a sign of life of a callback.
    pub(crate) fn heartbeat(&mut self, callback: &str, now: u64) -> Result<(), Refusal> {
        let id = self.callback(callback)?;
        if let Some(at) = self.index.get(&id) {
            timers::beat(&mut self.operations[*at], now);
        }
        Ok(())
    }

    fn callback(&self, callback: &str) -> Result<String, Refusal> {
        let known = self.operations.iter().find(|operation| {
            operation
                .callback
                .as_ref()
                .is_some_and(|times| times.id == callback)
        });
        let known = known.ok_or_else(|| Refusal::invalid("Invalid callback id"))?;
        if self.is_running() && self.is_open(&known.id) {
            return Ok(known.id.clone());
        }
        Err(Refusal::new(
            400,
            "CallbackTimeoutException",
            "The callback is either timed out or already completed",
        ))
    }

    /// Ends the chained invoke with this operation id.
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
            if result.len() <= LARGEST_CHAINED {
                return Ok(Some(result));
            }
            let message = format!(
                "CHAINED_INVOKE output payload size must be less than or equal to {LARGEST_CHAINED} bytes."
            );
            Err(ErrorObject {
                error_message: Some(message),
                ..ErrorObject::default()
            })
        });
        self.settle(id, outcome, now);
        true
    }

    /// A chained invoke of a function that is not there fails at once.
    pub(crate) fn resolve(&mut self, id: &str, now: u64) {
        let options = self
            .operation(id)
            .and_then(|invoke| invoke.function.as_ref());
        let name = options.and_then(|options| options.function_name.clone());
        let name = name.unwrap_or_default();
        if !self.functions.contains(bare(&name)) {
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
        operation.ended = Some(now);
        match outcome {
            Ok(result) => {
                self.used.bytes += result.as_ref().map_or(0, String::len) as u64;
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

    pub(crate) fn end(&mut self, ended: Ended) {
        if self.ended.is_none() {
            self.ended = Some(ended);
            self.token = None;
            self.wake = None;
        }
    }
}

/// The name of a function that may be given as an ARN and with a qualifier.
pub(crate) fn bare(name: &str) -> &str {
    let name = name
        .rsplit_once(":function:")
        .map_or(name, |(_, name)| name);
    name.split(':').next().unwrap_or(name)
}
