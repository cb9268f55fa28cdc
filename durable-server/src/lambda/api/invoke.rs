//! The operation `Invoke`.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::request::Call;
use super::response::with_headers;
use crate::lambda::engine::{Engine, Start};
use crate::lambda::functions::{End, FunctionError};
use crate::lambda::registry::{Found, UNQUALIFIED};
use crate::lambda::service::{
    Ending, ErrorObject, ExecutionStatus, MAX_CHAINED, MAX_PAYLOAD, Refusal, check_execution_name,
    check_tenant,
};

/// Longest time that a synchronous caller waits.
const MAX_CALL: Duration = Duration::from_secs(900);

/// Time for the last lines of an invocation's log to arrive.
const LOG_DELAY: Duration = Duration::from_millis(100);

/// Invocation type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    RequestResponse,
    Event,
    DryRun,
}

pub(super) async fn invoke(
    engine: &Arc<Engine>,
    function: &str,
    call: Call,
) -> Result<Response<Body>, Refusal> {
    let mode = mode(&call)?;
    let found = engine
        .registry
        .find(function, call.parameter("Qualifier"))?;
    check_payload(&call.body, mode)?;
    let tenant = call.header("x-amz-tenant-id").map(str::to_owned);
    if let Some(tenant) = &tenant {
        check_tenant(tenant)?;
    }
    if found.pool.function.durable {
        if !found.qualified {
            return Err(Refusal::invalid(UNQUALIFIED));
        }
        return execute(engine, &found, mode, tenant, &call).await;
    }
    if call.header("x-amz-durable-execution-name").is_some() {
        let text = "A function that is not durable cannot be invoked with an execution name.";
        return Err(Refusal::invalid(text));
    }
    let version = ("x-amz-executed-version", found.version.as_str());
    match mode {
        Mode::DryRun => Ok(with_headers(204, Body::empty(), &[version])),
        Mode::Event => {
            engine.queue_plain(&found, call.body, tenant).await?;
            Ok(with_headers(202, Body::empty(), &[version]))
        }
        Mode::RequestResponse => {
            let context = call.header("x-amz-client-context").map(str::to_owned);
            let tail = call.header("x-amz-log-type") == Some("Tail");
            let payload = input(call.body);
            let end = engine.invoke_plain(&found, payload, tenant, context).await;
            let mut log = None;
            if tail {
                // The output arrives through a pipe, slightly after the response.
                tokio::time::sleep(LOG_DELAY).await;
                log = Some(STANDARD.encode(found.pool.logs.tail()));
            }
            Ok(ended(end, &found.version, log.as_deref()))
        }
    }
}

fn mode(call: &Call) -> Result<Mode, Refusal> {
    match call.header("x-amz-invocation-type") {
        None | Some("" | "RequestResponse") => Ok(Mode::RequestResponse),
        Some("Event") => Ok(Mode::Event),
        Some("DryRun") => Ok(Mode::DryRun),
        Some(other) => {
            let set = "Member must satisfy enum value set: [Event, RequestResponse, DryRun]";
            Err(Refusal::validation("invocationType", other, set))
        }
    }
}

fn check_payload(body: &[u8], mode: Mode) -> Result<(), Refusal> {
    let most = match mode {
        Mode::Event => MAX_CHAINED,
        _ => MAX_PAYLOAD,
    };
    if body.len() > most {
        let text =
            format!("Request must be smaller than {most} bytes for the InvokeFunction operation");
        return Err(Refusal::new(413, "RequestTooLargeException", text));
    }
    if !body.is_empty() {
        let unreadable = |error: &dyn std::fmt::Display| {
            let text = format!("Could not parse request body into json: {error}");
            Refusal::new(400, "InvalidRequestContentException", text)
        };
        let text = std::str::from_utf8(body).map_err(|error| unreadable(&error))?;
        serde_json::from_str::<serde::de::IgnoredAny>(text).map_err(|error| unreadable(&error))?;
    }
    Ok(())
}

/// Returns the payload, or an empty object if there is none.
fn input(body: Bytes) -> Bytes {
    match body.is_empty() {
        true => Bytes::from_static(b"{}"),
        false => body,
    }
}

async fn execute(
    engine: &Arc<Engine>,
    found: &Found,
    mode: Mode,
    tenant: Option<String>,
    call: &Call,
) -> Result<Response<Body>, Refusal> {
    let name = call
        .header("x-amz-durable-execution-name")
        .map(str::to_owned);
    if let Some(name) = &name {
        check_execution_name(name)?;
    }
    let version = ("x-amz-executed-version", found.version.as_str());
    if mode == Mode::DryRun {
        return Ok(with_headers(204, Body::empty(), &[version]));
    }
    // The payload has been read as JSON, which is UTF-8.
    let input = String::from_utf8_lossy(&input(call.body.clone())).into_owned();
    let started = engine.start(Start {
        function: found,
        input,
        name,
        id: None,
        asynchronous: mode == Mode::Event,
        parent: None,
        tenant,
        trace: call.header("x-amzn-trace-id").map(str::to_owned),
    });
    let started = started.await?;
    let arn = started.arn.clone();
    let arn = ("x-amz-durable-execution-arn", arn.as_str());
    if mode == Mode::Event {
        return Ok(with_headers(202, Body::empty(), &[version, arn]));
    }
    let ended = tokio::time::timeout(MAX_CALL, started.ended()).await;
    let failed = ("x-amz-function-error", "Unhandled");
    let body = match ended {
        Ok(Some(ending)) if ending.status == ExecutionStatus::Succeeded => {
            let result = ending.result.filter(|result| !result.is_empty());
            let result = result.unwrap_or_else(|| "null".to_owned());
            return Ok(with_headers(200, result, &[version, arn]));
        }
        Ok(Some(ending)) => error_body(&ending),
        Ok(None) => return Err(Refusal::internal("the server is shutting down")),
        Err(_) => {
            let seconds = MAX_CALL.as_secs();
            let text =
                format!("The execution has not ended within {seconds} seconds; it continues.");
            FunctionError::new("Sandbox.Timedout", text).body
        }
    };
    Ok(with_headers(200, body.to_string(), &[version, arn, failed]))
}

/// Converts the error of an execution to a function error.
fn error_body(ending: &Ending) -> Value {
    let ErrorObject {
        error_message,
        error_type,
        error_data,
        stack_trace,
    } = ending.error.clone().unwrap_or_default();
    let members = [
        ("errorMessage", error_message.map(Value::from)),
        ("errorType", error_type.map(Value::from)),
        ("errorData", error_data.map(Value::from)),
        ("stackTrace", stack_trace.map(|lines| json!(lines))),
    ];
    let members = members.into_iter();
    let members = members.filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(members.collect::<Map<_, _>>())
}

fn ended(end: End, version: &str, log: Option<&str>) -> Response<Body> {
    let mut headers = vec![("x-amz-executed-version", version)];
    headers.extend(log.map(|log| ("x-amz-log-result", log)));
    match end {
        End::Output(output) => with_headers(200, output, &headers),
        End::Error(error) => {
            headers.push(("x-amz-function-error", "Unhandled"));
            with_headers(200, error.body.to_string(), &headers)
        }
    }
}
