//! Client of both APIs, written independently of the one under test.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::signature::{self, Credentials};
use crate::wire::Update;

const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Function whose calls a test makes one by one.
#[derive(Debug, Clone)]
pub struct Client {
    address: SocketAddr,
    credentials: Credentials,
}

/// Invocation fetched from the Runtime API.
#[derive(Debug, Clone)]
pub struct TakenInvocation {
    /// Lambda's request id.
    pub request_id: String,
    /// Event that the function is invoked with.
    pub event: Value,
    /// Deadline in milliseconds since 1970.
    pub deadline: u64,
}

impl TakenInvocation {
    /// Returns the execution's ARN.
    pub fn arn(&self) -> &str {
        self.event["DurableExecutionArn"]
            .as_str()
            .unwrap_or_default()
    }

    /// Returns the first checkpoint token.
    pub fn token(&self) -> &str {
        self.event["CheckpointToken"].as_str().unwrap_or_default()
    }
}

/// Status and JSON body of a response, or `None` if the connection was closed without one.
pub type Response = Option<(u16, Value)>;

impl Client {
    /// Creates a client of the fake at `address`.
    pub fn new(address: SocketAddr, credentials: Credentials) -> Self {
        Self {
            address,
            credentials,
        }
    }

    /// Waits for an invocation.
    ///
    /// # Panics
    ///
    /// Panics if the connection fails or the response is not an invocation.
    pub async fn next(&self) -> TakenInvocation {
        let path = "/2018-06-01/runtime/invocation/next";
        let (_, headers, event) = self
            .send("GET", path, "", b"", false)
            .await
            .expect("a response");
        let header = |name: &str| headers.get(name).cloned().unwrap_or_default();
        TakenInvocation {
            request_id: header("lambda-runtime-aws-request-id"),
            deadline: header("lambda-runtime-deadline-ms")
                .parse()
                .expect("milliseconds"),
            event,
        }
    }

    /// Ends an invocation with an output.
    pub async fn respond(&self, invocation: &TakenInvocation, output: Value) -> Response {
        let path = format!(
            "/2018-06-01/runtime/invocation/{}/response",
            invocation.request_id
        );
        self.call("POST", &path, "", output.to_string().as_bytes(), false)
            .await
    }

    /// Ends an invocation with an error.
    pub async fn fail(&self, invocation: &TakenInvocation, kind: &str) -> Response {
        let path = format!(
            "/2018-06-01/runtime/invocation/{}/error",
            invocation.request_id
        );
        let body = json!({ "errorType": kind, "errorMessage": "for a test" }).to_string();
        self.call("POST", &path, "", body.as_bytes(), false).await
    }

    /// Makes a checkpoint call.
    pub async fn checkpoint(
        &self,
        arn: &str,
        token: &str,
        client_token: &str,
        updates: &[Update],
    ) -> Response {
        let body = json!({
            "CheckpointToken": token,
            "ClientToken": client_token,
            "Updates": updates,
        });
        let path = Self::path(arn, "checkpoint");
        self.call("POST", &path, "", body.to_string().as_bytes(), true)
            .await
    }

    /// Reads a page of the state.
    pub async fn state(&self, arn: &str, token: &str, marker: &str, max_items: usize) -> Response {
        let encode = |text: &str| utf8_percent_encode(text, SEGMENT).to_string();
        let (token, marker) = (encode(token), encode(marker));
        let query = format!("CheckpointToken={token}&Marker={marker}&MaxItems={max_items}");
        self.call("GET", &Self::path(arn, "state"), &query, b"", true)
            .await
    }

    fn path(arn: &str, call: &str) -> String {
        let arn = utf8_percent_encode(arn, SEGMENT);
        format!("/2025-12-01/durable-executions/{arn}/{call}")
    }

    /// Makes any call, with a signature if `signed`.
    pub async fn call(
        &self,
        method: &str,
        path: &str,
        query: &str,
        body: &[u8],
        signed: bool,
    ) -> Response {
        let response = self.send(method, path, query, body, signed).await;
        response.map(|(status, _, body)| (status, body))
    }

    async fn send(
        &self,
        method: &str,
        path: &str,
        query: &str,
        body: &[u8],
        signed: bool,
    ) -> Option<(u16, BTreeMap<String, String>, Value)> {
        let mut headers = BTreeMap::from([("host".to_owned(), self.address.to_string())]);
        if signed {
            headers.insert("x-amz-date".into(), "20261125T120000Z".into());
            if let Some(token) = &self.credentials.session_token {
                headers.insert("x-amz-security-token".into(), token.clone());
            }
            let request = signature::Request {
                method,
                path,
                query,
                headers: &headers,
                body,
            };
            let authorization = signature::authorize(&request, &self.credentials);
            headers.insert("authorization".into(), authorization);
        }
        let target = if query.is_empty() {
            path.to_owned()
        } else {
            format!("{path}?{query}")
        };
        let mut request = hyper::Request::builder().method(method).uri(target);
        for (name, value) in &headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(Bytes::copy_from_slice(body))).ok()?;
        let stream = TcpStream::connect(self.address).await.ok()?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .ok()?;
        tokio::spawn(connection);
        let response = sender.send_request(request).await.ok()?;
        let status = response.status().as_u16();
        let headers = response.headers().iter().map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            (name.as_str().to_owned(), value)
        });
        let headers = headers.collect();
        let body = response.into_body().collect().await.ok()?.to_bytes();
        let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
        Some((status, headers, body))
    }
}
