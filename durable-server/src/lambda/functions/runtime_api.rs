//! Runtime API of one process.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Response, StatusCode};
use axum::middleware::{self, Next};
use axum::routing::{get, post};
use serde_json::json;

use super::instance::{End, FunctionError, Shared};
use crate::http::{BodyError, Guard, REQUEST_TIMEOUT, read};
use crate::lambda::service::MAX_PAYLOAD;

/// Largest response that Lambda accepts, in bytes.
const MAX_RESPONSE: usize = MAX_PAYLOAD + 100;

pub(super) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route(
            "/2018-06-01/runtime/invocation/{request}/response",
            post(response),
        )
        .route(
            "/2018-06-01/runtime/invocation/{request}/error",
            post(error),
        )
        .route("/2018-06-01/runtime/init/error", post(init_error))
        .fallback(|| async { problem(404, "NotFound", "no such path") })
        .layer(middleware::from_fn(guarded))
        .with_state(shared)
}

async fn guarded(request: axum::extract::Request, next: Next) -> Response<Body> {
    match Guard::Loopback.check(request.headers()) {
        Ok(()) => next.run(request).await,
        Err(foreign) => problem(403, "Forbidden", foreign.message()),
    }
}

async fn next(State(shared): State<Arc<Shared>>) -> Response<Body> {
    let taken = shared.take().await;
    let Some(taken) = taken else {
        return problem(500, "Shutdown", "the process is retired");
    };
    let mut response = Response::builder()
        .header("content-type", "application/json")
        .header("lambda-runtime-aws-request-id", &taken.request_id)
        .header("lambda-runtime-deadline-ms", taken.deadline.to_string())
        .header("lambda-runtime-invoked-function-arn", &taken.arn)
        .header("lambda-runtime-trace-id", &taken.trace);
    if let Some(tenant) = &taken.tenant {
        response = response.header("lambda-runtime-aws-tenant-id", tenant);
    }
    if let Some(context) = &taken.client_context {
        response = response.header("lambda-runtime-client-context", context);
    }
    response
        .body(Body::from(taken.payload))
        .unwrap_or_else(|_| problem(500, "InvalidHeader", "the invocation has an invalid header"))
}

async fn response(
    State(shared): State<Arc<Shared>>,
    Path(request): Path<String>,
    body: Body,
) -> Response<Body> {
    match read(body, MAX_RESPONSE, REQUEST_TIMEOUT).await {
        Ok(body) => accepted(shared.end(&request, End::Output(body))),
        Err(BodyError::TooSlow) => {
            problem(408, "RequestTimeout", "the body did not arrive in time")
        }
        Err(BodyError::Broken) => problem(400, "InvalidBody", "the body is incomplete"),
        Err(BodyError::TooLarge) => {
            let text = format!(
                "Response payload size exceeded maximum allowed payload size ({MAX_RESPONSE} bytes)."
            );
            let error = FunctionError::new("Function.ResponseSizeTooLarge", text.clone());
            shared.end(&request, End::Error(error));
            problem(413, "RequestEntityTooLarge", &text)
        }
    }
}

async fn error(
    State(shared): State<Arc<Shared>>,
    Path(request): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response<Body> {
    match read(body, MAX_RESPONSE, REQUEST_TIMEOUT).await {
        Ok(body) => {
            let error = FunctionError::reported(&body, kind(&headers));
            accepted(shared.end(&request, End::Error(error)))
        }
        Err(_) => problem(400, "InvalidBody", "the error is too large or incomplete"),
    }
}

async fn init_error(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    body: Body,
) -> Response<Body> {
    match read(body, MAX_RESPONSE, REQUEST_TIMEOUT).await {
        Ok(body) => {
            shared.init_failed(FunctionError::reported(&body, kind(&headers)));
            accepted(true)
        }
        Err(_) => problem(400, "InvalidBody", "the error is too large or incomplete"),
    }
}

fn kind(headers: &HeaderMap) -> Option<&str> {
    let kind = headers.get("lambda-runtime-function-error-type")?;
    kind.to_str().ok()
}

fn accepted(known: bool) -> Response<Body> {
    if known {
        return answer(202, json!({ "status": "OK" }).to_string());
    }
    problem(400, "InvalidRequestID", "Invalid request ID")
}

fn problem(status: u16, kind: &str, text: &str) -> Response<Body> {
    answer(
        status,
        json!({ "errorType": kind, "errorMessage": text }).to_string(),
    )
}

fn answer(status: u16, body: String) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let json = axum::http::HeaderValue::from_static("application/json");
    response.headers_mut().insert("content-type", json);
    response
}
