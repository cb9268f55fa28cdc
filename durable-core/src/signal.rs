//! Shutdown signals of the process.

/// Completes when the process receives SIGTERM or SIGINT, or Ctrl-C on other platforms.
///
/// Logs an error and never completes if signals cannot be received.
pub(crate) async fn shutdown_requested() {
    if let Err(error) = receive().await {
        tracing::error!(%error, "cannot receive signals: the worker runs until it is killed");
        std::future::pending::<()>().await;
    }
}

#[cfg(unix)]
async fn receive() -> std::io::Result<()> {
    use std::task::Poll;
    use tokio::signal::unix::{SignalKind, signal};

    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    std::future::poll_fn(|cx| match terminate.poll_recv(cx) {
        Poll::Ready(_) => Poll::Ready(Ok(())),
        Poll::Pending => interrupt.poll_recv(cx).map(|_| Ok(())),
    })
    .await
}

#[cfg(not(unix))]
async fn receive() -> std::io::Result<()> {
    tokio::signal::ctrl_c().await
}
