//! Times at which bodies begin.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// Time of an event, with a signal for it.
pub struct Point {
    at: Mutex<Option<Instant>>,
    signal: Notify,
}

impl Point {
    /// Creates a point that has not been reached.
    pub const fn new() -> Self {
        Self {
            at: Mutex::new(None),
            signal: Notify::const_new(),
        }
    }

    /// Records the current time and wakes the benchmark.
    pub fn reach(&self) {
        if let Ok(mut at) = self.at.lock() {
            *at = Some(Instant::now());
        }
        self.signal.notify_one();
    }

    /// Waits until the point is reached and returns the time that it took from `start`.
    pub async fn reached_since(&self, start: Instant) -> Duration {
        self.signal.notified().await;
        let at = self.at.lock().ok().and_then(|at| *at);
        at.map_or(Duration::ZERO, |at| at - start)
    }
}
