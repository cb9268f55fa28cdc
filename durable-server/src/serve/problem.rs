//! Errors of the API: what went wrong, where, and what to do.

use std::collections::BTreeMap;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use durable_core::store::{StoreError, StoreErrorKind};
use durable_core::{InvalidExecutionId, RunError};
use serde::Serialize;
use utoipa::openapi::{self, ContentBuilder, RefOr, ResponseBuilder};

/// An error in the format of RFC 9457.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub(crate) struct Problem {
    /// The class of the error, in a few words.
    pub(crate) title: &'static str,
    /// Status code of the response.
    pub(crate) status: u16,
    /// What was tried, where, and why it failed.
    pub(crate) detail: String,
    /// What to do about it.
    pub(crate) help: &'static str,
}

/// The error responses that every operation of the API has.
impl utoipa::IntoResponses for Problem {
    fn responses() -> BTreeMap<String, RefOr<openapi::Response>> {
        let response = |description: &str| {
            let content = ContentBuilder::new()
                .schema(Some(openapi::Ref::from_schema_name("Problem")))
                .build();
            ResponseBuilder::new()
                .description(description)
                .content("application/problem+json", content)
                .build()
                .into()
        };
        BTreeMap::from([
            (
                "4XX".to_owned(),
                response("The request cannot be answered."),
            ),
            (
                "5XX".to_owned(),
                response("The server or its store failed."),
            ),
        ])
    }
}

impl Problem {
    fn new(
        status: StatusCode,
        title: &'static str,
        help: &'static str,
        detail: impl ToString,
    ) -> Self {
        Self {
            title,
            status: status.as_u16(),
            detail: detail.to_string(),
            help,
        }
    }

    pub(crate) fn bad_request(detail: impl ToString) -> Self {
        let help = "Correct the request; /api/openapi.json describes it.";
        Self::new(
            StatusCode::BAD_REQUEST,
            "The request is invalid.",
            help,
            detail,
        )
    }

    pub(crate) fn not_found(detail: impl ToString) -> Self {
        let help = "Check the name or the id; the listing shows what exists.";
        Self::new(
            StatusCode::NOT_FOUND,
            "There is no such thing.",
            help,
            detail,
        )
    }

    pub(crate) fn no_route(path: &str) -> Self {
        let help = "/api/openapi.json lists all paths.";
        let detail = format!("no page or operation at {path}");
        Self::new(
            StatusCode::NOT_FOUND,
            "There is no such path.",
            help,
            detail,
        )
    }

    pub(crate) fn wrong_method(path: &str) -> Self {
        let help = "/api/openapi.json lists the methods of each path.";
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "The path does not have this method.",
            help,
            format!("wrong method for {path}"),
        )
    }

    pub(crate) fn forbidden(detail: impl ToString) -> Self {
        let help = "Send the request from a program or from the page of this server, to the address it listens on.";
        Self::new(
            StatusCode::FORBIDDEN,
            "The request is refused.",
            help,
            detail,
        )
    }

    pub(crate) fn unauthorized() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "The token is missing or wrong.",
            "Send the token of the server as `Authorization: Bearer TOKEN`, or log in at /login.",
            "this server was started with a token",
        )
    }

    pub(crate) fn too_large(limit: usize) -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "The body is too large.",
            "Keep large values elsewhere and send a reference to them.",
            format!("the body is larger than {limit} bytes"),
        )
    }

    pub(crate) fn too_slow() -> Self {
        Self::new(
            StatusCode::REQUEST_TIMEOUT,
            "The body arrives too slowly.",
            "Send the request again.",
            "the body did not arrive in time",
        )
    }

    pub(crate) fn unsupported(kind: &str) -> Self {
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "The body is not JSON.",
            "Send JSON with the header `Content-Type: application/json`.",
            format!("the content type of the body is {kind:?}"),
        )
    }

    pub(crate) fn conflict(detail: impl ToString) -> Self {
        Self::new(
            StatusCode::CONFLICT,
            "The state does not allow it.",
            "Look at the execution again, and decide anew.",
            detail,
        )
    }

    /// An action that the kind of execution does not have.
    pub(crate) fn impossible(detail: impl ToString, help: &'static str) -> Self {
        Self::new(StatusCode::CONFLICT, "This is not possible.", help, detail)
    }

    pub(crate) fn internal(detail: impl ToString) -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "The server failed.",
            "Report this.",
            detail,
        )
    }

    pub(crate) fn busy(detail: impl ToString) -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "The server is busy.",
            "Try again later.",
            detail,
        )
    }

    pub(crate) fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let kind = [(header::CONTENT_TYPE, "application/problem+json")];
        let mut response = (self.status(), kind, body).into_response();
        response.extensions_mut().insert(self.clone());
        if self.status() == StatusCode::UNAUTHORIZED {
            let bearer = header::HeaderValue::from_static("Bearer");
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, bearer);
        }
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let (status, title, help) = match error.kind() {
            StoreErrorKind::NotFound => return Self::not_found(error),
            StoreErrorKind::AlreadyExists
            | StoreErrorKind::Conflict
            | StoreErrorKind::FenceLost
            | StoreErrorKind::Leased => (
                StatusCode::CONFLICT,
                "The state does not allow it.",
                "Look at the execution again, and decide anew.",
            ),
            StoreErrorKind::TooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "The value is over a limit of the store.",
                "Keep large values elsewhere and send a reference to them.",
            ),
            StoreErrorKind::Unavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                "The store is not available.",
                "Try again later.",
            ),
            StoreErrorKind::Corrupt => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "What is stored cannot be read.",
                "See the guide on guarantees about damaged stores.",
            ),
            StoreErrorKind::Unsupported => (
                StatusCode::NOT_IMPLEMENTED,
                "The store does not support it.",
                "Use a store that does.",
            ),
            _ => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "The store cannot be used.",
                "Check how the server was started.",
            ),
        };
        let mut detail = error.to_string();
        let mut cause = std::error::Error::source(&error);
        while let Some(error) = cause {
            detail += &format!(": {error}");
            cause = error.source();
        }
        Self::new(status, title, help, detail)
    }
}

impl From<RunError> for Problem {
    fn from(error: RunError) -> Self {
        match error {
            RunError::Store(error) => error.into(),
            RunError::IdInUse(detail) => Self::new(
                StatusCode::CONFLICT,
                "The id is taken.",
                "Choose another id.",
                detail,
            ),
            error => Self::bad_request(error),
        }
    }
}

impl From<InvalidExecutionId> for Problem {
    fn from(error: InvalidExecutionId) -> Self {
        Self::bad_request(error)
    }
}
