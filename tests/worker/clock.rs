//! A clock for tests whose time is paused.

use std::sync::Arc;
use std::time::Duration;

use durable::{BoxFuture, Clock, Timestamp};
use tokio::time::Instant;

/// Follows tokio's clock, which a paused runtime advances whenever nothing runs. Only for stores in memory: a paused
/// runtime does not wait for other threads.
pub(crate) struct PausedClock(Instant);

impl PausedClock {
    pub(crate) fn shared() -> Arc<dyn Clock> {
        Arc::new(Self(Instant::now()))
    }
}

impl Clock for PausedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_800_000_000_000).after(self.0.elapsed())
    }

    fn sleep(&self, delay: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(delay))
    }
}
