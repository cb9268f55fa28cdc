//! HTTP server of both APIs on one loopback port.

mod durable;
mod runtime;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::state::Shared;
use crate::wire::ApiError;

/// Request with its complete body.
pub(crate) struct Call {
    method: Method,
    /// Path segments, decoded after splitting because a segment may contain an encoded slash.
    segments: Vec<String>,
    /// Path as sent, still encoded.
    path: String,
    query: String,
    headers: BTreeMap<String, String>,
    body: Bytes,
}

/// Response to a call, or `None` to close the connection without one.
pub(crate) type Reply = Option<Response<Full<Bytes>>>;

/// Error that makes the server close a connection without a response.
#[derive(Debug)]
struct Disconnected;

impl std::fmt::Display for Disconnected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("closed without a response on purpose")
    }
}

impl std::error::Error for Disconnected {}

/// Serves connections until the task is aborted.
pub(crate) async fn serve(shared: Arc<Shared>, listener: TcpListener) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let _ = stream.set_nodelay(true);
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let service = service_fn(|request| handle(Arc::clone(&shared), request));
            let connection = hyper::server::conn::http1::Builder::new();
            let _ = connection
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn handle(
    shared: Arc<Shared>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Disconnected> {
    let Ok(call) = read(request).await else {
        return Err(Disconnected);
    };
    route(&shared, call).await.ok_or(Disconnected)
}

async fn read(request: Request<Incoming>) -> Result<Call, hyper::Error> {
    let (head, body) = request.into_parts();
    let path = head.uri.path().to_owned();
    let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let headers = head.headers.iter().map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        (name.as_str().to_owned(), value)
    });
    Ok(Call {
        method: head.method,
        segments: path.split('/').skip(1).map(decode).collect(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        path,
        headers: headers.collect(),
        body: body.collect().await?.to_bytes(),
    })
}

async fn route(shared: &Arc<Shared>, call: Call) -> Reply {
    let segments: Vec<&str> = call.segments.iter().map(String::as_str).collect();
    match (&call.method, &segments[..]) {
        (&Method::GET, ["2018-06-01", "runtime", "invocation", "next"]) => {
            Some(runtime::next(shared).await)
        }
        (&Method::POST, ["2018-06-01", "runtime", "invocation", request, "response"]) => {
            Some(runtime::response(shared, request, &call))
        }
        (&Method::POST, ["2018-06-01", "runtime", "invocation", request, "error"]) => {
            Some(runtime::error(shared, request, &call))
        }
        (&Method::POST, ["2018-06-01", "runtime", "init", "error"]) => {
            Some(runtime::init_error(shared, &call))
        }
        (&Method::POST, ["2025-12-01", "durable-executions", arn, "checkpoint"]) => {
            durable::checkpoint(shared, arn, &call).await
        }
        (&Method::GET, ["2025-12-01", "durable-executions", arn, "state"]) => {
            durable::state(shared, arn, &call).await
        }
        _ => {
            let message = format!("no route for {} {}", call.method, call.path);
            shared.change(|state| state.recording.invalid_requests.push(message.clone()));
            Some(error_response(&ApiError::new(
                404,
                "UnknownOperationException",
                message,
            )))
        }
    }
}

impl Call {
    /// Returns a decoded query parameter.
    fn parameter(&self, name: &str) -> Option<String> {
        let mut pairs = self
            .query
            .split('&')
            .filter_map(|pair| pair.split_once('='));
        let (_, value) = pairs.find(|(key, _)| *key == name)?;
        // A plus sign stays one. Only form encoding uses it for a space.
        Some(percent_decode_str(value).decode_utf8_lossy().into_owned())
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }
}

fn respond(status: u16, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = hyper::StatusCode::from_u16(status).unwrap_or_default();
    let json = ("content-type", "application/json");
    for (name, value) in [json].iter().chain(headers) {
        let name = hyper::header::HeaderName::from_bytes(name.as_bytes());
        if let (Ok(name), Ok(value)) = (name, value.parse()) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// Formats an error like Lambda: the code in a header, the message under a key whose case depends on the code.
fn error_response(error: &ApiError) -> Response<Full<Bytes>> {
    let capitalized = matches!(
        error.code.as_str(),
        "ServiceException" | "ResourceNotFoundException" | "AccessDeniedException"
    ) || error.code.starts_with("KMS");
    let key = if capitalized { "Message" } else { "message" };
    let kind = if error.status < 500 {
        "User"
    } else {
        "Service"
    };
    let mut body = json!({ "Type": kind, key: error.message });
    let mut headers = vec![("x-amzn-errortype", error.code.as_str())];
    let retry_after = error.retry_after.map(|seconds| seconds.to_string());
    if let Some(seconds) = &retry_after {
        headers.push(("retry-after", seconds));
    }
    if error.status == 429 {
        body["Reason"] = json!("CallerRateLimitExceeded");
    }
    respond(error.status, &headers, body.to_string())
}
