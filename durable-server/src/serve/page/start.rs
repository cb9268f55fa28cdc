//! Starting an execution by hand.

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::Site;
use super::actions::json;
use super::forms::{Confirm, Field};
use crate::serve::api::{Form, NewStart, Place, Query, parse_labels, start_execution};
use crate::serve::problem::Problem;
use crate::serve::state::{App, Backend};

/// What to start.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Given {
    handler: String,
    id: String,
    input: String,
    queue: String,
    key: String,
    priority: String,
    start_at: String,
    labels: String,
}

pub(super) async fn ask(
    site: Site,
    State(app): State<App>,
    Query(given): Query<Given>,
) -> Response {
    confirm(site, app.backend, &given).page()
}

pub(super) async fn act(site: Site, State(app): State<App>, Form(given): Form<Given>) -> Response {
    match start(&app, &given).await {
        Ok(id) => Redirect::to(&site.execution(&id)).into_response(),
        Err(problem) => confirm(site, app.backend, &given).again(&problem),
    }
}

/// Starts the execution and returns its id.
async fn start(app: &App, given: &Given) -> Result<String, Problem> {
    let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let priority = match given.priority.as_str() {
        "" => 0,
        priority => priority.parse().map_err(|_| {
            Problem::bad_request(format!("the priority {priority:?} is not a whole number"))
        })?,
    };
    let queue = match text(&given.queue) {
        Some(name) => Some(Place {
            name,
            key: text(&given.key),
            priority,
        }),
        None if priority != 0 || !given.key.is_empty() => {
            let why = "a key and a priority apply within a queue only: name the queue too";
            return Err(Problem::bad_request(why));
        }
        None => None,
    };
    let new = NewStart {
        id: given.id.clone(),
        handler: given.handler.clone(),
        input: Some(json(&given.input)?),
        start_at: text(&given.start_at),
        queue,
        labels: parse_labels(&given.labels)?
            .iter()
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect(),
    };
    let started = start_execution(app, new).await?;
    if started.new {
        return Ok(started.id);
    }
    let why = format!(
        "`{}` was started before with this input; it is unchanged",
        given.id
    );
    Err(Problem::conflict(why))
}

fn confirm(site: Site, backend: Backend, given: &Given) -> Confirm {
    let action = format!("{}/start", site.base);
    let (line, fields) = match backend.is_lambda() {
        true => (
            "The function is invoked asynchronously with this name, as `$LATEST`.",
            vec![
                Field::new("handler", "Function", &given.handler).required(),
                Field::new("id", "Name: starting it again changes nothing", &given.id).required(),
                Field::new("input", "Payload as JSON; null if empty", &given.input).long(),
            ],
        ),
        false => (
            "A worker that has the handler registered runs it. A handler without input takes null or {}.",
            fields(given),
        ),
    };
    Confirm {
        lines: vec![line.to_owned()],
        fields,
        button: "Start the execution",
        ..Confirm::new(site.at("start"), "Start an execution", action)
    }
}

fn fields(given: &Given) -> Vec<Field> {
    let input = "Input as JSON; null if empty";
    vec![
        Field::new("handler", "Handler", &given.handler).required(),
        Field::new("id", "Id: starting it again changes nothing", &given.id).required(),
        Field::new("input", input, &given.input).long(),
        Field::new("queue", "Queue (optional)", &given.queue),
        Field::new("key", "Key in the queue (optional)", &given.key),
        Field::new(
            "priority",
            "Priority in the queue (optional)",
            &given.priority,
        ),
        Field::new(
            "start_at",
            "Not before (optional), such as 2026-11-25T03:00:00Z",
            &given.start_at,
        ),
        Field::new(
            "labels",
            "Labels (optional), such as tenant=acme, env=prod",
            &given.labels,
        ),
    ]
}
