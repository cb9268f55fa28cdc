//! Timers of an execution: waits, retries, callback timeouts and the execution's timeout.

use std::time::Duration;

use crate::operation::Operation;
use crate::wire::{ErrorObject, Kind, Status};

use super::{Execution, ExecutionOutcome};

impl Execution {
    /// Returns the time at which the next timer fires.
    pub(crate) fn next_due(&self) -> Option<u64> {
        if !self.is_running() {
            return None;
        }
        let open = self.operations.iter();
        let timers = open.filter(|operation| !operation.status.is_closed());
        let due = timers.filter_map(|operation| operation.due);
        due.chain(self.deadline.map(|(at, _)| at)).min()
    }

    /// Fires all timers that are due.
    pub(crate) fn advance(&mut self, now: u64) {
        if !self.is_running() {
            return;
        }
        let due = |operation: &&Operation| {
            !operation.status.is_closed() && operation.due.is_some_and(|due| due <= now)
        };
        let due: Vec<Operation> = self.operations.iter().filter(due).cloned().collect();
        for mut operation in due {
            let at = operation.due.take().unwrap_or(now);
            match operation.kind {
                Kind::Wait => operation.status = Status::Succeeded,
                Kind::Step => operation.status = Status::Ready,
                Kind::Callback => time_out(&mut operation, now),
                _ => continue,
            }
            if operation.status.is_closed() {
                operation.ended_at = Some(at);
            }
            // `ScheduledEndTimestamp` stays set after the end of a wait.
            if operation.kind == Kind::Wait {
                operation.due = Some(at);
            }
            self.put(operation);
        }
        if let Some((_, seconds)) = self.deadline.filter(|(at, _)| *at <= now) {
            let error = ErrorObject {
                error_message: Some(format!("Execution timed out after {seconds} seconds.")),
                ..ErrorObject::default()
            };
            self.end(ExecutionOutcome::TimedOut(error));
        }
    }
}

fn time_out(operation: &mut Operation, now: u64) {
    let deadline = operation.callback.as_ref().and_then(|times| times.deadline);
    let error = if deadline.is_some_and(|deadline| deadline <= now) {
        ErrorObject::new("Callback.Timeout", "Callback timed out")
    } else {
        ErrorObject::new("Callback.Heartbeat", "Callback timed out on heartbeat")
    };
    operation.status = Status::TimedOut;
    operation.error = Some(error);
}

/// Restarts the heartbeat timer of a callback.
pub(crate) fn restart_heartbeat(operation: &mut Operation, now: u64) {
    if let Some(times) = &mut operation.callback {
        let due = |interval: Duration| now + (interval.as_millis() as u64).max(1);
        times.heartbeat_due = times.heartbeat.map(due);
        operation.due = [times.deadline, times.heartbeat_due]
            .into_iter()
            .flatten()
            .min();
    }
}
