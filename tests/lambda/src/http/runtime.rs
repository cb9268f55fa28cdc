//! Server side of the Runtime API: invocations and their responses.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Response;
use serde_json::{Value, json};

use crate::recording::InvocationEnd;
use crate::state::Shared;
use crate::wire::{self, ErrorObject};

use super::{Call, respond};

/// Largest response that Lambda accepts, in bytes.
const MAX_RESPONSE: usize = 6 * 1024 * 1024 + 100;

/// Waits for an invocation and returns its event.
pub(crate) async fn next(shared: &Arc<Shared>) -> Response<Full<Bytes>> {
    let (request, event, deadline) = shared.wait_until(|state| state.take_invocation()).await;
    let config = shared.lock().config.clone();
    let deadline = deadline.to_string();
    let arn = config.function_arn();
    let mut headers = vec![
        ("lambda-runtime-aws-request-id", request.as_str()),
        ("lambda-runtime-deadline-ms", &deadline),
        ("lambda-runtime-invoked-function-arn", &arn),
        (
            "lambda-runtime-trace-id",
            "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1",
        ),
    ];
    if let Some(tenant) = &config.tenant {
        headers.push(("lambda-runtime-aws-tenant-id", tenant));
    }
    respond(200, &headers, event.to_string())
}

/// Ends an invocation with the handler's output.
pub(crate) fn response(shared: &Arc<Shared>, request: &str, call: &Call) -> Response<Full<Bytes>> {
    if call.body.len() > MAX_RESPONSE {
        let text = format!("Exceeded maximum allowed payload size ({MAX_RESPONSE} bytes).");
        let error = ErrorObject::new("Function.ResponseSizeTooLarge", &text);
        let end = InvocationEnd::Error(json!({ "errorType": "Function.ResponseSizeTooLarge" }));
        shared.change(|state| state.fail(request, end, error, wire::now()));
        return problem(413, "RequestEntityTooLarge", &text);
    }
    let output = call.json();
    let known = shared.change(|state| state.succeed(request, output, wire::now()));
    accepted(known)
}

/// Ends an invocation with an error.
pub(crate) fn error(shared: &Arc<Shared>, request: &str, call: &Call) -> Response<Full<Bytes>> {
    let reported = call.json();
    let text = |key: &str| reported.get(key).and_then(Value::as_str).map(str::to_owned);
    let error = ErrorObject {
        error_type: text("errorType"),
        error_message: text("errorMessage"),
        ..ErrorObject::default()
    };
    let end = InvocationEnd::Error(reported);
    let known = shared.change(|state| state.fail(request, end, error, wire::now()));
    accepted(known)
}

/// Records an error in the function's initialization.
pub(crate) fn init_error(shared: &Arc<Shared>, call: &Call) -> Response<Full<Bytes>> {
    shared.change(|state| state.recording.init_errors.push(call.json()));
    accepted(true)
}

fn accepted(known: bool) -> Response<Full<Bytes>> {
    if known {
        return respond(202, &[], r#"{"status":"OK"}"#);
    }
    problem(400, "InvalidRequestID", "Invalid request ID")
}

fn problem(status: u16, kind: &str, text: &str) -> Response<Full<Bytes>> {
    let body = json!({ "errorType": kind, "errorMessage": text });
    respond(status, &[], body.to_string())
}
