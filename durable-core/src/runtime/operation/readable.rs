//! Stops an invocation whose code cannot read a record.

use crate::engine::Unreadable;
use crate::model::error::{ErrorKind, OperationError};
use crate::runtime::registered::Operation;

impl Operation<'_> {
    /// Returns what was read of the record. If it cannot be read, stops the invocation and never returns: a build that
    /// can read it resumes the execution.
    pub(crate) async fn readable<T>(&self, read: Result<T, Unreadable>) -> T {
        match read {
            Ok(value) => value,
            Err(found) => {
                self.block(&found);
                std::future::pending().await
            }
        }
    }

    /// Creates the error for the result of an operation that has not ended. No expansion needs it.
    pub(crate) fn unsettled(&self) -> OperationError {
        let operation = self.lock().engine.path(self.op);
        OperationError::new(operation, ErrorKind::Failed, "it has not ended yet")
    }

    /// Stops the invocation because the record cannot be read.
    pub(crate) fn block(&self, found: &Unreadable) {
        let report = self.lock().engine.block_unreadable(self.op, found);
        if let Some(observer) = self.observer() {
            observer.undecodable(&self.observed(), &report);
        }
    }
}
