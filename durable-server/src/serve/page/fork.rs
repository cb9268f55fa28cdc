//! Forking an execution.

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::actions::json;
use super::forms::{Confirm, Field};
use super::{Site, refuse_lambda};
use crate::serve::api::{Form, NewFork, Path, Query, execution_id, fork_execution};
use crate::serve::problem::Problem;
use crate::serve::state::App;

/// Fork of the form.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Given {
    id: String,
    operation: String,
    /// `before` or `after` the operation.
    point: String,
    input: String,
}

pub(super) async fn ask(
    site: Site,
    State(app): State<App>,
    Path(id): Path<String>,
    Query(given): Query<Given>,
) -> Result<Response, Problem> {
    app.client.describe(&execution_id(&id)?).await?;
    refuse_lambda(&app, "forked")?;
    Ok(confirm(site, &id, &given).page())
}

pub(super) async fn act(
    site: Site,
    State(app): State<App>,
    Path(id): Path<String>,
    Form(given): Form<Given>,
) -> Response {
    match fork(&app, &id, &given).await {
        Ok(()) => Redirect::to(&site.execution(&given.id)).into_response(),
        Err(problem) => confirm(site, &id, &given).again(&problem),
    }
}

async fn fork(app: &App, from: &str, given: &Given) -> Result<(), Problem> {
    let operation = || Some(given.operation.clone());
    let (before, after) = match (given.operation.as_str(), given.point.as_str()) {
        ("", _) => (None, None),
        (_, "after") => (None, operation()),
        _ => (operation(), None),
    };
    let input = match given.input.trim() {
        "" => None,
        input => Some(json(input)?),
    };
    let new = NewFork {
        id: given.id.clone(),
        before,
        after,
        input,
    };
    match fork_execution(app, from, new).await?.new {
        true => Ok(()),
        false => Err(Problem::conflict(format!(
            "`{}` was forked before in the same way; it is unchanged",
            given.id
        ))),
    }
}

fn confirm(site: Site, from: &str, given: &Given) -> Confirm {
    let page = site.execution(from);
    let mut fields = vec![Field::new("id", "Id of the new execution", &given.id).required()];
    let mut lines = vec![format!(
        "A new execution takes over outcomes of {from}, which stays as it is. A worker runs the rest, with its side effects."
    )];
    match given.operation.as_str() {
        "" => lines.push("It takes over every operation that has ended.".to_owned()),
        operation => fields.extend([
            Field::new("operation", "Operation", operation).required(),
            Field {
                choices: vec![
                    ("before", "what started before it, so that it runs again"),
                    ("after", "it and what started before its end"),
                ],
                ..Field::new("point", "Take over", &given.point)
            },
        ]),
    }
    let input = "Input as JSON; the same if empty";
    fields.push(Field::new("input", input, &given.input).long());
    Confirm {
        lines,
        fields,
        button: "Fork the execution",
        back: Some(page.clone()),
        ..Confirm::new(
            site.at("executions"),
            format!("Fork {from}?"),
            format!("{page}/fork"),
        )
    }
}
