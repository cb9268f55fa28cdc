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
}

impl App {
    pub(crate) fn new(client: Client, options: Options) -> Self {
        Self {
            hub: Arc::new(Hub::new(client.clone(), &options)),
            client,
            options: Arc::new(options),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        SystemClock.now()
    }
}
