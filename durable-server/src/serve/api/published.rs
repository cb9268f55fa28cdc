//! Values that executions publish.

use axum::extract::State;
use axum::response::Json;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::extract::{Path, Query};
use super::parse::execution_id;
use crate::serve::problem::Problem;
use crate::serve::state::App;
use crate::view::json::{FORMAT, Published};

/// How to show published values.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct PublishedQuery {
    /// Values at full length.
    #[serde(default)]
    full: bool,
}

/// Values that an execution has published.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PublishedValues {
    /// Number of the shape: 1.
    format: u32,
    /// The latest value under each name, by name.
    published: Vec<Published>,
}

/// List the latest value under each name that an execution has published. Those of other executions of its chain are not
/// among them.
#[utoipa::path(get, path = "/api/executions/{id}/published", operation_id = "list_published", tag = "executions", params(("id" = String, Path, description = "Id of the execution"), PublishedQuery), responses(
    (status = 200, description = "The answer.", body = PublishedValues),
    Problem
))]
pub(super) async fn list(
    State(app): State<App>,
    Path(id): Path<String>,
    Query(query): Query<PublishedQuery>,
) -> Result<Json<PublishedValues>, Problem> {
    // Its other records tell what is secret.
    let records = app.client.history(&execution_id(&id)?).await?;
    Ok(Json(PublishedValues {
        format: FORMAT,
        published: Published::of(&records, query.full),
    }))
}
