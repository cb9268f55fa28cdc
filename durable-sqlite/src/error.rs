//! From SQLite's errors to those that callers act on.

use std::path::Path;

use durable_core::store::{StoreError, StoreErrorKind};
use rusqlite::ErrorCode;

/// Why a piece of work on the database failed.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The answer is no; nothing was written and the connection is fine.
    Refused(StoreError),
    /// SQLite failed; what the work has written so far must be rolled back.
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
    /// The error for the caller of a store at `path`.
    pub(crate) fn at(self, path: &Path) -> StoreError {
        match self {
            Self::Refused(error) => error,
            Self::Sql(error) => describe(&error, path),
        }
    }
}

/// What SQLite's error means for the store at `path`, and what to do.
pub(crate) fn describe(error: &rusqlite::Error, path: &Path) -> StoreError {
    let (kind, advice) = judge(error);
    let message = format!("SQLite database `{}`: {error}. {advice}", path.display());
    StoreError::new(kind, message)
}

fn judge(error: &rusqlite::Error) -> (StoreErrorKind, &'static str) {
    use StoreErrorKind::{Corrupt, TooLarge, Unavailable, Unusable};
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => (
            Unavailable,
            "Another process keeps it locked; nothing was changed, try again",
        ),
        Some(ErrorCode::DiskFull) => (
            Unavailable,
            "The disk is full; nothing was changed, free space and try again",
        ),
        Some(ErrorCode::SystemIoFailure) => (
            Unavailable,
            "The file system failed; look at the disk, its quota and the system's log, then try again",
        ),
        Some(ErrorCode::OutOfMemory) => (Unavailable, "Memory ran out; nothing was changed"),
        Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => (
            Unusable,
            "This process needs permission to read and write the file and its directory",
        ),
        Some(ErrorCode::ReadOnly) => (
            Unusable,
            "It cannot be written: check the permissions of file and directory and how the disk is mounted",
        ),
        Some(ErrorCode::NotADatabase) => (
            Unusable,
            "The file is no SQLite database, or its beginning is damaged; give the path of a new file or \
             restore this one from a backup",
        ),
        Some(ErrorCode::TooBig) => (TooLarge, "SQLite takes at most 1 GB in one value"),
        _ => (
            Corrupt,
            "The file is damaged or was changed by another program: restore it from a backup, or save what \
             is readable with `sqlite3 FILE .recover`",
        ),
    }
}

/// The database was moved or deleted under a store that has it open.
pub(crate) fn gone(path: &Path) -> StoreError {
    let message = format!(
        "`{}` was deleted or replaced while this process has it open: nothing more is written, as it would be lost. \
         Put the file back, or stop the process",
        path.display()
    );
    StoreError::new(StoreErrorKind::Unusable, message)
}

/// An error about the path itself.
pub(crate) fn unusable(path: &Path, what: impl std::fmt::Display) -> StoreError {
    let message = format!("cannot use `{}` as a store: {what}", path.display());
    StoreError::new(StoreErrorKind::Unusable, message)
}

/// An error about what the file holds.
pub(crate) fn corrupt(path: &Path, what: impl std::fmt::Display) -> StoreError {
    let message = format!(
        "`{}` is damaged: {what}. Restore it from a backup, or save what is readable with \
         `sqlite3 FILE .recover`",
        path.display()
    );
    StoreError::new(StoreErrorKind::Corrupt, message)
}
