//! Handle with which tests inspect an execution and act on it from outside.

use std::sync::Arc;
use std::time::Duration;

use crate::execution::{ExecutionOutcome, Usage};
use crate::fake::wait_for;
use crate::operation::Operation;
use crate::state::Shared;
use crate::wire::{self, ApiError, ErrorObject};

/// Handle of an execution.
#[derive(Debug, Clone)]
pub struct ExecutionHandle {
    pub(crate) shared: Arc<Shared>,
    pub(crate) arn: String,
}

impl ExecutionHandle {
    /// Returns the execution's ARN.
    pub fn arn(&self) -> &str {
        &self.arn
    }

    /// Waits until the execution and its last invocation have ended.
    ///
    /// # Panics
    ///
    /// Panics after two minutes, with the state of the fake in the message.
    pub async fn outcome(&self) -> ExecutionOutcome {
        let arn = self.arn.clone();
        wait_for(&self.shared, move |_, executions| {
            let execution = executions.get(&arn)?;
            execution.outcome.clone().filter(|_| !execution.invoked)
        })
        .await
    }

    /// Returns the outcome if the execution and its last invocation have ended.
    pub fn current_outcome(&self) -> Option<ExecutionOutcome> {
        let state = self.shared.lock();
        let execution = &state.executions[&self.arn];
        execution.outcome.clone().filter(|_| !execution.invoked)
    }

    /// Returns the current operations in the order in which they were started.
    pub fn operations(&self) -> Vec<Operation> {
        let state = self.shared.lock();
        state.executions[&self.arn].operations.clone()
    }

    /// Returns how much of its quotas it has used.
    pub fn usage(&self) -> Usage {
        self.shared.lock().executions[&self.arn].usage
    }

    /// Waits until `condition` returns a value for the operations.
    ///
    /// # Panics
    ///
    /// Panics after two minutes.
    pub async fn wait_until<T>(&self, condition: impl Fn(&[Operation]) -> Option<T>) -> T {
        let arn = self.arn.clone();
        wait_for(&self.shared, move |_, executions| {
            condition(&executions.get(&arn)?.operations)
        })
        .await
    }

    /// Completes the callback with this id.
    ///
    /// # Errors
    ///
    /// Returns the service's error for an unknown or closed callback.
    pub fn complete_callback(
        &self,
        callback: &str,
        outcome: Result<Option<String>, ErrorObject>,
    ) -> Result<(), ApiError> {
        self.shared.change(|state| {
            let execution = state.executions.get_mut(&self.arn);
            let execution = execution.ok_or_else(|| ApiError::invalid("Invalid callback id"))?;
            execution.complete_callback(callback, outcome, wire::now())
        })
    }

    /// Sends a heartbeat for the callback with this id.
    ///
    /// # Errors
    ///
    /// Returns the service's error for an unknown or closed callback.
    pub fn heartbeat(&self, callback: &str) -> Result<(), ApiError> {
        self.shared.change(|state| {
            let execution = state.executions.get_mut(&self.arn);
            let execution = execution.ok_or_else(|| ApiError::invalid("Invalid callback id"))?;
            execution.heartbeat(callback, wire::now())
        })
    }

    /// Completes the chained invoke with this operation id. Returns whether it was open.
    pub fn complete_invoke(&self, operation: &str, outcome: Result<String, ErrorObject>) -> bool {
        self.shared.change(|state| {
            let execution = state.executions.get_mut(&self.arn);
            execution.is_some_and(|one| one.complete_invoke(operation, outcome, wire::now()))
        })
    }

    /// Moves the start of every operation back by `age`.
    pub fn age_operations(&self, age: Duration) {
        self.shared.change(|state| {
            let execution = state.executions.get_mut(&self.arn);
            for operation in execution.into_iter().flat_map(|one| &mut one.operations) {
                operation.started_at = operation.started_at.saturating_sub(age.as_millis() as u64);
            }
        });
    }

    /// Stops the execution.
    pub fn stop(&self) {
        self.shared.change(|state| {
            if let Some(execution) = state.executions.get_mut(&self.arn) {
                execution.end(ExecutionOutcome::Stopped(ErrorObject::default()));
            }
        });
    }
}
