//! Callbacks, completed by their ids.

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::extract::Input;
use crate::serve::problem::Problem;
use crate::serve::state::App;

/// A value for a callback.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CallbackValue {
    /// Id of the callback, as it was handed out.
    id: String,
    /// The value; `null` if not given.
    #[schema(value_type = Option<serde_json::Value>)]
    #[serde(default)]
    value: Option<Box<RawValue>>,
}

/// An error for a callback.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CallbackFailure {
    /// Id of the callback, as it was handed out.
    id: String,
    /// What went wrong.
    message: String,
}

/// A callback.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CallbackName {
    /// Id of the callback, as it was handed out.
    id: String,
}

/// Complete a callback with a value.
#[utoipa::path(post, path = "/api/callbacks/complete", operation_id = "complete_callback", tag = "callbacks", request_body = CallbackValue, responses(
    (status = 204, description = "It is completed."),
    Problem
))]
pub(super) async fn complete(
    State(app): State<App>,
    Input(given): Input<CallbackValue>,
) -> Result<StatusCode, Problem> {
    app.client.complete(&given.id, &given.value).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Complete a callback with an error.
#[utoipa::path(post, path = "/api/callbacks/fail", operation_id = "fail_callback", tag = "callbacks", request_body = CallbackFailure, responses(
    (status = 204, description = "It is completed."),
    Problem
))]
pub(super) async fn fail(
    State(app): State<App>,
    Input(given): Input<CallbackFailure>,
) -> Result<StatusCode, Problem> {
    app.client.fail(&given.id, given.message).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Report that the party that will complete a callback is alive.
#[utoipa::path(post, path = "/api/callbacks/heartbeat", operation_id = "heartbeat_callback", tag = "callbacks", request_body = CallbackName, responses(
    (status = 204, description = "Its heartbeat time starts again."),
    Problem
))]
pub(super) async fn heartbeat(
    State(app): State<App>,
    Input(given): Input<CallbackName>,
) -> Result<StatusCode, Problem> {
    app.client.heartbeat(&given.id).await?;
    Ok(StatusCode::NO_CONTENT)
}
