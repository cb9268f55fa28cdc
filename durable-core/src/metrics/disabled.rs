//! Empty functions for builds without the feature `metrics`.

use std::time::Duration;

use super::AttemptOutcome;

pub(crate) fn describe() {}

pub(crate) fn is_recording(_handler: &'static str) -> bool {
    false
}

pub(crate) fn execution_started(_handler: &str) {}

pub(crate) fn execution_blocked(_handler: &str) {}

pub(crate) fn claimed(_handler: &str, _took_over: bool) {}

pub(crate) fn queue_sampled(_queue: &str, _waiting: u64, _running: u64, _oldest_age: Duration) {}

/// Measures a duration.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stopwatch;

/// Counts an invocation as running until it is dropped.
pub(crate) struct RunningGuard;

/// Metrics of one invocation.
pub(crate) struct InvocationMetrics;

impl InvocationMetrics {
    pub(crate) fn new(_handler: &str) -> Self {
        Self
    }

    pub(crate) fn is_recording(&self) -> bool {
        false
    }

    pub(crate) fn stopwatch(&self) -> Stopwatch {
        Stopwatch
    }

    pub(crate) fn running(&self) -> RunningGuard {
        RunningGuard
    }

    pub(crate) fn execution_started(&self, _handler: &str) {}

    pub(crate) fn execution_ended(&self, _status: &'static str) {}

    pub(crate) fn execution_blocked(&self) {}

    pub(crate) fn lease_lost(&self) {}

    pub(crate) fn body_ended(&self, _kind: &'static str, _watch: Stopwatch) {}

    pub(crate) fn attempt_ended(&self, _kind: &'static str, _outcome: AttemptOutcome) {}

    pub(crate) fn interrupted(&self, _kind: &'static str) {}

    pub(crate) fn checkpoint_written(&self, _records: usize, _watch: Stopwatch) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_the_feature_metrics_take_no_space() {
        assert_eq!(size_of::<InvocationMetrics>(), 0);
        assert_eq!(size_of::<Stopwatch>(), 0);
        assert!(!std::mem::needs_drop::<RunningGuard>());
    }
}
