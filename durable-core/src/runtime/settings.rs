//! How executions are run, whatever their handlers are.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use super::observer::Observer;
use super::shutdown::Shutdown;
use crate::{Clock, SystemClock};

/// How long a lease lasts without being renewed.
const LEASE: Duration = Duration::from_secs(30);

/// How executions are run, whatever their handlers are.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) suspend_after: Duration,
    pub(crate) lease: Duration,
    /// How long one invocation may take, and what of that is held back.
    pub(crate) budget: Option<(Duration, Duration)>,
    /// Tells invocations that their process is to end.
    pub(crate) stopping: Option<Arc<Shutdown>>,
    /// Handlers whose executions are run by whoever claims them, not where they are invoked.
    pub(crate) elsewhere: Arc<HashSet<&'static str>>,
    /// Who watches the bodies, if anybody does.
    pub(crate) observer: Option<Arc<dyn Observer>>,
}

impl Settings {
    /// The usual settings with this limit of what is waited for in memory.
    pub(crate) fn new(suspend_after: Duration) -> Self {
        Self {
            clock: Arc::new(SystemClock),
            suspend_after,
            lease: LEASE,
            budget: None,
            observer: None,
            stopping: None,
            elsewhere: Arc::default(),
        }
    }

    /// Whether an execution that this handler is invoked as is run by whoever invokes it.
    pub(crate) fn runs_here(&self, handler: &str) -> bool {
        !self.elsewhere.contains(handler)
    }

    /// Whether invocations are to end as soon as they can.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping
            .as_ref()
            .is_some_and(|stopping| stopping.is_raised())
    }

    /// What time it is.
    pub(crate) fn now(&self) -> crate::Timestamp {
        self.clock.now()
    }
}
