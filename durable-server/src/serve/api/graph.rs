//! The graph of an execution.

use axum::extract::State;
use axum::response::Json;
use durable_core::store::Execution;

use super::extract::Path;
use super::parse::execution_id;
use crate::serve::problem::Problem;
use crate::serve::state::App;
use crate::view::graph::{Drawing, Graph};

/// Get the operations of an execution as a graph: a node for each call site, with the state of its operations.
#[utoipa::path(get, path = "/api/executions/{id}/graph", operation_id = "get_graph", tag = "operations", params(("id" = String, Path, description = "Id of the execution")), responses(
    (status = 200, description = "The answer.", body = Graph),
    Problem
))]
pub(super) async fn graph(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<Graph>, Problem> {
    let drawn = draw(&app, &id).await?;
    Ok(Json(Graph::new(&drawn.drawing, drawn.names)))
}

/// Graph of an execution.
pub(crate) struct Drawn {
    pub(crate) execution: Execution,
    pub(crate) drawing: Drawing,
    /// Whether the names of its handler are known.
    pub(crate) names: bool,
}

pub(crate) async fn draw(app: &App, id: &str) -> Result<Drawn, Problem> {
    let id = execution_id(id)?;
    let execution = app.client.describe(&id).await?;
    let records = app.client.history(&id).await?;
    let names = app.options.names.as_deref();
    let handler = names.and_then(|names| names.handler(&execution.handler));
    let drawing = match handler {
        Some(handler) => Drawing::of_execution(handler, &execution, &records),
        None => Drawing::of_history(&execution, &records),
    };
    Ok(Drawn {
        names: handler.is_some(),
        execution,
        drawing,
    })
}
