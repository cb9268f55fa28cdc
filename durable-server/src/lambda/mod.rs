//! A local AWS Lambda with the durable execution API.
//!
//! The server runs unmodified functions as processes. Each process polls its own Runtime API and
//! finds the durable API through `AWS_ENDPOINT_URL_LAMBDA`. Executions are stored in a SQLite file,
//! and a restarted server resumes them.

mod api;
mod clock;
mod db;
mod engine;
mod functions;
mod options;
mod registry;
mod service;
#[cfg(feature = "serve")]
mod store;

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::http::Limits;

pub use options::{File, Function, Options, OptionsError, Output, PORT, Quotas, State};

use engine::Engine;

/// Path of the page, which no operation of the API has.
#[cfg(feature = "serve")]
const PAGE: &str = "/durable";

/// Error returned when a server cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// The settings are invalid.
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// The state cannot be opened or read.
    #[error("{0}")]
    State(String),
    /// The server cannot listen on the address.
    #[error("cannot listen on {address}: {error}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Error of the operating system.
        error: std::io::Error,
    },
    /// The folder for logs of functions is not writable.
    #[error("cannot write the logs of functions: {0}")]
    Logs(std::io::Error),
}

impl From<db::DbError> for ServerError {
    fn from(error: db::DbError) -> Self {
        Self::State(error.to_string())
    }
}

/// A running server. Dropping it ends the server and its functions.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    engine: Arc<Engine>,
    tasks: Vec<JoinHandle<()>>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
        self.engine.close();
    }
}

impl Server {
    /// Starts a server and resumes the executions in its state.
    ///
    /// # Errors
    ///
    /// Returns an error if the settings are invalid, the state is unusable, or the address is in use.
    pub async fn start(options: Options) -> Result<Self, ServerError> {
        options.check()?;
        let listen = |error| ServerError::Listen {
            address: options.listen,
            error,
        };
        let listener = TcpListener::bind(options.listen).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let engine = Engine::open(options, address).await?;
        // Before the API is served, as executions started since would be resumed too.
        engine.resume().await?;
        let router = api::router(Arc::clone(&engine));
        #[cfg(feature = "serve")]
        let router = match store::page(&engine) {
            Some(page) => axum::Router::new().nest(PAGE, page).merge(router),
            None => router,
        };
        let limits = Limits {
            head: engine.request_timeout,
            ..Limits::default()
        };
        let api = crate::http::serve(listener, router, limits, std::future::pending());
        let tasks = vec![
            tokio::spawn(api),
            tokio::spawn(Arc::clone(&engine).housekeeping()),
        ];
        Ok(Self {
            address,
            engine,
            tasks,
        })
    }

    /// Address of the API.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// URL of the page that shows the executions; none if the access key is too short for a token.
    #[cfg(feature = "serve")]
    pub fn page(&self) -> Option<String> {
        store::page(&self.engine).map(|_| self.url() + PAGE)
    }

    /// URL that clients and functions use.
    pub fn url(&self) -> String {
        url(self.address)
    }
}

/// The URL of a server that listens on `address`.
fn url(address: SocketAddr) -> String {
    if address.ip().is_unspecified() {
        return format!("http://127.0.0.1:{}", address.port());
    }
    format!("http://{address}")
}
