//! HTTP server for untrusted clients: refuses slow, oversized and foreign requests.

mod body;
mod guard;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

pub(crate) use body::{BodyError, read};
pub(crate) use guard::Guard;

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
            head: Duration::from_secs(30),
            connections: 4_096,
        }
    }
}

/// Serves every connection until the returned future is dropped.
pub(crate) async fn serve(listener: TcpListener, router: Router, limits: Limits) {
    let room = Arc::new(Semaphore::new(limits.connections));
    let mut connections = tokio::task::JoinSet::new();
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
        // Answers are small and wanted at once.
        let _ = stream.set_nodelay(true);
        let service = TowerToHyperService::new(router.clone());
        while connections.try_join_next().is_some() {}
        connections.spawn(async move {
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(limits.head)
                .serve_connection(TokioIo::new(stream), service);
            // A client that hangs up is no error of the server.
            let _ = connection.await;
            drop(permit);
        });
    }
}
