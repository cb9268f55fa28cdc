//! The page and the API, served by themselves.

use std::net::SocketAddr;
use std::sync::Arc;

use durable_core::Client;
use tokio::net::TcpListener;

use super::state::App;
use super::{Access, Options, routes};
use crate::http::{Limits, serve};

/// Port that is used unless another one is given.
const PORT: u16 = 8420;

/// A server that listens. [`Server::run`] answers requests.
///
/// ```no_run
/// # async fn f() -> Result<(), Box<dyn std::error::Error>> {
/// use durable_core::{Client, store::MemoryStore};
/// use durable_server::{Options, Server};
///
/// let client = Client::new(MemoryStore::new());
/// let server = Server::bind(client, Options::default(), Server::ADDRESS).await?;
/// println!("{}", server.url());
/// server.run(std::future::pending()).await;
/// # Ok(()) }
/// ```
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    app: App,
}

/// Error returned when a server cannot listen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// Other machines could reach a server without a token.
    #[error(
        "{0} can be reached from other machines: give the server a token, or let it listen on 127.0.0.1"
    )]
    Open(SocketAddr),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {error}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        error: std::io::Error,
    },
}

impl Server {
    /// The address that is used unless another one is given.
    pub const ADDRESS: SocketAddr =
        SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), PORT);

    /// Listens on an address.
    ///
    /// # Errors
    ///
    /// [`ServeError::Open`] for an address other than loopback without a token, [`ServeError::Listen`].
    pub async fn bind(
        client: Client,
        options: Options,
        address: SocketAddr,
    ) -> Result<Self, ServeError> {
        if !address.ip().is_loopback() && !matches!(options.access, Access::Token(_)) {
            return Err(ServeError::Open(address));
        }
        let failed = |error| ServeError::Listen { address, error };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self {
            listener,
            address,
            app: App::new(client, options),
        })
    }

    /// Address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// URL of the page.
    pub fn url(&self) -> String {
        if self.address.ip().is_unspecified() {
            return format!("http://127.0.0.1:{}/", self.address.port());
        }
        format!("http://{}/", self.address)
    }

    /// Answers requests until `stop` ends. Open requests have five seconds to end then.
    pub async fn run(self, stop: impl Future<Output = ()> + Send) {
        let hub = Arc::clone(&self.app.hub);
        let stop = async {
            stop.await;
            // Streams of events never end by themselves.
            hub.close();
        };
        let limits = Limits {
            head: self.app.options.request_timeout,
            ..Limits::default()
        };
        serve(self.listener, routes(self.app), limits, stop).await;
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Server").field(&self.address).finish()
    }
}
