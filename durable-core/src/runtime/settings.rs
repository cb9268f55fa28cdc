//! Settings for running executions, independent of their handlers.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use super::observer::Observer;
use super::shutdown::Shutdown;
use crate::{Clock, SystemClock};

/// Duration of a lease without renewal.
const LEASE: Duration = Duration::from_secs(30);

/// Settings for running executions, independent of their handlers.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) clock: Arc<dyn Clock>,
    /// Timers that end within this time are awaited in memory.
    pub(crate) suspend_after: Duration,
    pub(crate) lease: Duration,
    /// How long one invocation may take, and how much of that is reserved for writing.
    pub(crate) budget: Option<(Duration, Duration)>,
    /// Shutdown of the process, if there is one to watch.
    pub(crate) shutdown: Option<Arc<Shutdown>>,
    /// Handlers whose executions are left to workers to claim, instead of running where they are invoked.
    pub(crate) worker_handlers: Arc<HashSet<&'static str>>,
    /// Observer of bodies, if there is one.
    pub(crate) observer: Option<Arc<dyn Observer>>,
}

impl Settings {
    /// Creates default settings with this limit for timers awaited in memory.
    pub(crate) fn new(suspend_after: Duration) -> Self {
        Self {
            clock: Arc::new(SystemClock),
            suspend_after,
            lease: LEASE,
            budget: None,
            observer: None,
            shutdown: None,
            worker_handlers: Arc::default(),
        }
    }

    /// Returns whether executions of this handler run where they are invoked.
    pub(crate) fn runs_inline(&self, handler: &str) -> bool {
        !self.worker_handlers.contains(handler)
    }

    /// Returns whether invocations have to end as soon as possible.
    pub(crate) fn is_shutting_down(&self) -> bool {
        self.shutdown
            .as_ref()
            .is_some_and(|shutdown| shutdown.is_raised())
    }

    /// Returns the current time.
    pub(crate) fn now(&self) -> crate::Timestamp {
        self.clock.now()
    }
}
