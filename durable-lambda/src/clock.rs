//! The time that an invocation goes by.

use std::time::Duration;

use durable_core::{BoxFuture, Clock, SystemClock, Timestamp};

use crate::wire::Operation;

/// The machine's clock, set right where it is behind what the service has written already.
///
/// Delays are sent as lengths and timers have the service's times, so both have to be of one clock.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ServiceClock {
    behind: Duration,
}

impl ServiceClock {
    /// A clock that no time in these operations is ahead of.
    pub(crate) fn after(operations: &[Operation]) -> Self {
        let times = operations.iter().filter_map(Operation::latest);
        let latest = times.max().unwrap_or_default();
        Self {
            behind: latest.since(SystemClock.now()),
        }
    }

    /// The time that the machine's clock will show then, on this one.
    pub(crate) fn correct(&self, time: Timestamp) -> Timestamp {
        time.after(self.behind)
    }
}

impl Clock for ServiceClock {
    fn now(&self) -> Timestamp {
        self.correct(SystemClock.now())
    }

    fn sleep(&self, delay: Duration) -> BoxFuture<'static, ()> {
        SystemClock.sleep(delay)
    }
}
