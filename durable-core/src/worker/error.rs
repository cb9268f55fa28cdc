//! Why a worker has stopped, or never begun.

use std::fmt;

use crate::store::StoreError;

/// Why a worker has stopped, or never begun.
///
/// `Debug` shows the same text as `Display`, since a `main` that returns the error prints it with
/// `Debug`.
#[non_exhaustive]
pub enum WorkerError {
    /// The worker cannot be run as it was put together.
    Usage(String),
    /// The store cannot be used any more. Nothing is lost: what the worker ran goes on elsewhere, or
    /// when the store is usable again.
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
