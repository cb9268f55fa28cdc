//! A record that the code cannot read stops the invocation.

use crate::engine::Unreadable;
use crate::model::error::{ErrorKind, OperationError};
use crate::runtime::registered::Operation;

impl Operation<'_> {
    /// What was read of the record. If it cannot be read, the invocation is stopped and this never ends: a build
    /// that can read it resumes the execution.
    pub(crate) async fn readable<T>(&self, read: Result<T, Unreadable>) -> T {
        match read {
            Ok(value) => value,
            Err(found) => {
                self.block(&found);
                std::future::pending().await
            }
        }
    }

    /// The error of an operation that is asked how it ended before it has. No expansion does so.
    pub(crate) fn unsettled(&self) -> OperationError {
        let operation = self.lock().engine.path(self.op);
        OperationError::new(operation, ErrorKind::Failed, "it has not ended yet")
    }

    /// Stops the invocation: its record cannot be read.
    pub(crate) fn block(&self, found: &Unreadable) {
        let report = self.lock().engine.block_unreadable(self.op, found);
        if let Some(observer) = self.observer() {
            observer.undecodable(&self.observed(), &report);
        }
    }
}
