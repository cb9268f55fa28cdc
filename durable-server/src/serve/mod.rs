//! A page for people and an API for programs, over the store of a [`Client`].

mod api;
mod events;
mod options;
mod page;
mod problem;
mod security;
mod server;
mod state;
#[cfg(test)]
mod tests;

pub use options::{Access, InvalidToken, Options, Token};
pub use server::{ServeError, Server};

use axum::{Router, middleware};
use durable_core::Client;

use state::App;

/// Routes of the page and of the API, to be mounted under any path of an axum app.
///
/// | path | contents |
/// |---|---|
/// | `/` | the page |
/// | `/api/…` | the API, described by `/api/openapi.json` |
/// | `/metrics` | numbers for Prometheus |
/// | `/healthz` | `ok`, while the store answers |
///
/// [`Options::access`] decides which requests are answered. Streams of events are fed by a Tokio task that runs while
/// there are any.
///
/// ```
/// # async fn f() {
/// use axum::Router;
/// use durable_core::{Client, store::MemoryStore};
/// use durable_server::{Access, Options, router};
///
/// let client = Client::new(MemoryStore::new());
/// // The app around it lets only administrators through.
/// let options = Options { access: Access::Embedded, ..Options::default() };
/// let app: Router = Router::new().nest("/durable", router(client, options));
/// # let _ = app;
/// # }
/// ```
pub fn router(client: Client, options: Options) -> Router {
    routes(App::new(client, options))
}

/// Routes over the executions of the local Lambda.
#[cfg(feature = "lambda")]
pub(crate) fn lambda_router(client: Client, options: Options) -> Router {
    routes(App {
        backend: state::Backend::Lambda,
        ..App::new(client, options)
    })
}

fn routes(app: App) -> Router {
    let all = page::router().merge(api::router());
    all.method_not_allowed_fallback(page::wrong_method)
        .layer(middleware::from_fn_with_state(app.clone(), security::guard))
        .with_state(app)
}
