//! Why a run has no output.

use std::fmt;

use crate::model::error::OperationError;
use crate::store::StoreError;

/// Why a run has no output.
///
/// `Debug` shows the same text as `Display`: a `main` that returns the error prints it with `Debug`, and
/// a report of many lines is of no use with its line breaks escaped.
#[non_exhaustive]
pub enum RunError {
    /// The handler ended with this error; so it will for ever. To try again, take another id.
    Failed(OperationError),
    /// Code and history disagree, or an execution that this one waits for is blocked for that reason. The report says
    /// about what; a fixed build resumes the execution.
    Blocked(String),
    /// Under this id another handler or input was started. Both are named.
    IdInUse(String),
    /// The input or the recorded output cannot be encoded or decoded.
    Codec(String),
    /// No store was given, or the id is no execution id.
    Usage(String),
    /// The store failed, or another process has taken the execution over.
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
