//! Forks of executions.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Json;
use durable_core::store::Started;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::extract::{Input, Path};
use super::parse::{self, execution_id};
use crate::serve::problem::Problem;
use crate::serve::state::App;
use crate::view::json::StartResult;

/// Fork to start. Without `before` and `after` it takes over the whole history.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewFork {
    /// Id of the new execution: 1 to 512 printable ASCII characters without spaces.
    #[schema(min_length = 1, max_length = 512, pattern = "^[!-~]+$")]
    pub(crate) id: String,
    /// Takes over what started before this operation: `files[a.csv]/parse`.
    #[serde(default)]
    pub(crate) before: Option<String>,
    /// Takes over this operation, everything in it, and what started before its end. It must have ended.
    #[serde(default)]
    pub(crate) after: Option<String>,
    /// Input of the new execution; that of the other one if not given.
    #[schema(value_type = Option<serde_json::Value>)]
    #[serde(default, deserialize_with = "given")]
    pub(crate) input: Option<Box<RawValue>>,
}

/// Reads a field that is present. `null` is a value.
fn given<'de, D: Deserializer<'de>>(field: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::<RawValue>::deserialize(field).map(Some)
}

/// Start an execution whose history begins with that of another one, which is not changed.
#[utoipa::path(post, path = "/api/executions/{id}/fork", operation_id = "fork_execution", tag = "executions", params(("id" = String, Path, description = "Id of the execution")), request_body = NewFork, responses(
    (status = 200, description = "It was forked before.", body = StartResult),
    (status = 201, description = "It is new.", body = StartResult),
    Problem
))]
pub(super) async fn fork(
    State(app): State<App>,
    Path(id): Path<String>,
    Input(new): Input<NewFork>,
) -> Result<(StatusCode, Json<StartResult>), Problem> {
    let result = fork_execution(&app, &id, new).await?;
    let status = match result.new {
        true => StatusCode::CREATED,
        false => StatusCode::OK,
    };
    Ok((status, Json(result)))
}

pub(crate) async fn fork_execution(
    app: &App,
    from: &str,
    new: NewFork,
) -> Result<StartResult, Problem> {
    let id = execution_id(&new.id)?;
    let fork = app.client.fork(&execution_id(from)?, id.as_str());
    let fork = match (new.before, new.after) {
        (Some(_), Some(_)) => {
            let why = "expected at most one of `before` and `after`";
            return Err(Problem::bad_request(why));
        }
        (Some(path), None) => fork.before(path),
        (None, Some(path)) => fork.after(path),
        (None, None) => fork,
    };
    let fork = match &new.input {
        Some(input) => fork.encoded_input(parse::input_payload(Some(input))),
        None => fork,
    };
    let started = fork.await?;
    let is_new = matches!(started, Started::Created(_));
    Ok(StartResult::new(&id, is_new, None))
}
