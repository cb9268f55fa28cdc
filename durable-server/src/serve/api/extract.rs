//! Parts of requests, with errors in the format of the API.

use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::header;
use axum::http::request::Parts;
use bytes::Bytes;
use serde::de::DeserializeOwned;

use crate::serve::problem::Problem;

/// The query of a URL.
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let query = axum::extract::Query::from_request_parts(parts, state).await;
        let query = query.map_err(|error: QueryRejection| Problem::bad_request(error.body_text()));
        query.map(|axum::extract::Query(query)| Self(query))
    }
}

/// A part of the path, decoded.
pub(crate) struct Path<T>(pub(crate) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = axum::extract::Path::from_request_parts(parts, state).await;
        let path = path.map_err(|error| Problem::bad_request(error.body_text()));
        path.map(|axum::extract::Path(path)| Self(path))
    }
}

/// A form of the page.
pub(crate) struct Form<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Form<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let form = axum::extract::Form::from_request(request, state).await;
        let form = form.map_err(|error: FormRejection| Problem::bad_request(error.body_text()));
        form.map(|axum::extract::Form(form)| Self(form))
    }
}

/// A body of JSON.
///
/// Its type must be given: a form of another page cannot be sent as `application/json`.
pub(crate) struct Input<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Input<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let kind = request.headers().get(header::CONTENT_TYPE);
        let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let essence = kind.split(';').next().unwrap_or_default().trim();
        if !essence.eq_ignore_ascii_case("application/json") {
            return Err(Problem::unsupported(kind));
        }
        let body = Bytes::from_request(request, state).await;
        let body = body.map_err(|error| Problem::bad_request(error.body_text()))?;
        let invalid = |error: serde_json::Error| {
            Problem::bad_request(format!("the body is not what is expected: {error}"))
        };
        // Values are kept as text and read again later, so the depth of all of them is checked here.
        serde_json::from_slice::<serde_json::Value>(&body).map_err(invalid)?;
        serde_json::from_slice(&body).map(Self).map_err(invalid)
    }
}
