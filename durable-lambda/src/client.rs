//! The two calls of the durable API.

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
use crate::wire::{Acknowledged, Checkpoint, Refusal, State};

const VERSION: &str = "/2025-12-01/durable-executions";
/// All but what never has to be encoded.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
const CONNECT: Duration = Duration::from_secs(5);
/// From sending a request to the end of its answer.
const WHOLE: Duration = Duration::from_secs(55);
/// A page of operations is far smaller.
const LARGEST_ANSWER: usize = 64 << 20;
/// So much of what the service says about an error is passed on.
const LONGEST_MESSAGE: usize = 2000;
/// Operations asked for in one page.
const PAGE: usize = 1000;

/// A call that the service refused, or that did not get through.
#[derive(Debug)]
pub(crate) struct CallError {
    /// `None` when no answer came.
    pub(crate) status: Option<StatusCode>,
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) retry_after: Option<Duration>,
}

/// What a failed call means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// The same call may succeed later; if not, the invocation fails and is repeated.
    Passing,
    /// Another invocation has taken over: this one fails.
    Stale,
    /// No invocation will ever get further: the execution fails.
    Final,
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

    pub(crate) fn class(&self) -> Class {
        let Some(status) = self.status else {
            return Class::Passing;
        };
        let stale = "invalid checkpoint token";
        let start = self.message.get(..stale.len());
        if self.code.starts_with("KMS") {
            Class::Final
        } else if start.is_some_and(|start| start.eq_ignore_ascii_case(stale)) {
            Class::Stale
        } else if status == StatusCode::TOO_MANY_REQUESTS
            || status.is_server_error()
            || self.code == "TooManyRequestsException"
        {
            Class::Passing
        } else {
            Class::Final
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

/// A connection to the durable API of one region.
pub(crate) struct Client {
    http: HttpClient<HttpsConnector<HttpConnector>, Full<Bytes>>,
    /// `https://lambda.us-east-1.amazonaws.com`, without a slash at the end.
    endpoint: String,
    host: String,
    region: String,
    credentials: Credentials,
}

impl Client {
    /// As the environment variables that Lambda sets say.
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
            .map_err(|error| format!("the endpoint {endpoint:?} is no URL: {error}"))?;
        let host = uri
            .authority()
            .ok_or_else(|| format!("the endpoint {endpoint:?} has no host"))?;
        let host = host.as_str().to_owned();
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_connect_timeout(Some(CONNECT));
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

    /// Writes updates; the same `client_token` makes a repetition of the call harmless.
    pub(crate) async fn checkpoint(
        &self,
        arn: &str,
        body: &Checkpoint<'_>,
    ) -> Result<Acknowledged, CallError> {
        let path = format!("{VERSION}/{}/checkpoint", utf8_percent_encode(arn, ENCODED));
        let body = serde_json::to_vec(body).map_err(|error| CallError::local(error.to_string()))?;
        self.call(Method::POST, &path, "", body.into()).await
    }

    /// The page of operations behind `marker`.
    pub(crate) async fn state(
        &self,
        arn: &str,
        token: &str,
        marker: &str,
    ) -> Result<State, CallError> {
        let path = format!("{VERSION}/{}/state", utf8_percent_encode(arn, ENCODED));
        let query = format!(
            "CheckpointToken={}&Marker={}&MaxItems={PAGE}",
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
        let answer = tokio::time::timeout(WHOLE, self.exchange(request));
        let (status, retry_after, code, body) = answer
            .await
            .map_err(|_| CallError::local(format!("no answer within {WHOLE:?}")))?
            .map_err(|error| CallError::local(chain(&*error)))?;
        if status.is_success() {
            return serde_json::from_slice(&body).map_err(|error| {
                CallError::local(format!("its answer cannot be understood: {error}"))
            });
        }
        let refusal: Refusal = serde_json::from_slice(&body).unwrap_or_default();
        let code = code.or(refusal.code).or(refusal.kind).unwrap_or_default();
        // `Name:http://…` and `prefix#Name` are about as well.
        let code = code.split(':').next().unwrap_or_default();
        let code = code.rsplit('#').next().unwrap_or_default();
        let message = refusal.message.or(refusal.capital);
        let mut message = message.unwrap_or_else(|| String::from_utf8_lossy(&body).into_owned());
        // It may repeat what was sent.
        message.truncate(message.floor_char_boundary(LONGEST_MESSAGE));
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

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<Answer, BoxError> {
        let response = self.http.request(request).await?;
        let text = |name: &str| {
            let value = response.headers().get(name)?.to_str().ok()?;
            Some(value.to_owned())
        };
        let seconds = text("retry-after").and_then(|value| value.parse().ok());
        let code = text("x-amzn-errortype");
        let status = response.status();
        let body = Limited::new(response.into_body(), LARGEST_ANSWER)
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

type Answer = (StatusCode, Option<Duration>, Option<String>, Bytes);

/// An error with what caused it: what says "client error" alone helps nobody.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
