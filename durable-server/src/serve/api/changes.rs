//! Changes of executions: one by one, and of all that a filter selects.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Json;
use durable_core::{Bulk, RetryFrom};
use serde::Deserialize;
use utoipa::ToSchema;

use super::executions::ListQuery;
use super::extract::{Input, Path};
use super::parse::execution_id;
use crate::serve::problem::Problem;
use crate::serve::state::App;
use crate::view::json::{ChangeResult, Refusal};

/// A change of an execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Action {
    /// Stop, undo what can be undone, and end.
    Cancel,
    /// Let nothing run until it is resumed.
    Pause,
    /// Resume after a pause, or try again after it was blocked.
    Resume,
    /// Run again.
    Retry,
    /// Remove it and its history.
    Remove,
}

impl Action {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Cancel => "cancel",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Retry => "retry",
            Self::Remove => "remove",
        }
    }

    /// The action of this name.
    pub(crate) fn from_word(word: &str) -> Result<Self, Problem> {
        let all = [
            Self::Cancel,
            Self::Pause,
            Self::Resume,
            Self::Retry,
            Self::Remove,
        ];
        let found = all.into_iter().find(|action| action.as_str() == word);
        found.ok_or_else(|| Problem::not_found(format!("there is no action {word:?}")))
    }

    pub(crate) fn change(self, from: RetryFrom) -> Bulk {
        match self {
            Self::Cancel => Bulk::Cancel,
            Self::Pause => Bulk::Pause,
            Self::Resume => Bulk::Resume,
            Self::Retry => Bulk::Retry(from),
            Self::Remove => Bulk::Delete,
        }
    }
}

/// Cancel an execution: it stops at its next durable boundary, undoes what can be undone, and ends.
#[utoipa::path(post, path = "/api/executions/{id}/cancel", operation_id = "cancel_execution", tag = "executions", params(("id" = String, Path, description = "Id of the execution")), responses(
    (status = 204, description = "It will be cancelled, or has ended already."),
    Problem
))]
pub(super) async fn cancel(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    app.client.cancel(&execution_id(&id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Pause an execution: it stops at its next durable boundary until it is resumed.
#[utoipa::path(post, path = "/api/executions/{id}/pause", operation_id = "pause_execution", tag = "executions", params(("id" = String, Path, description = "Id of the execution")), responses(
    (status = 204, description = "It is paused."),
    Problem
))]
pub(super) async fn pause(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    app.client.pause(&execution_id(&id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Resume an execution that was paused, or try a blocked one again.
#[utoipa::path(post, path = "/api/executions/{id}/resume", operation_id = "resume_execution", tag = "executions", params(("id" = String, Path, description = "Id of the execution")), responses(
    (status = 204, description = "It is resumed."),
    Problem
))]
pub(super) async fn resume(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    app.client.resume(&execution_id(&id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// From where to run again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "from", rename_all = "snake_case")]
pub(super) enum From {
    /// From what failed; everything that succeeded keeps its value.
    Failure,
    /// From the beginning, with the same input.
    Beginning,
    /// From this operation: it and everything that was started after it runs again.
    Operation {
        /// The operation with the scopes it is in: `files[a.csv]/parse`.
        operation: String,
    },
}

impl From {
    fn place(self) -> RetryFrom {
        match self {
            Self::Failure => RetryFrom::Failure,
            Self::Beginning => RetryFrom::Beginning,
            Self::Operation { operation } => RetryFrom::Operation(operation),
        }
    }
}

/// Run an execution again.
#[utoipa::path(post, path = "/api/executions/{id}/retry", operation_id = "retry_execution", tag = "executions", params(("id" = String, Path, description = "Id of the execution")), request_body = From, responses(
    (status = 204, description = "It runs again."),
    Problem
))]
pub(super) async fn retry(
    State(app): State<App>,
    Path(id): Path<String>,
    Input(from): Input<From>,
) -> Result<StatusCode, Problem> {
    app.client.retry(&execution_id(&id)?, &from.place()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A change of many executions.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Many {
    /// The change.
    change: Action,
    /// Which executions. `order`, `after` and `limit` are ignored.
    filter: ListQuery,
    /// From where to retry; from what failed if not given.
    #[serde(default)]
    retry: Option<From>,
    /// Only tell what would be changed.
    #[serde(default)]
    dry_run: bool,
}

/// Change all executions that a filter selects. Those in no state for the change are left alone.
#[utoipa::path(post, path = "/api/changes", operation_id = "change_executions", tag = "executions", request_body = Many, responses(
    (status = 200, description = "The answer.", body = ChangeResult),
    Problem
))]
pub(super) async fn bulk(
    State(app): State<App>,
    Input(many): Input<Many>,
) -> Result<Json<ChangeResult>, Problem> {
    let query = ListQuery {
        after: None,
        limit: None,
        ..many.filter
    };
    let selection = app.client.select(query.filter(1)?.0);
    let from = many.retry.map_or(RetryFrom::Failure, From::place);
    let change = many.change.change(from);
    let word = many.change.as_str();
    if many.dry_run {
        let affected = selection.affected(&change).await?;
        return Ok(Json(ChangeResult::new(word, true, &affected, Vec::new())));
    }
    let changed = selection.apply(change).await?;
    let refused = changed.refused.iter();
    let refused = refused.map(|(id, why)| Refusal::new(id, why));
    Ok(Json(ChangeResult::new(
        word,
        false,
        &changed.done,
        refused.collect(),
    )))
}
