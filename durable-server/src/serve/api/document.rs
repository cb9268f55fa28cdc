//! The OpenAPI document.

use axum::Extension;
use axum::response::{IntoResponse, Json, Response};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    ComponentsBuilder, InfoBuilder, OpenApi, OpenApiBuilder, SecurityRequirement, Server,
};

use crate::serve::problem::Problem;
use crate::serve::security::Base;

const DESCRIPTION: &str = "Starts, lists and manages durable executions. Objects are those that the `durable` command prints with `--json`. \
                           Errors are `application/problem+json` (RFC 9457).";

/// What is not about a single operation.
pub(super) fn head() -> OpenApi {
    let info = InfoBuilder::new()
        .title("Durable executions")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(DESCRIPTION))
        .build();
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("Needed where the server was started with a token."))
        .build();
    let components = ComponentsBuilder::new()
        .schema_from::<Problem>()
        .security_scheme("token", SecurityScheme::Http(bearer))
        .build();
    let none: [&str; 0] = [];
    OpenApiBuilder::new()
        .info(info)
        .components(Some(components))
        .security(Some([
            SecurityRequirement::default(),
            SecurityRequirement::new("token", none),
        ]))
        .build()
}

/// The handler that answers with the document; paths start where the router is mounted.
pub(super) fn serve(
    document: OpenApi,
) -> impl Clone + Send + Sync + 'static + Fn(Extension<Base>) -> std::future::Ready<Response> {
    move |Extension(Base(base))| {
        let mut document = document.clone();
        let url = if base.is_empty() { "/" } else { &base };
        document.servers = Some(vec![Server::new(url)]);
        std::future::ready(Json(document).into_response())
    }
}
