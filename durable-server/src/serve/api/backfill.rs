//! Backfills of schedules.

use axum::extract::State;
use axum::response::Json;
use durable_core::Timestamp;
use durable_core::schedule::{Backfill, Backfilled};
use serde::Deserialize;
use utoipa::ToSchema;

use super::extract::{Input, Path};
use super::parse;
use super::schedules::found;
use crate::serve::problem::Problem;
use crate::serve::state::App;
use crate::view::json::BackfillResult;

/// Most times of a backfill.
const MOST: usize = 10_000;

/// Range of a backfill.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BackfillRange {
    /// First time.
    #[schema(format = DateTime)]
    pub(crate) from: String,
    /// Time before which it ends.
    #[schema(format = DateTime)]
    pub(crate) to: String,
    /// Maximum number of times, 100 if not given. Nothing is started if the range has more.
    #[schema(minimum = 1, maximum = 10000)]
    #[serde(default)]
    pub(crate) limit: Option<usize>,
    /// Only tell what would be started.
    #[serde(default)]
    pub(crate) dry_run: bool,
}

/// Start an execution for each past time of a schedule in a range. Those that exist are left unchanged.
#[utoipa::path(post, path = "/api/schedules/{name}/backfill", operation_id = "backfill_schedule", tag = "schedules", params(("name" = String, Path, description = "Name of the schedule")), request_body = BackfillRange, responses(
    (status = 200, description = "The answer.", body = BackfillResult),
    Problem
))]
pub(super) async fn backfill(
    State(app): State<App>,
    Path(name): Path<String>,
    Input(range): Input<BackfillRange>,
) -> Result<Json<BackfillResult>, Problem> {
    Ok(Json(backfill_schedule(&app, &name, &range).await?))
}

pub(crate) async fn backfill_schedule(
    app: &App,
    name: &str,
    range: &BackfillRange,
) -> Result<BackfillResult, Problem> {
    let from = required("from", &range.from)?;
    let to = required("to", &range.to)?;
    let limit = range.limit.unwrap_or(Backfill::DEFAULT_LIMIT);
    if !(1..=MOST).contains(&limit) {
        let why = format!("`limit` is {limit}: expected 1 to {MOST}");
        return Err(Problem::bad_request(why));
    }
    found(app, name).await?;
    let backfill = app.client.backfill(name, from..to).limit(limit);
    let done = match range.dry_run {
        true => {
            let mut done = Backfilled::default();
            done.started = backfill.ids().await?;
            done
        }
        false => backfill.await?,
    };
    Ok(BackfillResult::new(range.dry_run, &done))
}

fn required(field: &str, text: &str) -> Result<Timestamp, Problem> {
    let time = parse::time(field, Some(text))?;
    time.ok_or_else(|| Problem::bad_request(format!("`{field}` is empty: expected a time")))
}
