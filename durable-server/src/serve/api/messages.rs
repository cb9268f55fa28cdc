//! Messages to executions.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Json;
use serde::Deserialize;
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};

use super::extract::{Input, Path, Query};
use super::parse::{self, execution_id};
use crate::serve::problem::Problem;
use crate::serve::state::App;
use crate::view::json::Messages;

/// How to show messages.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct MessagesQuery {
    /// Values at full length.
    #[serde(default)]
    full: bool,
}

/// List the messages to an execution, received ones included.
#[utoipa::path(get, path = "/api/executions/{id}/messages", operation_id = "list_messages", tag = "messages", params(("id" = String, Path, description = "Id of the execution"), MessagesQuery), responses(
    (status = 200, description = "The answer.", body = Messages),
    Problem
))]
pub(super) async fn list(
    State(app): State<App>,
    Path(id): Path<String>,
    Query(query): Query<MessagesQuery>,
) -> Result<Json<Messages>, Problem> {
    let id = execution_id(&id)?;
    let messages = app.client.messages(id.as_str()).await?;
    let records = app.client.history(&id).await?;
    Ok(Json(Messages::new(&messages, &records, query.full)))
}

/// Message to send.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewMessage {
    /// Name of the `receive!` that it is for.
    #[schema(min_length = 1, max_length = 512)]
    pub(crate) name: String,
    /// Value; `null` if not given.
    #[schema(value_type = Option<serde_json::Value>)]
    #[serde(default)]
    pub(crate) value: Option<Box<RawValue>>,
    /// Id of the message. An execution takes each id once, so a request may be repeated with the same id. Without one,
    /// every request sends a new message.
    #[schema(min_length = 1, max_length = 512)]
    #[serde(default)]
    pub(crate) id: Option<String>,
}

/// Send a message to an execution, or to the last one of its chain. The execution need not have run yet.
#[utoipa::path(post, path = "/api/executions/{id}/messages", operation_id = "send_message", tag = "messages", params(("id" = String, Path, description = "Id of the execution")), request_body = NewMessage, responses(
    (status = 204, description = "It is sent, or was sent before."),
    Problem
))]
pub(super) async fn send(
    State(app): State<App>,
    Path(id): Path<String>,
    Input(message): Input<NewMessage>,
) -> Result<StatusCode, Problem> {
    send_message(&app, &id, message).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) async fn send_message(app: &App, to: &str, message: NewMessage) -> Result<(), Problem> {
    let to = execution_id(to)?;
    let name = parse::name("name", &message.name)?;
    let send = app.client.send(to.as_str(), &name, &message.value);
    let send = match &message.id {
        Some(id) => send.id(parse::name("id", id)?),
        None => send,
    };
    Ok(send.await?)
}
