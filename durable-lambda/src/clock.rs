//! Clock of an invocation.

use std::time::Duration;

use durable_core::{BoxFuture, Clock, SystemClock, Timestamp};

use crate::wire::Operation;

/// System clock, moved forward if it is behind the service's timestamps.
///
/// Delays are sent to the service as durations, while timers carry timestamps of the service's clock. Comparing the
/// two needs a single clock.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ServiceClock {
    offset: Duration,
}

impl ServiceClock {
    /// Creates a clock that is not behind any timestamp in `operations`.
    pub(crate) fn synchronized_with(operations: &[Operation]) -> Self {
        let times = operations.iter().filter_map(Operation::latest);
        let latest = times.max().unwrap_or_default();
        Self {
            offset: latest.since(SystemClock.now()),
        }
    }

    /// Converts a time of the system clock to this clock.
    pub(crate) fn convert(&self, time: Timestamp) -> Timestamp {
        time.after(self.offset)
    }
}

impl Clock for ServiceClock {
    fn now(&self) -> Timestamp {
        self.convert(SystemClock.now())
    }

    fn sleep(&self, delay: Duration) -> BoxFuture<'static, ()> {
        SystemClock.sleep(delay)
    }
}
