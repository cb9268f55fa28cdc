//! Queues.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Json;
use durable_core::store::Queue;
use serde::Deserialize;
use utoipa::ToSchema;

use super::extract::{Input, Path};
use super::parse;
use crate::serve::problem::Problem;
use crate::serve::state::App;
use crate::view::json::Queues;

/// List queues: their limits, and how much is in them.
#[utoipa::path(get, path = "/api/queues", operation_id = "list_queues", tag = "queues", responses(
    (status = 200, description = "The answer.", body = Queues),
    Problem
))]
pub(super) async fn list(State(app): State<App>) -> Result<Json<Queues>, Problem> {
    Ok(Json(Queues::new(&app.client.queues().await?)))
}

/// Limits of a queue. Those that are not given are lifted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Limits {
    /// At most so many executions at a time, from their first run to their end.
    #[serde(default)]
    concurrency: Option<u32>,
    /// At most so many at a time of each key.
    #[serde(default)]
    concurrency_per_key: Option<u32>,
    /// At most so many starts within `rate_ms`.
    #[schema(minimum = 1)]
    #[serde(default)]
    rate_starts: Option<u32>,
    /// In milliseconds.
    #[schema(minimum = 1)]
    #[serde(default)]
    rate_ms: Option<u64>,
}

/// Set the limits of a queue. Whether it is paused stays.
#[utoipa::path(put, path = "/api/queues/{name}", operation_id = "set_queue", tag = "queues", params(("name" = String, Path, description = "Name of the queue")), request_body = Limits, responses(
    (status = 204, description = "They are set."),
    Problem
))]
pub(super) async fn set(
    State(app): State<App>,
    Path(name): Path<String>,
    Input(limits): Input<Limits>,
) -> Result<StatusCode, Problem> {
    let name = parse::name("name", &name)?;
    let queues = app.client.queues().await?;
    let known = queues.iter().find(|state| state.queue.name == name);
    let queue = Queue {
        paused: known.is_some_and(|state| state.queue.paused),
        name,
        concurrency: limits.concurrency,
        concurrency_per_key: limits.concurrency_per_key,
        rate: parse::rate(limits.rate_starts, limits.rate_ms)?,
    };
    app.client.set_queue(queue).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Remove the limits of a queue; what is in it stays.
#[utoipa::path(delete, path = "/api/queues/{name}", operation_id = "remove_queue", tag = "queues", params(("name" = String, Path, description = "Name of the queue")), responses(
    (status = 204, description = "They are removed."),
    Problem
))]
pub(super) async fn remove(
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    app.client
        .remove_queue(&parse::name("name", &name)?)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Pause a queue: nothing leaves it.
#[utoipa::path(post, path = "/api/queues/{name}/pause", operation_id = "pause_queue", tag = "queues", params(("name" = String, Path, description = "Name of the queue")), responses(
    (status = 204, description = "It is paused."),
    Problem
))]
pub(super) async fn pause(
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    app.client.pause_queue(&name, true).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Resume a queue.
#[utoipa::path(post, path = "/api/queues/{name}/resume", operation_id = "resume_queue", tag = "queues", params(("name" = String, Path, description = "Name of the queue")), responses(
    (status = 204, description = "It is resumed."),
    Problem
))]
pub(super) async fn resume(
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    app.client.pause_queue(&name, false).await?;
    Ok(StatusCode::NO_CONTENT)
}
