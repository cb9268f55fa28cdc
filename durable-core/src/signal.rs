//! Who asks a process to stop.

/// Ends when the process is asked to stop: by SIGTERM or SIGINT, elsewhere by Ctrl-C.
///
/// Where no signal can be listened for, that is logged and it never ends.
pub(crate) async fn asked_to_stop() {
    if let Err(error) = listen().await {
        tracing::error!(%error, "cannot listen for signals: the worker stops only when it is killed");
        std::future::pending::<()>().await;
    }
}

#[cfg(unix)]
async fn listen() -> std::io::Result<()> {
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
async fn listen() -> std::io::Result<()> {
    tokio::signal::ctrl_c().await
}
