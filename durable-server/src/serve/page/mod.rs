//! The page for people, rendered on the server.

mod actions;
mod assets;
mod backfill;
mod compare;
mod execution;
mod executions;
mod failure;
mod fork;
mod forms;
mod graph;
mod login;
mod messages;
mod operation;
mod queues;
mod schedules;
mod show;
mod start;

use askama::Template;
use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Router, middleware};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

pub(super) use failure::wrong_method;

use super::Access;
use super::problem::Problem;
use super::security::Base;
use super::state::App;

/// Routes of the page.
pub(crate) fn router() -> Router<App> {
    let pages = Router::new()
        .route("/", get(executions::page))
        .route("/executions/{id}", get(execution::page))
        .route(
            "/executions/{id}/operations/{seq}",
            get(operation::fragment),
        )
        .route(
            "/executions/{id}/send",
            get(messages::ask).post(messages::act),
        )
        .route("/executions/{id}/graph", get(graph::page))
        .route("/executions/{id}/fork", get(fork::ask).post(fork::act))
        .route(
            "/executions/{id}/{action}",
            get(actions::ask).post(actions::act),
        )
        .route("/start", get(start::ask).post(start::act))
        .route(
            "/callback",
            get(actions::ask_callback).post(actions::complete),
        )
        .route("/queues", get(queues::page))
        .route(
            "/queues/{name}/{action}",
            get(queues::ask).post(queues::act),
        )
        .route("/schedules", get(schedules::page))
        .route(
            "/schedules/{name}/backfill",
            get(backfill::ask).post(backfill::act),
        )
        .route(
            "/schedules/{name}/{action}",
            get(schedules::ask).post(schedules::act),
        )
        .route("/compare", get(compare::page))
        .route("/login", get(login::ask).post(login::act))
        .route("/logout", post(login::out))
        .fallback(failure::no_route)
        .layer(middleware::from_fn(failure::for_people));
    pages.route("/assets/{name}", get(assets::file))
}

/// What the frame of every page depends on.
#[derive(Debug, Clone)]
pub(super) struct Site {
    /// Path that the router is mounted under.
    pub(super) base: String,
    /// The view that is marked in the navigation.
    pub(super) view: &'static str,
    /// Whether there is a login to end.
    pub(super) session: bool,
}

impl Site {
    fn at(mut self, view: &'static str) -> Self {
        self.view = view;
        self
    }

    /// Path of the list of executions. A router that is nested has none with a slash at its end.
    fn home(&self) -> &str {
        match self.base.as_str() {
            "" => "/",
            base => base,
        }
    }

    /// Path of the page of an execution.
    fn execution(&self, id: &str) -> String {
        format!("{}/executions/{}", self.base, encoded(id))
    }
}

impl FromRequestParts<App> for Site {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Self::Rejection> {
        let base = parts.extensions.get::<Base>();
        Ok(Self {
            base: base.map(|Base(base)| base.clone()).unwrap_or_default(),
            view: "",
            session: matches!(app.options.access, Access::Token(_)),
        })
    }
}

/// Refuses to run an execution of a Lambda function again.
fn refuse_lambda(app: &App, action: &str) -> Result<(), Problem> {
    if !app.backend.is_lambda() {
        return Ok(());
    }
    Err(Problem::impossible(
        format!(
            "an execution of a Lambda function cannot be {action}: the service runs each once, and keeps its history as it is"
        ),
        "Start the function again with the same payload and another name.",
    ))
}

/// Renders a template.
fn html(page: &impl Template) -> Response {
    html_with(StatusCode::OK, page)
}

fn html_with(status: StatusCode, page: &impl Template) -> Response {
    match page.render() {
        Ok(text) => (status, Html(text)).into_response(),
        Err(error) => Problem::internal(error).into_response(),
    }
}

/// Characters that need no encoding in a part of a URL.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// A text as part of a URL.
pub(super) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, PLAIN).to_string()
}
