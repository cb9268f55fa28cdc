//! What the requirements for batches look at.

use durable::{BatchResult, BoxError};
use serde_json::{Value, json};

/// What becomes of a branch.
#[derive(Debug, Clone, Copy)]
pub(super) enum End {
    Well,
    Badly,
}

impl End {
    pub(super) fn come(self) -> Result<String, BoxError> {
        match self {
            Self::Well => Ok("ok".to_owned()),
            Self::Badly => Err("the branch failed".into()),
        }
    }
}

/// Everything about a result but its values.
pub(super) fn full<T>(result: &BatchResult<T>) -> Value {
    let mut all = counts(result);
    all["status"] = if result.has_failures() {
        "FAILED"
    } else {
        "SUCCEEDED"
    }
    .into();
    all
}

/// The same without the status.
pub(super) fn counts<T>(result: &BatchResult<T>) -> Value {
    json!({
        "completionReason": result.reason().as_str().to_uppercase(),
        "successCount": result.succeeded(),
        "failureCount": result.failed(),
        "totalCount": result.started(),
    })
}

/// Only what succeeded, of how many that were begun.
pub(super) fn successes<T>(result: &BatchResult<T>) -> Value {
    json!({
        "completionReason": result.reason().as_str().to_uppercase(),
        "successCount": result.succeeded(),
        "totalCount": result.started(),
    })
}
