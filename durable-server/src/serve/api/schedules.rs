//! Schedules.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Json;
use durable_core::Labels;
use durable_core::schedule::{self, InvalidSchedule, Schedule};
use durable_core::store::{NewExecution, ScheduleEntry, Started};
use serde::Deserialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::executions::Place;
use super::extract::{Input, Path};
use super::labels::labels;
use super::parse::{self, execution_id};
use crate::serve::problem::Problem;
use crate::serve::state::App;
use crate::view::json::{Schedules, StartResult};

/// List schedules and when they fire next.
#[utoipa::path(get, path = "/api/schedules", operation_id = "list_schedules", tag = "schedules", responses(
    (status = 200, description = "The answer.", body = Schedules),
    Problem
))]
pub(super) async fn list(State(app): State<App>) -> Result<Json<Schedules>, Problem> {
    Ok(Json(Schedules::new(&app.client.schedules().await?)))
}

/// A schedule: either `cron` or `every_ms` says when it fires.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SetSchedule {
    /// Name of the handler of what it starts.
    #[schema(min_length = 1, max_length = 512)]
    handler: String,
    /// A cron expression: `30 3 * * MON-FRI`.
    #[serde(default)]
    cron: Option<String>,
    /// Time zone of the cron expression, as in `Europe/Berlin`; UTC if not given.
    #[serde(default)]
    zone: Option<String>,
    /// Milliseconds from one firing to the next, at least 1000.
    #[schema(minimum = 1000)]
    #[serde(default)]
    every_ms: Option<u64>,
    /// Input of what it starts; `null` if not given.
    #[schema(value_type = Option<serde_json::Value>)]
    #[serde(default)]
    input: Option<Box<RawValue>>,
    /// What happens when the execution of the previous firing has not ended.
    #[serde(default)]
    overlap: Overlap,
    /// What happens to missed firings.
    #[serde(default)]
    catch_up: CatchUp,
    /// Where executions wait.
    #[serde(default)]
    queue: Option<Place>,
    /// Labels of what it starts, as of a start.
    #[serde(default)]
    labels: BTreeMap<String, String>,
}

/// What happens when the execution of the previous firing has not ended.
#[derive(Debug, Default, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Overlap {
    /// Nothing is started this time.
    #[default]
    Skip,
    /// Both run.
    Allow,
    /// The previous one is cancelled.
    CancelOther,
}

/// What happens to missed firings.
#[derive(Debug, Default, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum CatchUp {
    /// The latest one is made up for.
    #[default]
    Latest,
    /// Every one is.
    All,
    /// None is.
    Skip,
}

impl SetSchedule {
    fn schedule(self) -> Result<Schedule, Problem> {
        let invalid = |error: InvalidSchedule| Problem::bad_request(error);
        let schedule = match (self.cron, self.every_ms) {
            (Some(cron), None) => {
                let zone = self.zone.unwrap_or_else(|| "UTC".to_owned());
                Schedule::cron(cron).and_then(|cron| cron.zone(zone))
            }
            (None, Some(millis)) => Schedule::every(Duration::from_millis(millis)),
            _ => {
                let why = "expected exactly one of `cron` and `every_ms`";
                return Err(Problem::bad_request(why));
            }
        };
        let schedule = schedule.map_err(invalid)?;
        let schedule = schedule.overlap(match self.overlap {
            Overlap::Skip => schedule::Overlap::Skip,
            Overlap::Allow => schedule::Overlap::Allow,
            Overlap::CancelOther => schedule::Overlap::CancelOther,
        });
        let schedule = schedule.catch_up(match self.catch_up {
            CatchUp::Latest => schedule::CatchUp::Latest,
            CatchUp::All => schedule::CatchUp::All,
            CatchUp::Skip => schedule::CatchUp::Skip,
        });
        let schedule = schedule.labels(labels(self.labels)?);
        Ok(match self.queue {
            Some(place) => schedule.queue(place.entry()?),
            None => schedule,
        })
    }
}

/// Set up a schedule, in place of the one of the same name.
#[utoipa::path(put, path = "/api/schedules/{name}", operation_id = "set_schedule", tag = "schedules", params(("name" = String, Path, description = "Name of the schedule")), request_body = SetSchedule, responses(
    (status = 204, description = "It is set up."),
    Problem
))]
pub(super) async fn set(
    State(app): State<App>,
    Path(name): Path<String>,
    Input(given): Input<SetSchedule>,
) -> Result<StatusCode, Problem> {
    let handler = parse::name("handler", &given.handler)?;
    let input = parse::input_payload(given.input.as_deref());
    let schedule = given.schedule()?;
    let set = app.client.schedule_named(&name, &handler, input, &schedule);
    set.await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn found(app: &App, name: &str) -> Result<ScheduleEntry, Problem> {
    let all = app.client.schedules().await?;
    let found = all.into_iter().find(|entry| entry.name.as_str() == name);
    found.ok_or_else(|| Problem::not_found(format!("there is no schedule `{name}`")))
}

/// Remove a schedule; what it has started keeps running.
#[utoipa::path(delete, path = "/api/schedules/{name}", operation_id = "remove_schedule", tag = "schedules", params(("name" = String, Path, description = "Name of the schedule")), responses(
    (status = 204, description = "It is removed."),
    Problem
))]
pub(super) async fn remove(
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    app.client.unschedule(&name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Pause a schedule: it misses its firings.
#[utoipa::path(post, path = "/api/schedules/{name}/pause", operation_id = "pause_schedule", tag = "schedules", params(("name" = String, Path, description = "Name of the schedule")), responses(
    (status = 204, description = "It is paused."),
    Problem
))]
pub(super) async fn pause(
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    found(&app, &name).await?;
    app.client.pause_schedule(&name, true).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Resume a schedule: it fires again from now on.
#[utoipa::path(post, path = "/api/schedules/{name}/resume", operation_id = "resume_schedule", tag = "schedules", params(("name" = String, Path, description = "Name of the schedule")), responses(
    (status = 204, description = "It is resumed."),
    Problem
))]
pub(super) async fn resume(
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    found(&app, &name).await?;
    app.client.pause_schedule(&name, false).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Start an execution as the schedule would, now. When it fires next stays.
#[utoipa::path(post, path = "/api/schedules/{name}/fire", operation_id = "fire_schedule", tag = "schedules", params(("name" = String, Path, description = "Name of the schedule")), responses(
    (status = 201, description = "An execution is started.", body = StartResult),
    Problem
))]
pub(super) async fn fire(
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<(StatusCode, Json<StartResult>), Problem> {
    Ok((StatusCode::CREATED, Json(fire_now(&app, &name).await?)))
}

pub(crate) async fn fire_now(app: &App, name: &str) -> Result<StartResult, Problem> {
    let entry = found(app, name).await?;
    let now = app.now();
    let id = execution_id(&format!("{name}@{now}"))?;
    let new = NewExecution {
        labels: labels_of(&entry)?,
        queue: entry.queue,
        ..NewExecution::new(id.clone(), entry.handler, entry.input, now)
    };
    let started = app.client.start_new(new).await?;
    Ok(StartResult::new(
        &id,
        matches!(started, Started::Created(_)),
        None,
    ))
}

/// Labels of the executions that a schedule starts. They are part of its plan.
fn labels_of(entry: &ScheduleEntry) -> Result<Labels, Problem> {
    let schedule = Schedule::of(entry).map_err(Problem::bad_request)?;
    Ok(schedule.execution_labels().clone())
}
