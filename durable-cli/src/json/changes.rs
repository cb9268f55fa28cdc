//! Output of the commands that change executions.

use durable_core::ExecutionId;
use durable_core::json::Exact;
use serde::Serialize;

use super::FORMAT;

/// Output of `cancel`, `pause`, `resume`, `retry`, `rm` and `gc`.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct ChangeResult {
    /// Number of the output format: [`FORMAT`].
    pub format: u32,
    /// `cancel`, `pause`, `resume`, `retry` or `remove`.
    pub change: &'static str,
    /// Whether this was a dry run: nothing was changed, and `executions` would be.
    pub dry_run: bool,
    /// Ids of the executions that were changed.
    pub executions: Vec<String>,
    /// Executions that could not be changed.
    pub refused: Vec<Refusal>,
}

/// Execution that could not be changed.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct Refusal {
    /// Id of the execution.
    pub id: String,
    /// Reason for the refusal.
    pub why: String,
}

impl ChangeResult {
    pub(crate) fn new(
        change: &'static str,
        dry_run: bool,
        done: &[ExecutionId],
        refused: Vec<Refusal>,
    ) -> Self {
        Self {
            format: FORMAT,
            change,
            dry_run,
            executions: done.iter().map(ToString::to_string).collect(),
            refused,
        }
    }
}

/// Output of `start`.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct StartResult {
    /// Number of the output format: [`FORMAT`].
    pub format: u32,
    /// Id of the execution.
    pub id: String,
    /// Whether this command started it; false if it was started before.
    pub new: bool,
    /// Output of the execution, with `--wait`.
    pub output: Option<Exact>,
}

impl StartResult {
    pub(crate) fn new(id: &ExecutionId, new: bool, output: Option<Exact>) -> Self {
        Self {
            format: FORMAT,
            id: id.to_string(),
            new,
            output,
        }
    }
}
