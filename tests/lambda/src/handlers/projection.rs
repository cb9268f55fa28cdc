//! Parts of batch results that the requirements compare.

use durable::{BatchResult, BoxError};
use serde_json::{Value, json};

/// Outcome of a branch.
#[derive(Debug, Clone, Copy)]
pub(super) enum BranchOutcome {
    Success,
    Failure,
}

impl BranchOutcome {
    pub(super) fn into_result(self) -> Result<String, BoxError> {
        match self {
            Self::Success => Ok("ok".to_owned()),
            Self::Failure => Err("the branch failed".into()),
        }
    }
}

/// Returns completion reason, counts and status.
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

/// Returns completion reason and counts.
pub(super) fn counts<T>(result: &BatchResult<T>) -> Value {
    json!({
        "completionReason": result.reason().as_str().to_uppercase(),
        "successCount": result.succeeded(),
        "failureCount": result.failed(),
        "totalCount": result.started(),
    })
}

/// Returns completion reason, number of successes and total.
pub(super) fn successes<T>(result: &BatchResult<T>) -> Value {
    json!({
        "completionReason": result.reason().as_str().to_uppercase(),
        "successCount": result.succeeded(),
        "totalCount": result.started(),
    })
}
