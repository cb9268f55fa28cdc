//! Errors of a run.

use std::fmt;

use crate::model::error::OperationError;
use crate::store::StoreError;

/// Reason why a run has no output.
///
/// `Debug` prints the same text as `Display`: a `main` that returns the error prints it with `Debug`, which
/// would otherwise escape the line breaks of a report.
#[non_exhaustive]
pub enum RunError {
    /// The handler failed with this error. It is recorded, so another try needs another id.
    Failed(OperationError),
    /// Code and history disagree, here or in a child execution. The report says where. Deploy a fix or roll
    /// back, and the execution resumes.
    Blocked(String),
    /// The id belongs to another handler or input. The text names both.
    IdInUse(String),
    /// The input or the recorded output cannot be encoded or decoded.
    Codec(String),
    /// No store was given, or the id is invalid.
    Usage(String),
    /// The store failed, or another process took the execution over.
    Store(StoreError),
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) => error.fmt(f),
            Self::Blocked(report) => write!(f, "the execution is blocked: {report}"),
            Self::IdInUse(text) | Self::Codec(text) | Self::Usage(text) => f.write_str(text),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl fmt::Debug for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for RunError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Failed(error) => Some(error),
            Self::Store(error) => error.source(),
            _ => None,
        }
    }
}

impl From<StoreError> for RunError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}
