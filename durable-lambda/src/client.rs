//! HTTP client for the two calls of the durable API: checkpoint and get state.

use std::time::Duration;

use bytes::Bytes;
use durable_core::{BoxError, Clock as _, SystemClock};
use http::{Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::DeserializeOwned;

use crate::sign::{Credentials, Unsigned, headers};
use crate::wire::{Checkpoint, CheckpointResponse, ErrorResponse, OperationPage};

const VERSION: &str = "/2025-12-01/durable-executions";
/// Characters to percent-encode: everything but the unreserved ones of RFC 3986.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Time allowed from sending a request to the end of its response.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(55);
/// Largest response body that is read, in bytes; a page of operations is far smaller.
const MAX_RESPONSE: usize = 64 << 20;
/// Longest error message taken from the service, in bytes.
const MAX_MESSAGE: usize = 2000;
/// Operations requested per page.
const PAGE_SIZE: usize = 1000;

/// Error of a call that the service rejected or that never reached it.
#[derive(Debug)]
pub(crate) struct CallError {
    /// HTTP status, or `None` without a response.
    pub(crate) status: Option<StatusCode>,
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) retry_after: Option<Duration>,
}

/// Consequence of a failed call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ErrorClass {
    /// The call may succeed when retried. If it never does, the invocation fails and the service retries it.
    Transient,
    /// Another invocation has taken over, so this one fails.
    StaleToken,
    /// Every retry would fail in the same way, so the execution fails.
    Permanent,
}

impl CallError {
    fn local(message: String) -> Self {
        Self {
            status: None,
            code: "Unreachable".to_owned(),
            message,
            retry_after: None,
        }
    }

    pub(crate) fn class(&self) -> ErrorClass {
        let Some(status) = self.status else {
            return ErrorClass::Transient;
        };
        let stale = "invalid checkpoint token";
        let start = self.message.get(..stale.len());
        if self.code.starts_with("KMS") {
            ErrorClass::Permanent
        } else if start.is_some_and(|start| start.eq_ignore_ascii_case(stale)) {
            ErrorClass::StaleToken
        } else if status == StatusCode::TOO_MANY_REQUESTS
            || status.is_server_error()
            || self.code == "TooManyRequestsException"
        {
            ErrorClass::Transient
        } else {
            ErrorClass::Permanent
        }
    }
}

impl std::fmt::Display for CallError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.code)?;
        if let Some(status) = self.status {
            write!(f, " ({})", status.as_u16())?;
        }
        write!(f, ": {}", self.message)
    }
}

/// Client of the durable API in one region.
pub(crate) struct Client {
    http: HttpClient<HttpsConnector<HttpConnector>, Full<Bytes>>,
    /// Base URL without a trailing slash, such as `https://lambda.us-east-1.amazonaws.com`.
    endpoint: String,
    host: String,
    region: String,
    credentials: Credentials,
}

impl Client {
    /// Creates a client from the environment variables that Lambda sets.
    pub(crate) fn from_env() -> Result<Self, BoxError> {
        let var = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let required = |name: &str| {
            var(name).ok_or_else(|| {
                format!(
                    "environment variable `{name}` is not set: Lambda sets it for every function"
                )
            })
        };
        let region = var("AWS_REGION").or_else(|| var("AWS_DEFAULT_REGION"));
        let region = region.ok_or("environment variable `AWS_REGION` is not set")?;
        let endpoint = var("AWS_ENDPOINT_URL_LAMBDA").or_else(|| var("AWS_ENDPOINT_URL"));
        let suffix = if region.starts_with("cn-") { ".cn" } else { "" };
        let endpoint =
            endpoint.unwrap_or_else(|| format!("https://lambda.{region}.amazonaws.com{suffix}"));
        let credentials = Credentials {
            key_id: required("AWS_ACCESS_KEY_ID")?,
            secret: required("AWS_SECRET_ACCESS_KEY")?,
            session: var("AWS_SESSION_TOKEN"),
        };
        Self::new(&endpoint, region, credentials)
    }

    pub(crate) fn new(
        endpoint: &str,
        region: String,
        credentials: Credentials,
    ) -> Result<Self, BoxError> {
        let uri: Uri = endpoint
            .parse()
            .map_err(|error| format!("invalid endpoint URL {endpoint:?}: {error}"))?;
        let host = uri
            .authority()
            .ok_or_else(|| format!("invalid endpoint URL {endpoint:?}: it has no host"))?;
        let host = host.as_str().to_owned();
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
        connector.set_nodelay(true);
        let connector = hyper_rustls::HttpsConnectorBuilder::new()
            .with_webpki_roots()
            .https_or_http()
            .enable_http1()
            .wrap_connector(connector);
        Ok(Self {
            http: HttpClient::builder(TokioExecutor::new()).build(connector),
            endpoint: endpoint.trim_end_matches('/').to_owned(),
            host,
            region,
            credentials,
        })
    }

    /// Writes updates. A retry with the same `client_token` has no further effect.
    pub(crate) async fn checkpoint(
        &self,
        arn: &str,
        body: &Checkpoint<'_>,
    ) -> Result<CheckpointResponse, CallError> {
        let path = format!("{VERSION}/{}/checkpoint", utf8_percent_encode(arn, ENCODED));
        let body = serde_json::to_vec(body).map_err(|error| CallError::local(error.to_string()))?;
        self.call(Method::POST, &path, "", body.into()).await
    }

    /// Fetches the page of operations that starts at `marker`.
    pub(crate) async fn state(
        &self,
        arn: &str,
        token: &str,
        marker: &str,
    ) -> Result<OperationPage, CallError> {
        let path = format!("{VERSION}/{}/state", utf8_percent_encode(arn, ENCODED));
        let query = format!(
            "CheckpointToken={}&Marker={}&MaxItems={PAGE_SIZE}",
            utf8_percent_encode(token, ENCODED),
            utf8_percent_encode(marker, ENCODED)
        );
        self.call(Method::GET, &path, &query, Bytes::new()).await
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        query: &str,
        body: Bytes,
    ) -> Result<T, CallError> {
        let request = self.request(&method, path, query, body)?;
        let response = tokio::time::timeout(REQUEST_TIMEOUT, self.exchange(request));
        let (status, retry_after, code, body) = response
            .await
            .map_err(|_| CallError::local(format!("no response within {REQUEST_TIMEOUT:?}")))?
            .map_err(|error| CallError::local(with_sources(&*error)))?;
        if status.is_success() {
            return serde_json::from_slice(&body)
                .map_err(|error| CallError::local(format!("invalid response: {error}")));
        }
        let error: ErrorResponse = serde_json::from_slice(&body).unwrap_or_default();
        let code = code.or(error.code).or(error.kind).unwrap_or_default();
        // The service also sends the forms `Name:http://…` and `prefix#Name`.
        let code = code.split(':').next().unwrap_or_default();
        let code = code.rsplit('#').next().unwrap_or_default();
        let message = error.message.or(error.capitalized_message);
        let mut message = message.unwrap_or_else(|| String::from_utf8_lossy(&body).into_owned());
        // The service may echo the request, which can be large.
        message.truncate(message.floor_char_boundary(MAX_MESSAGE));
        Err(CallError {
            status: Some(status),
            code: code.to_owned(),
            message,
            retry_after,
        })
    }

    fn request(
        &self,
        method: &Method,
        path: &str,
        query: &str,
        body: Bytes,
    ) -> Result<Request<Full<Bytes>>, CallError> {
        let unsigned = Unsigned {
            method: method.as_str(),
            host: &self.host,
            path,
            query,
            body: &body,
            region: &self.region,
        };
        let signed = headers(&unsigned, &self.credentials, SystemClock.now());
        let mark = if query.is_empty() { "" } else { "?" };
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}{mark}{query}", self.endpoint));
        if !body.is_empty() {
            request = request.header(http::header::CONTENT_TYPE, "application/json");
        }
        for (name, value) in signed {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(body));
        request.map_err(|error| CallError::local(error.to_string()))
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<RawResponse, BoxError> {
        let response = self.http.request(request).await?;
        let text = |name: &str| {
            let value = response.headers().get(name)?.to_str().ok()?;
            Some(value.to_owned())
        };
        let seconds = text("retry-after").and_then(|value| value.parse().ok());
        let code = text("x-amzn-errortype");
        let status = response.status();
        let body = Limited::new(response.into_body(), MAX_RESPONSE)
            .collect()
            .await?;
        Ok((
            status,
            seconds.map(Duration::from_secs),
            code,
            body.to_bytes(),
        ))
    }
}

/// Status, `Retry-After`, error code and body of a response.
type RawResponse = (StatusCode, Option<Duration>, Option<String>, Bytes);

/// Formats an error with all its sources: the outermost one often says only "client error".
fn with_sources(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
