//! Errors as people read them.

use askama::Template;
use axum::extract::{OriginalUri, Request};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;

use super::{Site, html_with};
use crate::serve::problem::Problem;
use crate::serve::security::Base;

#[derive(Template)]
#[template(path = "failure.html")]
struct Failure {
    site: Site,
    problem: Problem,
}

/// Renders errors as a page where the browser asks for one.
pub(super) async fn for_people(request: Request, next: Next) -> Response {
    let accept = request.headers().get(header::ACCEPT);
    let accept = accept.and_then(|value| value.to_str().ok());
    let people = accept.is_some_and(|accept| accept.contains("text/html"));
    let base = request.extensions().get::<Base>();
    let base = base.map(|Base(base)| base.clone()).unwrap_or_default();
    let response = next.run(request).await;
    let Some(problem) = response.extensions().get::<Problem>().filter(|_| people) else {
        return response;
    };
    let site = Site {
        base,
        view: "",
        session: false,
    };
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::BAD_REQUEST);
    let problem = problem.clone();
    html_with(status, &Failure { site, problem })
}

pub(super) async fn no_route(OriginalUri(uri): OriginalUri) -> Problem {
    Problem::no_route(uri.path())
}

pub(crate) async fn wrong_method(OriginalUri(uri): OriginalUri) -> Problem {
    Problem::wrong_method(uri.path())
}
