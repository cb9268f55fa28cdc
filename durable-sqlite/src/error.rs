//! Maps SQLite errors to [`StoreError`]s that say what to do.

use std::path::Path;

use durable_core::store::{StoreError, StoreErrorKind};
use rusqlite::ErrorCode;

/// Reason why work on the database failed.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The request was refused before anything was written; the transaction can continue.
    Refused(StoreError),
    /// SQLite failed; the transaction must be rolled back.
    Sql(rusqlite::Error),
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Refused(error)
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl Fault {
    /// Converts to the error for callers of the store at `path`.
    pub(crate) fn at(self, path: &Path) -> StoreError {
        match self {
            Self::Refused(error) => error,
            Self::Sql(error) => describe(&error, path),
        }
    }
}

/// Describes a SQLite error in the store at `path`, and what to do about it.
pub(crate) fn describe(error: &rusqlite::Error, path: &Path) -> StoreError {
    let (kind, advice) = classify(error);
    let message = format!("SQLite database `{}`: {error}. {advice}", path.display());
    StoreError::new(kind, message)
}

fn classify(error: &rusqlite::Error) -> (StoreErrorKind, &'static str) {
    use StoreErrorKind::{Corrupt, TooLarge, Unavailable, Unusable};
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => (
            Unavailable,
            "Another process has it locked; nothing was changed, try again",
        ),
        Some(ErrorCode::DiskFull) => (
            Unavailable,
            "The disk is full; nothing was changed, free up space and try again",
        ),
        Some(ErrorCode::SystemIoFailure) => (
            Unavailable,
            "The file system failed; check the disk, its quota and the system log, then try again",
        ),
        Some(ErrorCode::OutOfMemory) => (
            Unavailable,
            "The process is out of memory; nothing was changed",
        ),
        Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => (
            Unusable,
            "This process needs permission to read and write the file and its directory",
        ),
        Some(ErrorCode::ReadOnly) => (
            Unusable,
            "It cannot be written: check the permissions of the file and its directory, and that the disk is not \
             mounted read-only",
        ),
        Some(ErrorCode::NotADatabase) => (
            Unusable,
            "The file is not a SQLite database, or its header is damaged; give the path of a new file or \
             restore this one from a backup",
        ),
        Some(ErrorCode::TooBig) => (TooLarge, "SQLite stores at most 1 GB in one value"),
        _ => (
            Corrupt,
            "The file is damaged or was changed by another program: restore it from a backup, or recover what \
             is readable with `sqlite3 FILE .recover`",
        ),
    }
}

/// Error for a database file that was deleted or replaced while the store has it open.
pub(crate) fn replaced(path: &Path) -> StoreError {
    let message = format!(
        "`{}` was deleted or replaced while this process has it open: further writes are refused, as they would be \
         lost. Put the file back, or stop the process",
        path.display()
    );
    StoreError::new(StoreErrorKind::Unusable, message)
}

/// Error for a path that cannot be used as a store.
pub(crate) fn unusable(path: &Path, what: impl std::fmt::Display) -> StoreError {
    let message = format!("cannot use `{}` as a store: {what}", path.display());
    StoreError::new(StoreErrorKind::Unusable, message)
}

/// Error for a damaged file.
pub(crate) fn corrupt(path: &Path, what: impl std::fmt::Display) -> StoreError {
    let message = format!(
        "`{}` is damaged: {what}. Restore it from a backup, or recover what is readable with \
         `sqlite3 FILE .recover`",
        path.display()
    );
    StoreError::new(StoreErrorKind::Corrupt, message)
}
