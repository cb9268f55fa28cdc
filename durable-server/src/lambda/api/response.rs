//! Responses in the format of AWS clients.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Response, StatusCode};
use serde_json::json;
use uuid::Uuid;

use crate::lambda::service::Refusal;

/// Builds a response with a JSON body.
pub(super) fn json_text(status: u16, body: impl Into<Body>) -> Response<Body> {
    with_headers(status, body, &[])
}

/// Builds a response with additional headers. Headers with invalid values are omitted.
pub(super) fn with_headers(
    status: u16,
    body: impl Into<Body>,
    headers: &[(&'static str, &str)],
) -> Response<Body> {
    let mut response = Response::new(body.into());
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let id = Uuid::new_v4().to_string();
    let common = [
        ("content-type", "application/json"),
        ("x-amzn-requestid", &*id),
    ];
    for (name, value) in common.iter().chain(headers) {
        if let Ok(value) = HeaderValue::from_str(value) {
            let name = HeaderName::from_static(name);
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// Builds an error response. Its code and message are repeated, as clients of different languages
/// read them from different fields.
pub(super) fn refuse(refusal: &Refusal) -> Response<Body> {
    let by = match refusal.status < 500 {
        true => "User",
        false => "Service",
    };
    let body = json!({
        "__type": refusal.code,
        "Type": by,
        "message": refusal.message,
        "Message": refusal.message,
    });
    let headers = [("x-amzn-errortype", refusal.code)];
    with_headers(refusal.status, body.to_string(), &headers)
}
