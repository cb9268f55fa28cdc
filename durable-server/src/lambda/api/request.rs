//! Requests: paths, parameters and bodies.

use std::time::Duration;

use axum::extract::Request;
use axum::http::{HeaderMap, Method};
use bytes::Bytes;
use percent_encoding::percent_decode_str;
use serde::de::DeserializeOwned;

use super::signature::{self, Invalid, Signed};
use crate::http::{BodyError, read};
use crate::lambda::clock;
use crate::lambda::service::{MAX_PAYLOAD, Refusal};

/// Largest request body: a checkpoint with the largest payload, escaped as JSON.
const MAX_BODY: usize = 2 * MAX_PAYLOAD;

/// Complete request.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) method: Method,
    /// Path as sent, percent-encoded.
    pub(super) path: String,
    /// Query as sent.
    raw_query: String,
    query: Vec<(String, String)>,
    headers: HeaderMap,
    pub(super) body: Bytes,
}

/// Operation on a callback.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CallbackAction {
    Succeed,
    Fail,
    Heartbeat,
}

/// Operation of the API with its subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Route {
    Invoke(String),
    Checkpoint(String),
    State(String),
    Execution(String),
    History(String),
    Stop(String),
    Pause(String),
    Resume(String),
    List(String),
    Callback(String, CallbackAction),
}

impl Route {
    /// Finds the operation of a path. Names are decoded after the split; slashes in names need not
    /// be encoded.
    pub(super) fn of(method: &Method, path: &str) -> Option<Self> {
        let get = *method == Method::GET;
        let post = *method == Method::POST;
        if let Some(rest) = path.strip_prefix("/2015-03-31/functions/") {
            let name = rest.strip_suffix("/invocations")?;
            return post.then(|| decoded(name).map(Self::Invoke))?;
        }
        if let Some(rest) = path.strip_prefix("/2025-12-01/functions/") {
            let name = rest.strip_suffix("/durable-executions")?;
            return get.then(|| decoded(name).map(Self::List))?;
        }
        if let Some(rest) = path.strip_prefix("/2025-12-01/durable-execution-callbacks/") {
            let (id, act) = rest.rsplit_once('/')?;
            let act = match act {
                "succeed" => CallbackAction::Succeed,
                "fail" => CallbackAction::Fail,
                "heartbeat" => CallbackAction::Heartbeat,
                _ => return None,
            };
            return post.then(|| decoded(id).map(|id| Self::Callback(id, act)))?;
        }
        let rest = path.strip_prefix("/2025-12-01/durable-executions/")?;
        let (arn, operation) = rest.rsplit_once('/').unwrap_or((rest, ""));
        let arn = decoded(arn)?;
        match operation {
            "checkpoint" if post => Some(Self::Checkpoint(arn)),
            "stop" if post => Some(Self::Stop(arn)),
            "pause" if post => Some(Self::Pause(arn)),
            "resume" if post => Some(Self::Resume(arn)),
            "state" if get => Some(Self::State(arn)),
            "history" if get => Some(Self::History(arn)),
            "checkpoint" | "stop" | "pause" | "resume" | "state" | "history" => None,
            _ if get || *method == Method::DELETE => decoded(rest).map(Self::Execution),
            _ => None,
        }
    }
}

fn decoded(text: &str) -> Option<String> {
    let text = percent_decode_str(text).decode_utf8().ok()?;
    (!text.is_empty()).then(|| text.into_owned())
}

impl Call {
    pub(super) async fn read(request: Request, timeout: Duration) -> Result<Self, Refusal> {
        let (head, body) = request.into_parts();
        let body = read(body, MAX_BODY, timeout).await;
        let body = body.map_err(|error| match error {
            BodyError::TooLarge => Refusal::new(
                413,
                "RequestTooLargeException",
                format!("Request must be smaller than {MAX_BODY} bytes"),
            ),
            BodyError::TooSlow => Refusal::new(
                408,
                "RequestTimeoutException",
                "The body did not arrive in time",
            ),
            BodyError::Broken => {
                Refusal::new(400, "SerializationException", "The body is incomplete")
            }
        })?;
        // A plus sign stands for itself. It is a space only in form data.
        let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let raw_query = head.uri.query().unwrap_or_default().to_owned();
        let query = raw_query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                (decode(name), decode(value))
            });
        Ok(Self {
            query: query.collect(),
            raw_query,
            method: head.method,
            path: head.uri.path().to_owned(),
            headers: head.headers,
            body,
        })
    }

    /// Verifies its signature.
    pub(super) fn verify(&self, secret: &str) -> Result<(), Invalid> {
        let signed = Signed {
            method: self.method.as_str(),
            path: &self.path,
            query: &self.raw_query,
            headers: &self.headers,
            body: &self.body,
        };
        let now = i64::try_from(clock::now() / 1000).unwrap_or(i64::MAX);
        signature::verify(&signed, secret, now)
    }

    /// Returns a query parameter.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        let named = self.query.iter().find(|(key, _)| key == name);
        named.map(|(_, value)| value.as_str())
    }

    /// Returns all values of a query parameter.
    pub(super) fn parameters(&self, name: &str) -> Vec<String> {
        let named = self.query.iter().filter(|(key, _)| key == name);
        named.map(|(_, value)| value.clone()).collect()
    }

    /// Returns a query parameter that is `true` or `false`.
    pub(super) fn flag(&self, name: &str, default: bool) -> Result<bool, Refusal> {
        match self.parameter(name) {
            None | Some("") => Ok(default),
            Some(text) if text.eq_ignore_ascii_case("true") => Ok(true),
            Some(text) if text.eq_ignore_ascii_case("false") => Ok(false),
            Some(text) => Err(Refusal::validation(
                name,
                text,
                "Member must be true or false",
            )),
        }
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Parses the body as JSON; `None` if it is empty.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<Option<T>, Refusal> {
        if self.body.iter().all(u8::is_ascii_whitespace) {
            return Ok(None);
        }
        serde_json::from_slice(&self.body)
            .map(Some)
            .map_err(|error| {
                let text = format!("Could not parse request body into json: {error}");
                Refusal::new(400, "SerializationException", text)
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str =
        "arn:aws:lambda:eu-west-1:123456789012:function:f:$LATEST/durable-execution/n/i";

    #[test]
    fn encoded_arns_and_those_with_slashes_parse() {
        let encoded = ARN
            .replace(':', "%3A")
            .replace('/', "%2F")
            .replace('$', "%24");
        for arn in [ARN, &encoded] {
            let base = format!("/2025-12-01/durable-executions/{arn}");
            let route =
                |method: Method, suffix: &str| Route::of(&method, &format!("{base}{suffix}"));
            assert_eq!(route(Method::GET, ""), Some(Route::Execution(ARN.into())));
            assert_eq!(
                route(Method::DELETE, ""),
                Some(Route::Execution(ARN.into()))
            );
            assert_eq!(route(Method::GET, "/state"), Some(Route::State(ARN.into())));
            assert_eq!(
                route(Method::POST, "/checkpoint"),
                Some(Route::Checkpoint(ARN.into()))
            );
            assert_eq!(route(Method::GET, "/checkpoint"), None);
            assert_eq!(route(Method::POST, ""), None);
        }
    }

    #[test]
    fn callback_ids_keep_their_base64_characters() {
        let path = "/2025-12-01/durable-execution-callbacks/a%2Bb%2Fc%3D/succeed";
        let route = Route::of(&Method::POST, path);
        assert_eq!(
            route,
            Some(Route::Callback("a+b/c=".into(), CallbackAction::Succeed))
        );
        let bare = "/2025-12-01/durable-execution-callbacks/a+b/c=/heartbeat";
        let route = Route::of(&Method::POST, bare);
        assert_eq!(
            route,
            Some(Route::Callback("a+b/c=".into(), CallbackAction::Heartbeat))
        );
    }

    #[test]
    fn unknown_paths_are_rejected() {
        for path in [
            "/",
            "",
            "/2015-03-31/functions//invocations",
            "/2015-03-31/functions/f",
            "/2025-12-01/durable-executions/",
            "/2025-12-01/durable-executions/%ff/state",
            "/2025-12-01/durable-execution-callbacks/x",
            "/2025-12-01/../etc/passwd",
        ] {
            for method in [Method::GET, Method::POST, Method::DELETE] {
                assert_eq!(Route::of(&method, path), None, "{method} {path}");
            }
        }
    }
}
