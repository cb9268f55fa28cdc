//! Operators' changes to an execution.

use super::{Change, Execution, ExecutionStatus, StoreError, StoreErrorKind};
use crate::Timestamp;

impl Execution {
    /// Applies an operator's change to everything but the history, which the store changes itself.
    /// `leased` says whether a living holder has the execution's lease.
    ///
    /// # Errors
    ///
    /// [`StoreErrorKind::Conflict`](super::StoreErrorKind::Conflict) if the state of the execution
    /// does not allow the change. Nothing was changed then.
    pub fn apply_change(
        &mut self,
        change: &Change,
        leased: bool,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let refused = |reason: &str| {
            let message = format!("execution `{}` {reason}", self.id);
            Err(StoreError::new(StoreErrorKind::Conflict, message))
        };
        let ended = self.status.is_terminal();
        match change {
            Change::Pause if ended => {
                return refused(&format!("has {}: there is nothing to pause", self.status));
            }
            Change::Resume if ended => {
                return refused(&format!("has {}: to run it again, retry it", self.status));
            }
            Change::Rewind(_) | Change::Delete if leased => {
                return refused("is running: cancel it and wait until it has ended");
            }
            Change::Delete if !ended => {
                return refused(&format!("is {}: cancel it first", self.status));
            }
            Change::Rewind(rewind) if rewind.seen != self.changes => {
                return refused(
                    "has changed since its history was read: read it again and repeat the change",
                );
            }
            Change::Rewind(_) if matches!(self.status, ExecutionStatus::Continued) => {
                return refused("continues as another execution: retry that one");
            }
            Change::Delete => {}
            Change::Pause if self.paused => {}
            Change::Pause => {
                self.paused = true;
                self.changes += 1;
            }
            Change::Resume => {
                self.paused = false;
                if self.status == ExecutionStatus::Blocked {
                    self.make_due(now);
                }
                self.changes += 1;
            }
            Change::Rewind(_) => {
                self.make_due(now);
                (self.output, self.error, self.cancel, self.paused) = (None, None, false, false);
                self.admitted = false;
                self.changes += 1;
            }
        }
        Ok(())
    }

    /// Makes the execution due, so that a worker runs it again.
    fn make_due(&mut self, now: Timestamp) {
        self.updated_at = now;
        self.status = ExecutionStatus::Suspended;
        (self.wake_at, self.report) = (Some(now), None);
    }
}
