//! What operators may do to an execution, and what it makes of it.

use super::{Change, Execution, ExecutionStatus, StoreError, StoreErrorKind};
use crate::Timestamp;

impl Execution {
    /// Applies what an operator asks for, apart from what it does to the history.
    ///
    /// # Errors
    ///
    /// [`StoreErrorKind::Conflict`](super::StoreErrorKind::Conflict) when it is in no state for it.
    pub fn change(
        &mut self,
        change: &Change,
        leased: bool,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let refused = |why: &str| {
            let message = format!("execution `{}` {why}", self.id);
            Err(StoreError::new(StoreErrorKind::Conflict, message))
        };
        let ended = self.status.is_terminal();
        match change {
            Change::Pause if ended => {
                return refused(&format!("has {}: there is nothing to pause", self.status));
            }
            Change::Resume if ended => {
                return refused(&format!(
                    "has {}: retry it, if it is to run again",
                    self.status
                ));
            }
            Change::Rewind(_) | Change::Delete if leased => {
                return refused("is being run: cancel it, and wait for its end");
            }
            Change::Delete if !ended => {
                return refused(&format!("is {}: cancel it first", self.status));
            }
            Change::Rewind(rewind) if rewind.seen != self.changes => {
                return refused("was changed meanwhile: look at it again");
            }
            Change::Rewind(_) if matches!(self.status, ExecutionStatus::Continued) => {
                return refused("goes on as another execution: retry that one");
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
                    self.begin_anew(now);
                }
                self.changes += 1;
            }
            Change::Rewind(_) => {
                self.begin_anew(now);
                (self.output, self.error, self.cancel, self.paused) = (None, None, false, false);
                self.admitted = false;
                self.changes += 1;
            }
        }
        Ok(())
    }

    fn begin_anew(&mut self, now: Timestamp) {
        self.updated_at = now;
        self.status = ExecutionStatus::Suspended;
        (self.wake_at, self.report) = (Some(now), None);
    }
}
