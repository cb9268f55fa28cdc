//! What can go wrong in a store, in the classes that callers act on.

use std::fmt;

use crate::model::error::BoxError;

/// The class of a [`StoreError`]: what the caller can do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// No such execution.
    NotFound,
    /// The id is taken.
    AlreadyExists,
    /// Another holder has taken the execution over; nothing was changed.
    FenceLost,
    /// Another living holder has the lease.
    Leased,
    /// The state does not allow it.
    Conflict,
    /// The value or batch is over a limit of the store.
    TooLarge,
    /// A passing fault: busy, disconnected, disk full. The same call may succeed later.
    Unavailable,
    /// What is stored cannot be understood; nothing was changed.
    Corrupt,
    /// The store was written by a newer release than this one.
    TooNew,
    /// The store cannot be opened with what was given: path, permission, options.
    Unusable,
    /// The backend does not implement this part of a store.
    Unsupported,
}

/// A failed call to a store: what was tried, where, and what to do.
#[derive(Debug)]
pub struct StoreError {
    kind: StoreErrorKind,
    message: String,
    source: Option<BoxError>,
}

impl StoreError {
    /// An error of this class. The message says what was tried, where, and what to do.
    pub fn new(kind: StoreErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            source: None,
        }
    }

    /// The same with the error it was caused by.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<BoxError>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What the caller can do about it.
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
