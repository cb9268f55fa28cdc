//! HTTP server for untrusted clients: refuses slow, oversized and foreign requests.

mod body;
mod guard;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

pub(crate) use body::{BodyError, read};
#[cfg(feature = "lambda")]
pub(crate) use guard::Guard;
#[cfg(feature = "serve")]
pub(crate) use guard::{Foreign, check_loopback, check_origin};

/// Default time for the head of a request, and for its body.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Limits of a server's connections.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Time for the head of a request, and for the next request on an open connection.
    pub(crate) head: Duration,
    /// Concurrent connections; more of them wait.
    pub(crate) connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head: REQUEST_TIMEOUT,
            connections: 4_096,
        }
    }
}

/// Time that open requests have to end when a server stops.
const GRACE: Duration = Duration::from_secs(5);

/// Serves every connection until `stop` ends; then lets open requests end. Dropping the returned future cuts them off.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    stop: impl Future<Output = ()> + Send,
) {
    let room = Arc::new(Semaphore::new(limits.connections));
    let (stopping, stopped) = watch::channel(false);
    let mut connections = JoinSet::new();
    let accepting = async {
        loop {
            // While all permits are taken, new connections wait in the kernel's queue.
            let Ok(permit) = Arc::clone(&room).acquire_owned().await else {
                return;
            };
            let stream = match listener.accept().await {
                Ok((stream, _)) => stream,
                Err(_) => {
                    // Out of file descriptors, mostly: connections that end make room.
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    continue;
                }
            };
            while connections.try_join_next().is_some() {}
            let (router, stopped) = (router.clone(), stopped.clone());
            connections.spawn(async move {
                connection(stream, router, limits, stopped).await;
                drop(permit);
            });
        }
    };
    tokio::select! {
        () = accepting => {}
        () = stop => {}
    }
    drop(listener);
    let _ = stopping.send(true);
    let ended = async { while connections.join_next().await.is_some() {} };
    // What has not ended by then is cut off.
    let _ = tokio::time::timeout(GRACE, ended).await;
}

async fn connection(
    stream: TcpStream,
    router: Router,
    limits: Limits,
    mut stopped: watch::Receiver<bool>,
) {
    // Answers are small and wanted at once.
    let _ = stream.set_nodelay(true);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut connection = std::pin::pin!(connection);
    // A client that hangs up is no error of the server.
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = stopped.wait_for(|stopped| *stopped) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = connection.await;
}
