//! Errors of stores.

use std::fmt;

use crate::model::error::BoxError;

/// Class of a [`StoreError`], by what the caller can do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// The execution, callback, queue or schedule does not exist.
    NotFound,
    /// The id is in use.
    AlreadyExists,
    /// The lease was released or taken over by another holder. Nothing was changed.
    FenceLost,
    /// Another holder, which is alive, has the lease.
    Leased,
    /// The state of the execution does not allow the call.
    Conflict,
    /// A value or batch exceeds a limit of the store.
    TooLarge,
    /// Temporary fault: busy, disconnected, disk full. The same call may succeed later.
    Unavailable,
    /// Stored data cannot be read. Nothing was changed.
    Corrupt,
    /// The store was written by a newer release.
    TooNew,
    /// The store cannot be used as configured: path, permission, options, keys.
    Unusable,
    /// The backend does not implement this part of a store.
    Unsupported,
}

/// Error of a call to a store. The message says what failed, where, and what to do.
#[derive(Debug)]
pub struct StoreError {
    kind: StoreErrorKind,
    message: String,
    source: Option<BoxError>,
}

impl StoreError {
    /// Creates an error. The message says what failed, where, and what to do.
    pub fn new(kind: StoreErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            source: None,
        }
    }

    /// Sets the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<BoxError>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Returns the class of the error.
    pub fn kind(&self) -> StoreErrorKind {
        self.kind
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for StoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source
            .as_deref()
            .map(|source| source as &(dyn std::error::Error + 'static))
    }
}
