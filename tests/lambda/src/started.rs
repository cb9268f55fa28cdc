//! An execution as tests look at it, and what others than the handler do to it.

use std::sync::Arc;
use std::time::Duration;

use crate::execution::{Ended, Used};
use crate::fake::patiently;
use crate::operation::Operation;
use crate::state::Shared;
use crate::wire::{self, ErrorObject, Refusal};

/// An execution of the fake.
#[derive(Debug, Clone)]
pub struct Started {
    pub(crate) shared: Arc<Shared>,
    pub(crate) arn: String,
}

impl Started {
    /// The execution's ARN.
    pub fn arn(&self) -> &str {
        &self.arn
    }

    /// Waits for its end.
    ///
    /// # Panics
    ///
    /// If that takes two minutes; the message says what the subject did.
    pub async fn ended(&self) -> Ended {
        let arn = self.arn.clone();
        patiently(&self.shared, move |_, executions| {
            let execution = executions.get(&arn)?;
            execution.ended.clone().filter(|_| !execution.invoked)
        })
        .await
    }

    /// How it ended, if it has and nothing runs for it any more.
    pub fn end(&self) -> Option<Ended> {
        let state = self.shared.lock();
        let execution = &state.executions[&self.arn];
        execution.ended.clone().filter(|_| !execution.invoked)
    }

    /// The operations as they are now, in the order in which they were started.
    pub fn operations(&self) -> Vec<Operation> {
        let state = self.shared.lock();
        state.executions[&self.arn].operations.clone()
    }

    /// What it has used of its quotas.
    pub fn used(&self) -> Used {
        self.shared.lock().executions[&self.arn].used
    }

    /// Waits until `look` finds something in the operations.
    ///
    /// # Panics
    ///
    /// If that takes two minutes.
    pub async fn until<T>(&self, look: impl Fn(&[Operation]) -> Option<T>) -> T {
        let arn = self.arn.clone();
        patiently(&self.shared, move |_, executions| {
            look(&executions.get(&arn)?.operations)
        })
        .await
    }

    /// Ends the callback with this id.
    ///
    /// # Errors
    ///
    /// What the service says to whoever completes it.
    pub fn complete_callback(
        &self,
        callback: &str,
        outcome: Result<Option<String>, ErrorObject>,
    ) -> Result<(), Refusal> {
        self.shared.change(|state| {
            let execution = state.executions.get_mut(&self.arn);
            let execution = execution.ok_or_else(|| Refusal::invalid("Invalid callback id"))?;
            execution.complete_callback(callback, outcome, wire::now())
        })
    }

    /// Gives a sign of life of the callback with this id.
    ///
    /// # Errors
    ///
    /// What the service says to whoever gives it.
    pub fn heartbeat(&self, callback: &str) -> Result<(), Refusal> {
        self.shared.change(|state| {
            let execution = state.executions.get_mut(&self.arn);
            let execution = execution.ok_or_else(|| Refusal::invalid("Invalid callback id"))?;
            execution.heartbeat(callback, wire::now())
        })
    }

    /// Ends the chained invoke of this operation id; whether it was open.
    pub fn answer_invoke(&self, operation: &str, outcome: Result<String, ErrorObject>) -> bool {
        self.shared.change(|state| {
            let execution = state.executions.get_mut(&self.arn);
            execution.is_some_and(|one| one.complete_invoke(operation, outcome, wire::now()))
        })
    }

    /// Makes everything that was started this much older.
    pub fn pass(&self, time: Duration) {
        self.shared.change(|state| {
            let execution = state.executions.get_mut(&self.arn);
            for operation in execution.into_iter().flat_map(|one| &mut one.operations) {
                operation.started = operation.started.saturating_sub(time.as_millis() as u64);
            }
        });
    }

    /// Stops it from outside.
    pub fn stop(&self) {
        self.shared.change(|state| {
            if let Some(execution) = state.executions.get_mut(&self.arn) {
                execution.end(Ended::Stopped(ErrorObject::default()));
            }
        });
    }
}
