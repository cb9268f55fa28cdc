//! Timers: waits, retries, callbacks, chained invokes and the execution's own timeout.

use serde_json::json;

use super::execution::Execution;
use super::head::{Ending, ExecutionStatus, Moment};
use super::history;
use super::operation::Operation;
use super::wire::{ErrorObject, Kind, Status};

impl Execution {
    /// Returns the time of the next timer or invocation.
    pub(crate) fn next_due(&self) -> Option<u64> {
        if !self.is_running() {
            return None;
        }
        let timer = self.timers.first().map(|(due, _)| *due);
        let wake = self.head.wake.filter(|_| self.may_invoke());
        [timer, self.head.deadline, wake]
            .into_iter()
            .flatten()
            .min()
    }

    /// Fires all due timers.
    pub(crate) fn advance(&mut self, at: Moment) {
        if !self.is_running() {
            return;
        }
        while let Some((due, position)) = self.timers.first().copied() {
            if due > at.now {
                break;
            }
            self.fire(position, due);
        }
        if self
            .head
            .deadline
            .is_some_and(|deadline| deadline <= at.now)
        {
            let seconds = self.head.timeout_seconds;
            let message = format!("Execution timed out after {seconds} seconds.");
            self.end(Ending {
                status: ExecutionStatus::TimedOut,
                at: at.now,
                result: None,
                error: Some(ErrorObject::message(message)),
            });
        }
    }

    fn fire(&mut self, position: usize, due: u64) {
        let mut operation = self.operations[position].clone();
        let event = match operation.kind {
            Kind::Wait => {
                operation.status = Status::Succeeded;
                operation.ended = Some(due);
                let duration = operation.seconds.unwrap_or_default();
                Some(("WaitSucceeded", json!({ "Duration": duration })))
            }
            Kind::Step => {
                operation.status = Status::Ready;
                operation.due = None;
                None
            }
            Kind::Callback => Some(time_out(&mut operation, due)),
            Kind::ChainedInvoke => {
                operation.due = None;
                self.dispatches.push(operation.id.clone());
                return self.store(position, operation);
            }
            Kind::Context | Kind::Execution => {
                operation.due = None;
                return self.store(position, operation);
            }
        };
        self.put(operation);
        self.trigger();
        if let Some((kind, details)) = event {
            self.event(kind, due, Some(position), details);
        }
    }

    /// Dispatches the chained invokes that wait for their caller to suspend.
    pub(super) fn flush_invokes(&mut self) {
        let waiting: Vec<usize> = self
            .timers
            .iter()
            .map(|(_, position)| *position)
            .filter(|position| self.operations[*position].kind == Kind::ChainedInvoke)
            .collect();
        for position in waiting {
            self.fire(position, 0);
        }
    }

    /// Takes the ids of chained invokes whose targets have to be started.
    pub(crate) fn take_dispatches(&mut self) -> Vec<String> {
        std::mem::take(&mut self.dispatches)
    }
}

fn time_out(operation: &mut Operation, due: u64) -> (&'static str, serde_json::Value) {
    let deadline = operation.callback.as_ref().and_then(|times| times.deadline);
    let error = if deadline.is_some_and(|deadline| deadline <= due) {
        ErrorObject::new("Callback.Timeout", "Callback timed out")
    } else {
        ErrorObject::new("Callback.Heartbeat", "Callback timed out on heartbeat")
    };
    operation.status = Status::TimedOut;
    operation.due = None;
    operation.ended = Some(due);
    let details = json!({ "Error": history::wrapped_error(Some(&error)) });
    operation.error = Some(error);
    ("CallbackTimedOut", details)
}
