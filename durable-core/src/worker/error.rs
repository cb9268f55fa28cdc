//! Errors of a worker.

use std::fmt;

use crate::store::StoreError;

/// Error that prevents a worker from starting, or stops it.
///
/// `Debug` prints the same text as `Display`, because a `main` that returns the error prints it with `Debug`.
#[non_exhaustive]
pub enum WorkerError {
    /// The worker is configured incorrectly.
    Usage(String),
    /// The store cannot be used any more. Nothing is lost: other workers continue the executions, or this one
    /// does when the store works again.
    Store(StoreError),
}

impl fmt::Display for WorkerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(text) => f.write_str(text),
            Self::Store(error) => write!(f, "the worker has stopped: {error}"),
        }
    }
}

impl fmt::Debug for WorkerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for WorkerError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Usage(_) => None,
            Self::Store(error) => error.source(),
        }
    }
}
