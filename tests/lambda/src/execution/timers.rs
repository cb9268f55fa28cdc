//! What the service does when time has passed.

use std::time::Duration;

use crate::operation::Operation;
use crate::wire::{ErrorObject, Kind, Status};

use super::{Ended, Execution};

impl Execution {
    /// When time next changes something.
    pub(crate) fn next_due(&self) -> Option<u64> {
        if !self.is_running() {
            return None;
        }
        let open = self.operations.iter();
        let timers = open.filter(|operation| !operation.status.is_closed());
        let due = timers.filter_map(|operation| operation.due);
        due.chain(self.deadline.map(|(at, _)| at)).min()
    }

    /// Moves on everything whose time has come.
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
                operation.ended = Some(at);
            }
            // A wait is written with its end for as long as it is known.
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
            self.end(Ended::TimedOut(error));
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

/// The due time of a callback that gave a sign of life.
pub(crate) fn beat(operation: &mut Operation, now: u64) {
    if let Some(times) = &mut operation.callback {
        let pause = |pause: Duration| now + (pause.as_millis() as u64).max(1);
        times.silent_until = times.heartbeat.map(pause);
        operation.due = [times.deadline, times.silent_until]
            .into_iter()
            .flatten()
            .min();
    }
}
