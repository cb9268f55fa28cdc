//! Executions: list, get, start, remove.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Json;
use durable_core::store::{Filter, NewExecution, QueueEntry, Started};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::time::Duration;
use utoipa::{IntoParams, ToSchema};

use super::extract::{Input, Path, Query};
use super::labels::{labels, parse_labels};
use super::parse::{self, execution_id};
use crate::serve::problem::Problem;
use crate::serve::state::App;
use crate::view::json::{ExecutionDetails, Executions, StartResult};

/// Most executions of a page.
pub(crate) const MOST: usize = 1000;

/// Which executions to list.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams, ToSchema)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub(crate) struct ListQuery {
    /// Only these states, separated by commas.
    pub(crate) status: Option<String>,
    /// Only executions of this handler.
    pub(crate) handler: Option<String>,
    /// Only executions that were started in this queue.
    pub(crate) queue: Option<String>,
    /// Only executions whose id begins with this.
    pub(crate) prefix: Option<String>,
    /// Only executions that were started at this time or later.
    pub(crate) created_from: Option<String>,
    /// Only executions that were started before this time.
    pub(crate) created_before: Option<String>,
    /// Only executions whose state last changed before this time.
    pub(crate) updated_before: Option<String>,
    /// Only executions with all of these labels: `tenant=acme, env=prod`. A backslash takes the next character as it
    /// is: a comma, or a space at either end of a value.
    pub(crate) labels: Option<String>,
    /// Only executions that are paused, or only those that are not.
    pub(crate) paused: Option<bool>,
    /// `id` for ascending order of ids, which is also the default; `newest` for those first that were started last.
    pub(crate) order: Option<String>,
    /// The next page: the id of the last execution of the previous one. With the order `newest`, its time of start and its
    /// id: `2026-11-25T03:00:00.000Z/import-7`.
    pub(crate) after: Option<String>,
    /// At most this many; 100 if not given.
    #[param(minimum = 1, maximum = 1000)]
    pub(crate) limit: Option<usize>,
}

impl ListQuery {
    /// Builds the filter. It asks for one execution more than the page has, to know whether there is another page.
    pub(crate) fn filter(self, default: usize) -> Result<(Filter, usize), Problem> {
        let limit = self.limit.unwrap_or(default);
        if !(1..=MOST).contains(&limit) {
            return Err(Problem::bad_request(format!(
                "`limit` is {limit}: expected 1 to {MOST}"
            )));
        }
        let (order, after) = parse::order(self.order.as_deref(), parse::some(self.after))?;
        let filter = Filter {
            status: parse::statuses(self.status.as_deref())?,
            handler: parse::some(self.handler),
            queue: parse::some(self.queue),
            prefix: parse::some(self.prefix),
            created_from: parse::time("created_from", self.created_from.as_deref())?,
            created_before: parse::time("created_before", self.created_before.as_deref())?,
            updated_before: parse::time("updated_before", self.updated_before.as_deref())?,
            labels: parse_labels(self.labels.as_deref().unwrap_or_default())?,
            paused: self.paused,
            after,
            order,
            limit: limit + 1,
        };
        Ok((filter, limit))
    }
}

/// List executions in ascending order of their ids, or the newest first.
#[utoipa::path(get, path = "/api/executions", operation_id = "list_executions", tag = "executions", params(ListQuery), responses(
    (status = 200, description = "The answer.", body = Executions),
    Problem
))]
pub(super) async fn list(
    State(app): State<App>,
    Query(query): Query<ListQuery>,
) -> Result<Json<Executions>, Problem> {
    let (filter, limit) = query.filter(100)?;
    let mut executions = app.client.list(filter).await?;
    let more = executions.len() > limit;
    executions.truncate(limit);
    Ok(Json(Executions::new(&executions, more)))
}

/// What to start.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewStart {
    /// Id of the execution: 1 to 512 printable ASCII characters without spaces.
    #[schema(min_length = 1, max_length = 512, pattern = "^[!-~]+$")]
    pub(crate) id: String,
    /// Name of the handler.
    #[schema(min_length = 1, max_length = 512)]
    pub(crate) handler: String,
    /// The input; `null` if not given.
    #[schema(value_type = Option<serde_json::Value>)]
    #[serde(default)]
    pub(crate) input: Option<Box<RawValue>>,
    /// When it may first run.
    #[schema(format = DateTime)]
    #[serde(default)]
    pub(crate) start_at: Option<String>,
    /// Where it waits.
    #[serde(default)]
    pub(crate) queue: Option<Place>,
    /// Labels to find it by: at most 16, with keys of 1 to 64 printable ASCII characters without `=` and values of at
    /// most 256 characters.
    #[serde(default)]
    pub(crate) labels: BTreeMap<String, String>,
}

/// A place in a queue.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Place {
    /// Name of the queue.
    #[schema(min_length = 1, max_length = 512)]
    pub(crate) name: String,
    /// Whom it is for, where the queue limits how many run for each.
    #[serde(default)]
    pub(crate) key: Option<String>,
    /// Higher ones leave the queue first.
    #[serde(default)]
    pub(crate) priority: i32,
}

impl Place {
    pub(crate) fn entry(self) -> Result<QueueEntry, Problem> {
        Ok(QueueEntry {
            queue: parse::name("queue.name", &self.name)?,
            key: self.key,
            priority: self.priority,
        })
    }
}

/// Start an execution, unless its id is taken by one of the same handler and input.
#[utoipa::path(post, path = "/api/executions", operation_id = "start_execution", tag = "executions", request_body = NewStart, responses(
    (status = 200, description = "It was started before.", body = StartResult),
    (status = 201, description = "It is new.", body = StartResult),
    Problem
))]
pub(super) async fn start(
    State(app): State<App>,
    Input(new): Input<NewStart>,
) -> Result<(StatusCode, Json<StartResult>), Problem> {
    let result = start_execution(&app, new).await?;
    let status = match result.new {
        true => StatusCode::CREATED,
        false => StatusCode::OK,
    };
    Ok((status, Json(result)))
}

/// Starts an execution. The local Lambda makes the given id a part of its own.
pub(crate) async fn start_execution(app: &App, new: NewStart) -> Result<StartResult, Problem> {
    let execution = NewExecution {
        start_at: parse::time("start_at", new.start_at.as_deref())?,
        queue: new.queue.map(Place::entry).transpose()?,
        labels: labels(new.labels)?,
        ..NewExecution::new(
            execution_id(&new.id)?,
            parse::name("handler", &new.handler)?,
            parse::input_payload(new.input.as_deref()),
            app.now(),
        )
    };
    let started = app.client.start_new(execution).await?;
    let (execution, is_new) = match started {
        Started::Created(execution) => (execution, true),
        Started::Existing(execution) => (execution, false),
    };
    Ok(StartResult::new(&execution.id, is_new, None))
}

/// How to show an execution.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct GetQuery {
    /// Wait up to this many seconds for the end of the execution, or until it is blocked.
    #[param(minimum = 0, maximum = 60)]
    #[serde(default)]
    wait: u8,
    /// Values at full length.
    #[serde(default)]
    full: bool,
}

/// Get an execution without its operations.
#[utoipa::path(get, path = "/api/executions/{id}", operation_id = "get_execution", tag = "executions", params(("id" = String, Path, description = "Id of the execution"), GetQuery), responses(
    (status = 200, description = "The answer.", body = ExecutionDetails),
    Problem
))]
pub(super) async fn get(
    State(app): State<App>,
    Path(id): Path<String>,
    Query(query): Query<GetQuery>,
) -> Result<Json<ExecutionDetails>, Problem> {
    let id = execution_id(&id)?;
    if query.wait > 60 {
        return Err(Problem::bad_request("`wait` is longer than 60 seconds"));
    }
    if query.wait > 0 {
        let patience = Duration::from_secs(query.wait.into());
        // The outcome is read from the store below.
        let _ = tokio::time::timeout(patience, app.client.outcome(&id)).await;
    }
    let execution = app.client.describe(&id).await?;
    let records = app.client.history(&id).await?;
    Ok(Json(ExecutionDetails::new(
        &execution, &records, query.full,
    )))
}

/// Remove an execution that has ended, and its history.
#[utoipa::path(delete, path = "/api/executions/{id}", operation_id = "remove_execution", tag = "executions", params(("id" = String, Path, description = "Id of the execution")), responses(
    (status = 204, description = "It is removed."),
    Problem
))]
pub(super) async fn remove(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    app.client.delete(&execution_id(&id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
