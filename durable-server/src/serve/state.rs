//! State shared by all requests.

use std::sync::Arc;

use durable_core::{Client, Clock, SystemClock, Timestamp};

use super::Options;
use super::events::Hub;

/// State of the router.
#[derive(Clone)]
pub(crate) struct App {
    pub(crate) client: Client,
    pub(crate) options: Arc<Options>,
    pub(crate) hub: Arc<Hub>,
    pub(crate) backend: Backend,
}

/// What runs the executions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Backend {
    /// Workers.
    #[default]
    Workers,
    /// Functions of the local Lambda. Its executions start with `Invoke` and cannot be run again.
    #[cfg(feature = "lambda")]
    Lambda,
}

impl Backend {
    pub(crate) const fn is_lambda(self) -> bool {
        !matches!(self, Self::Workers)
    }
}

impl App {
    pub(crate) fn new(client: Client, options: Options) -> Self {
        Self {
            hub: Arc::new(Hub::new(client.clone(), &options)),
            client,
            options: Arc::new(options),
            backend: Backend::default(),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        SystemClock.now()
    }
}
