//! Operations of an execution, and of two side by side.

use axum::extract::State;
use axum::response::Json;
use durable_core::Record;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::extract::{Path, Query};
use super::parse::execution_id;
use crate::serve::problem::Problem;
use crate::serve::state::App;
use crate::view::json::{FORMAT, Operation};
use crate::view::{Comparison, Timeline};

/// Which operations to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct OperationsQuery {
    /// Only operations whose `seq` is above this: the next page.
    #[serde(default)]
    after: u64,
    /// At most this many; 100 if not given.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// Values at full length.
    #[serde(default)]
    full: bool,
}

/// A page of operations.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Operations {
    /// Number of the shape: 1.
    format: u32,
    /// In the order in which they were first written.
    operations: Vec<Operation>,
    /// `after` of the next page, if there is more.
    next: Option<u64>,
}

/// List operations in the order in which they were first written.
#[utoipa::path(get, path = "/api/executions/{id}/operations", operation_id = "list_operations", tag = "operations", params(("id" = String, Path, description = "Id of the execution"), OperationsQuery), responses(
    (status = 200, description = "The answer.", body = Operations),
    Problem
))]
pub(super) async fn list(
    State(app): State<App>,
    Path(id): Path<String>,
    Query(query): Query<OperationsQuery>,
) -> Result<Json<Operations>, Problem> {
    let limit = query.limit.unwrap_or(100);
    if !(1..=super::executions::MOST).contains(&limit) {
        return Err(Problem::bad_request("`limit` is not from 1 to 1000"));
    }
    let id = execution_id(&id)?;
    let records = app.client.history(&id).await?;
    let after = query.after;
    let ahead = records.iter().filter(|record| record.seq > after);
    let mut ahead = ahead.map(|record| record.seq);
    let last = ahead.by_ref().take(limit).last();
    let more = ahead.next().is_some();
    let page = after..=last.unwrap_or(after);
    let page = |record: &Record| record.seq > after && page.contains(&record.seq);
    let mut operations = Operation::select(&records, query.full, page);
    operations.sort_by_key(|operation| operation.seq);
    Ok(Json(Operations {
        format: FORMAT,
        operations,
        next: last.filter(|_| more),
    }))
}

/// Get one operation, with its value at full length.
#[utoipa::path(get, path = "/api/executions/{id}/operations/{seq}", operation_id = "get_operation", tag = "operations", params(("id" = String, Path, description = "Id of the execution"), ("seq" = u64, Path, description = "`seq` of the operation")), responses(
    (status = 200, description = "The answer.", body = Operation),
    Problem
))]
pub(super) async fn get(
    State(app): State<App>,
    Path((id, seq)): Path<(String, u64)>,
) -> Result<Json<Operation>, Problem> {
    Ok(Json(one_operation(&app, &id, seq).await?))
}

pub(crate) async fn one_operation(app: &App, id: &str, seq: u64) -> Result<Operation, Problem> {
    let id = execution_id(id)?;
    let records = app.client.history(&id).await?;
    let found = Operation::select(&records, true, |record| record.seq == seq);
    found
        .into_iter()
        .next()
        .ok_or_else(|| Problem::not_found(format!("execution `{id}` has no operation {seq}")))
}

/// Get all operations without their values, in few bytes each.
#[utoipa::path(get, path = "/api/executions/{id}/timeline", operation_id = "get_timeline", tag = "operations", params(("id" = String, Path, description = "Id of the execution")), responses(
    (status = 200, description = "The answer.", body = Timeline),
    Problem
))]
pub(super) async fn timeline(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<Timeline>, Problem> {
    let id = execution_id(&id)?;
    let execution = app.client.describe(&id).await?;
    let records = app.client.history(&id).await?;
    Ok(Json(Timeline::new(&execution, &records, app.now())))
}

/// Which executions to compare.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct CompareQuery {
    /// Id of an execution.
    left: String,
    /// Id of another one.
    right: String,
}

/// Compare two executions, operation by operation.
#[utoipa::path(get, path = "/api/compare", operation_id = "compare_executions", tag = "operations", params(CompareQuery), responses(
    (status = 200, description = "The answer.", body = Comparison),
    Problem
))]
pub(super) async fn compare(
    State(app): State<App>,
    Query(query): Query<CompareQuery>,
) -> Result<Json<Comparison>, Problem> {
    let left = app.client.history(&execution_id(&query.left)?).await?;
    let right = app.client.history(&execution_id(&query.right)?).await?;
    Ok(Json(Comparison::new(&left, &right)))
}
