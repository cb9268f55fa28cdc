//! Which requests are answered, and what browsers may do with the answers.

mod headers;
mod login;

use axum::body::Body;
use axum::extract::{OriginalUri, Request, State};
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};

use super::problem::Problem;
use super::state::App;
use super::{Access, Options, Token};
use crate::http::{BodyError, Foreign, check_loopback, check_origin, read};

pub(crate) use login::{cookie, log_out};

/// Path that the router is mounted under, without a slash at its end.
#[derive(Debug, Clone)]
pub(crate) struct Base(pub(crate) String);

/// Wraps every route: refuses what must not be answered, reads the body within its limits, and sets the headers that
/// protect the page.
pub(crate) async fn guard(State(app): State<App>, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let mut response = match admit(&app, request).await {
        Ok(request) => next.run(request).await,
        Err(refusal) => *refusal,
    };
    headers::protect(&path, response.headers_mut());
    response
}

async fn admit(app: &App, request: Request) -> Result<Request, Box<Response>> {
    let refuse = |problem: Problem| Box::new(problem.into_response());
    let (mut parts, body) = request.into_parts();
    let path = parts.uri.path();
    let base = base(&parts.extensions, path);
    let authority = parts.uri.authority().map(ToString::to_string);
    let foreign = check(app, &parts.method, &parts.headers, authority.as_deref());
    foreign.map_err(|foreign| refuse(Problem::forbidden(foreign.message())))?;
    if let Access::Token(token) = &app.options.access
        && !is_public(path)
        && !has_token(&parts.headers, token)
    {
        let for_people = parts.method == Method::GET && !is_for_programs(path);
        return Err(match for_people {
            true => {
                let here = parts.uri.path_and_query().map_or("/", |path| path.as_str());
                let to = format!("{base}/login?next={}", super::page::encoded(here));
                Box::new(Redirect::to(&to).into_response())
            }
            false => refuse(Problem::unauthorized()),
        });
    }
    let Options {
        body_limit: limit,
        request_timeout,
        ..
    } = *app.options;
    let body = read(body, limit, request_timeout).await;
    let body = body.map_err(|error| {
        refuse(match error {
            BodyError::TooLarge => Problem::too_large(limit),
            BodyError::TooSlow => Problem::too_slow(),
            BodyError::Broken => Problem::bad_request("the body ended early"),
        })
    })?;
    parts.extensions.insert(Base(base));
    Ok(Request::from_parts(parts, Body::from(body)))
}

/// What the app around has taken off the path.
fn base(extensions: &axum::http::Extensions, path: &str) -> String {
    let whole = extensions.get::<OriginalUri>();
    let whole = whole.map_or(path, |OriginalUri(uri)| uri.path());
    let base = whole.strip_suffix(path).unwrap_or(whole);
    base.trim_end_matches('/').to_owned()
}

fn check(
    app: &App,
    method: &Method,
    headers: &HeaderMap,
    authority: Option<&str>,
) -> Result<(), Foreign> {
    let host = headers.get(header::HOST);
    let host = host.map(|host| host.to_str().unwrap_or_default());
    let host = host.or(authority).unwrap_or_default();
    if app.options.access == Access::Loopback {
        check_loopback(host)?;
    }
    // A link on another page may lead here: reading changes nothing, and the other page sees nothing of it.
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let is_link = *method == Method::GET
        && text("sec-fetch-mode") == Some("navigate")
        && text("sec-fetch-dest") == Some("document");
    match is_link {
        true => Ok(()),
        false => check_origin(headers, host),
    }
}

/// Paths that are answered without a token.
fn is_public(path: &str) -> bool {
    path == "/login" || path == "/healthz" || path.starts_with("/assets/")
}

fn is_for_programs(path: &str) -> bool {
    path.starts_with("/api/") || path == "/metrics"
}

fn has_token(headers: &HeaderMap, token: &Token) -> bool {
    let header = headers.get(header::AUTHORIZATION);
    let bearer = header.and_then(|value| value.to_str().ok());
    if let Some((scheme, given)) = bearer.and_then(|value| value.split_once(' ')) {
        return scheme.eq_ignore_ascii_case("bearer") && token.is(given.trim());
    }
    login::session(headers).is_some_and(|given| token.is_cookie(given))
}
