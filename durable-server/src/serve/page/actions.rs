//! Changes of an execution and its callbacks, each with a confirmation.

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use durable_core::RetryFrom;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::forms::{Confirm, Field};
use super::{Site, refuse_lambda};
use crate::serve::api::{Action, Form, Path, Query, execution_id};
use crate::serve::problem::Problem;
use crate::serve::state::App;

/// From where to retry.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct From {
    /// `failure` or `beginning`.
    from: String,
    /// The operation to retry from.
    operation: String,
}

impl From {
    fn place(&self) -> RetryFrom {
        match (self.operation.as_str(), self.from.as_str()) {
            ("", "beginning") => RetryFrom::Beginning,
            ("", _) => RetryFrom::Failure,
            (operation, _) => RetryFrom::Operation(operation.to_owned()),
        }
    }
}

pub(super) async fn ask(
    site: Site,
    State(app): State<App>,
    Path((id, action)): Path<(String, String)>,
    Query(from): Query<From>,
) -> Result<Response, Problem> {
    let action = Action::from_word(&action)?;
    app.client.describe(&execution_id(&id)?).await?;
    if action == Action::Retry {
        refuse_lambda(&app, "retried")?;
    }
    Ok(confirm(site, &id, action, &from).page())
}

pub(super) async fn act(
    site: Site,
    State(app): State<App>,
    Path((id, action)): Path<(String, String)>,
    Form(from): Form<From>,
) -> Result<Response, Problem> {
    let action = Action::from_word(&action)?;
    let change = action.change(from.place());
    let target = match action {
        Action::Remove => site.home().to_owned(),
        _ => site.execution(&id),
    };
    match app.client.apply(&execution_id(&id)?, &change).await {
        Ok(()) => Ok(Redirect::to(&target).into_response()),
        Err(error) => Ok(confirm(site, &id, action, &from).again(&error.into())),
    }
}

fn confirm(site: Site, id: &str, action: Action, from: &From) -> Confirm {
    let page = site.execution(id);
    let (title, line, button) = match action {
        Action::Cancel => (
            "Cancel",
            "It stops at its next durable boundary, undoes what has an undo body, and ends as cancelled.",
            "Cancel the execution",
        ),
        Action::Pause => (
            "Pause",
            "It stops at its next durable boundary. Nothing of it runs until it is resumed.",
            "Pause the execution",
        ),
        Action::Resume => (
            "Resume",
            "A paused execution resumes where it is. A blocked one is tried again by every build.",
            "Resume the execution",
        ),
        Action::Retry => (
            "Retry",
            "The execution runs again. Operations that stay keep their values; what is removed runs anew, with its side effects.",
            "Retry the execution",
        ),
        Action::Remove => (
            "Remove",
            "The execution and its history are removed. Its id can be used again.",
            "Remove the execution",
        ),
    };
    let mut fields = Vec::new();
    let mut lines = vec![line.to_owned()];
    if action == Action::Retry {
        match from.operation.as_str() {
            "" => fields.push(Field {
                choices: vec![
                    ("failure", "what failed"),
                    ("beginning", "the beginning, with the same input"),
                ],
                ..Field::new("from", "From", &from.from)
            }),
            operation => {
                let line = format!(
                    "From `{operation}`: it and everything that was started after it runs again."
                );
                lines.push(line);
                fields.push(Field {
                    hidden: true,
                    ..Field::new("operation", "", operation)
                });
            }
        }
    }
    Confirm {
        lines,
        fields,
        button,
        danger: matches!(action, Action::Cancel | Action::Remove),
        back: Some(page.clone()),
        ..Confirm::new(
            site.at("executions"),
            format!("{title} {id}?"),
            format!("{page}/{}", action.as_str()),
        )
    }
}

/// A callback and its outcome.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Callback {
    id: String,
    outcome: String,
    value: String,
}

pub(super) async fn ask_callback(site: Site, Query(callback): Query<Callback>) -> Response {
    confirm_callback(site, &callback).page()
}

pub(super) async fn complete(
    site: Site,
    State(app): State<App>,
    Form(callback): Form<Callback>,
) -> Response {
    match send(&app, &callback).await {
        Ok(()) => {
            let back = execution_of(&callback.id).map(|id| site.execution(id));
            let back = back.unwrap_or_else(|| site.home().to_owned());
            Redirect::to(&back).into_response()
        }
        Err(problem) => confirm_callback(site, &callback).again(&problem),
    }
}

async fn send(app: &App, callback: &Callback) -> Result<(), Problem> {
    if callback.outcome == "error" {
        let message = callback.value.clone();
        return Ok(app.client.fail(&callback.id, message).await?);
    }
    let value = json(&callback.value)?;
    Ok(app.client.complete(&callback.id, &value).await?)
}

/// Parses JSON from a text field; an empty field is `null`.
pub(super) fn json(text: &str) -> Result<Box<RawValue>, Problem> {
    let text = if text.trim().is_empty() { "null" } else { text };
    let invalid = |error: serde_json::Error| {
        let quotes = "a text needs quotes: \"like this\"";
        Problem::bad_request(format!("the value is not JSON: {error} ({quotes})"))
    };
    serde_json::from_str::<serde_json::Value>(text).map_err(invalid)?;
    RawValue::from_string(text.trim().to_owned()).map_err(invalid)
}

/// The execution that waits for a callback: what its id begins with.
fn execution_of(callback: &str) -> Option<&str> {
    callback.rsplitn(4, ':').nth(3)
}

fn confirm_callback(site: Site, callback: &Callback) -> Confirm {
    let back = execution_of(&callback.id).map(|id| site.execution(id));
    let base = site.base.clone();
    Confirm {
        lines: vec![
            "The execution that waits for the callback resumes with this outcome.".to_owned(),
        ],
        fields: vec![
            Field::new("id", "Callback", &callback.id).required(),
            Field {
                choices: vec![("value", "a value"), ("error", "an error")],
                ..Field::new("outcome", "Outcome", &callback.outcome)
            },
            Field::new(
                "value",
                "The value as JSON, or the message of the error",
                &callback.value,
            )
            .long(),
        ],
        button: "Complete the callback",
        back,
        ..Confirm::new(
            site.at("executions"),
            "Complete a callback?",
            format!("{base}/callback"),
        )
    }
}
