//! Signals that stop the process.

/// Installs handlers for the signals to stop, and returns a future that ends with the first of them. Called before the
/// process says that it is ready, so that no signal after that ends the process at once.
pub(crate) fn shutdown() -> impl Future<Output = ()> {
    #[cfg(unix)]
    let handlers = {
        use tokio::signal::unix::{SignalKind, signal};
        let interrupt = signal(SignalKind::interrupt());
        interrupt.and_then(|interrupt| Ok((interrupt, signal(SignalKind::terminate())?)))
    };
    async move {
        #[cfg(unix)]
        if let Ok((mut interrupt, mut terminate)) = handlers {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            return;
        }
        // If no handler can be installed, the signal ends the process.
        let _ = tokio::signal::ctrl_c().await;
    }
}
