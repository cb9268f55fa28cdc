//! Measures whether an operation is quick enough for the thread of a task.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Moving average of the time that an operation takes, and the most that it may take.
#[derive(Debug)]
pub(crate) struct Pace {
    nanoseconds: AtomicU64,
    limit: Duration,
}

impl Pace {
    pub(crate) fn new(limit: Duration) -> Self {
        Self {
            nanoseconds: AtomicU64::new(0),
            limit,
        }
    }

    /// Whether the operation takes no longer than the limit on average. True before the first one.
    pub(crate) fn is_quick(&self) -> bool {
        u128::from(self.nanoseconds.load(Ordering::Relaxed)) <= self.limit.as_nanos()
    }

    /// Records how long an operation took.
    pub(crate) fn record(&self, took: Duration) {
        let took = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let before = self.nanoseconds.load(Ordering::Relaxed);
        let average = before - before / 8 + took / 8;
        self.nanoseconds.store(average, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_operation_is_forgotten_after_some_quick_ones() {
        let pace = Pace::new(Duration::from_millis(1));
        assert!(pace.is_quick());
        pace.record(Duration::from_millis(20));
        assert!(!pace.is_quick());
        (0..8).for_each(|_| pace.record(Duration::from_micros(100)));
        assert!(pace.is_quick());
    }
}
