//! Output of the commands that change executions.

use durable_core::ExecutionId;
use durable_core::json::Exact;
use durable_core::schedule::Backfilled;
use serde::Serialize;

use super::FORMAT;

/// Output of `cancel`, `pause`, `resume`, `retry`, `rm` and `gc`.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
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
#[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct Refusal {
    /// Id of the execution.
    pub id: String,
    /// Reason for the refusal.
    pub why: String,
}

impl Refusal {
    /// Builds the refusal of a change.
    pub fn new(id: &ExecutionId, why: impl ToString) -> Self {
        Self {
            id: id.to_string(),
            why: why.to_string(),
        }
    }
}

impl ChangeResult {
    /// Builds the answer to a change.
    pub fn new(
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

/// Output of `start` and `fork`.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct StartResult {
    /// Number of the output format: [`FORMAT`].
    pub format: u32,
    /// Id of the execution.
    pub id: String,
    /// Whether this command started it; false if it was started before.
    pub new: bool,
    /// Output of the execution, with `--wait`.
    #[cfg_attr(feature = "serve", schema(value_type = Option<serde_json::Value>))]
    pub output: Option<Exact>,
}

/// Output of `schedule backfill`.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct BackfillResult {
    /// Number of the output format: [`FORMAT`].
    pub format: u32,
    /// Whether this was a dry run: nothing was started, and the executions in `started` would be unless they exist.
    pub dry_run: bool,
    /// Ids of the executions that were started.
    pub started: Vec<String>,
    /// Ids of the executions that existed before.
    pub existing: Vec<String>,
}

impl BackfillResult {
    /// Builds the output of a backfill.
    pub fn new(dry_run: bool, done: &Backfilled) -> Self {
        let texts = |ids: &[ExecutionId]| ids.iter().map(ToString::to_string).collect();
        Self {
            format: FORMAT,
            dry_run,
            started: texts(&done.started),
            existing: texts(&done.existing),
        }
    }
}

impl StartResult {
    /// Builds the answer to a start.
    pub fn new(id: &ExecutionId, new: bool, output: Option<Exact>) -> Self {
        Self {
            format: FORMAT,
            id: id.to_string(),
            new,
            output,
        }
    }
}
