//! Functions that record metrics.

use std::cell::Cell;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use metrics::{Counter, Gauge, Histogram, IntoF64, SharedString, counter, gauge, histogram};

use super::AttemptOutcome;
use super::describe::*;

impl AttemptOutcome {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Retried => "retried",
            Self::Pending => "pending",
        }
    }
}

/// Returns whether a recorder is installed. Registers the number of running executions of `handler`.
pub(crate) fn is_recording(handler: impl Into<SharedString>) -> bool {
    /// Adds nothing to a gauge. Only a real recorder reads the value.
    struct Probe<'a>(&'a Cell<bool>);

    impl IntoF64 for Probe<'_> {
        fn into_f64(self) -> f64 {
            self.0.set(true);
            0.0
        }
    }

    let recorded = Cell::new(false);
    gauge!(EXECUTIONS_RUNNING, "handler" => handler.into()).increment(Probe(&recorded));
    recorded.get()
}

pub(crate) fn execution_started(handler: &str) {
    counter!(EXECUTIONS_STARTED, "handler" => handler.to_owned()).increment(1);
}

pub(crate) fn execution_blocked(handler: &str) {
    counter!(EXECUTIONS_BLOCKED, "handler" => handler.to_owned()).increment(1);
}

/// Counts a granted lease. `took_over` says whether the previous holder died.
pub(crate) fn claimed(handler: &str, took_over: bool) {
    let outcome = if took_over { "taken_over" } else { "granted" };
    counter!(CLAIMS, "handler" => handler.to_owned(), "outcome" => outcome).increment(1);
}

/// Records the state of a queue: the executions that wait and that run, and how long the oldest one has waited.
pub(crate) fn queue_sampled(queue: &str, waiting: u64, running: u64, oldest_age: Duration) {
    let queue = SharedString::from(Arc::<str>::from(queue));
    gauge!(QUEUE_DEPTH, "queue" => queue.clone()).set(waiting as f64);
    gauge!(QUEUE_RUNNING, "queue" => queue.clone()).set(running as f64);
    gauge!(QUEUE_OLDEST_AGE, "queue" => queue).set(oldest_age);
}

/// Measures a duration, if a recorder is installed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stopwatch(Option<Instant>);

/// Counts an invocation as running until it is dropped.
pub(crate) struct RunningGuard(Gauge);

impl Drop for RunningGuard {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}

/// Metrics of one invocation.
///
/// Keeps the handles of what is recorded often: looking one up costs more than recording.
pub(crate) struct InvocationMetrics {
    handler: SharedString,
    /// Whether a recorder was installed when the invocation began.
    recording: bool,
    handles: Mutex<Handles>,
}

#[derive(Default)]
struct Handles {
    durations: Vec<(&'static str, Histogram)>,
    attempts: Vec<((&'static str, AttemptOutcome), Counter)>,
    checkpoints: Option<(Histogram, Histogram)>,
}

impl InvocationMetrics {
    pub(crate) fn new(handler: &str) -> Self {
        let handler = SharedString::from(Arc::<str>::from(handler));
        Self {
            recording: is_recording(handler.clone()),
            handler,
            handles: Mutex::default(),
        }
    }

    pub(crate) fn is_recording(&self) -> bool {
        self.recording
    }

    pub(crate) fn stopwatch(&self) -> Stopwatch {
        Stopwatch(self.recording.then(Instant::now))
    }

    fn handler(&self) -> SharedString {
        self.handler.clone()
    }

    fn handles(&self) -> MutexGuard<'_, Handles> {
        self.handles.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn running(&self) -> RunningGuard {
        let gauge = gauge!(EXECUTIONS_RUNNING, "handler" => self.handler());
        gauge.increment(1.0);
        RunningGuard(gauge)
    }

    pub(crate) fn execution_started(&self, handler: &str) {
        execution_started(handler);
    }

    pub(crate) fn execution_ended(&self, status: &'static str) {
        counter!(EXECUTIONS_ENDED, "handler" => self.handler(), "status" => status).increment(1);
    }

    pub(crate) fn execution_blocked(&self) {
        counter!(EXECUTIONS_BLOCKED, "handler" => self.handler()).increment(1);
    }

    pub(crate) fn lease_lost(&self) {
        counter!(LEASE_LOSSES, "handler" => self.handler()).increment(1);
    }

    /// Records the duration of one run of a body.
    pub(crate) fn body_ended(&self, kind: &'static str, watch: Stopwatch) {
        let Some(began) = watch.0 else {
            return;
        };
        let took = began.elapsed();
        let mut handles = self.handles();
        let register = || histogram!(STEP_DURATION, "handler" => self.handler(), "kind" => kind);
        cached(&mut handles.durations, kind, register).record(took);
    }

    /// Counts an attempt that ended.
    pub(crate) fn attempt_ended(&self, kind: &'static str, outcome: AttemptOutcome) {
        let mut handles = self.handles();
        let register = || {
            let outcome = outcome.as_str();
            counter!(STEP_ATTEMPTS, "handler" => self.handler(), "kind" => kind, "outcome" => outcome)
        };
        cached(&mut handles.attempts, (kind, outcome), register).increment(1);
    }

    pub(crate) fn interrupted(&self, kind: &'static str) {
        counter!(STEP_INTERRUPTIONS, "handler" => self.handler(), "kind" => kind).increment(1);
    }

    /// Records an acknowledged checkpoint.
    pub(crate) fn checkpoint_written(&self, records: usize, watch: Stopwatch) {
        let Some(began) = watch.0 else {
            return;
        };
        let took = began.elapsed();
        let mut handles = self.handles();
        let (durations, sizes) = handles.checkpoints.get_or_insert_with(|| {
            let durations = histogram!(CHECKPOINT_DURATION, "handler" => self.handler());
            let sizes = histogram!(CHECKPOINT_RECORDS, "handler" => self.handler());
            (durations, sizes)
        });
        durations.record(took);
        sizes.record(records as f64);
    }
}

/// Returns the handle for `key`, which `register` creates on first use. Invocations use few of them.
fn cached<K: PartialEq, H>(handles: &mut Vec<(K, H)>, key: K, register: impl FnOnce() -> H) -> &H {
    let index = match handles.iter().position(|(known, _)| *known == key) {
        Some(index) => index,
        None => {
            handles.push((key, register()));
            handles.len() - 1
        }
    };
    &handles[index].1
}
