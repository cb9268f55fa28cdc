//! Options of a step.

use std::time::Duration;

use super::given::RetryPolicy;
use crate::Retry;
use crate::engine::Conditions;

/// How a body is to be run.
#[derive(Debug, Clone, Default)]
pub struct Options {
    retry: Option<Retry>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) at_most_once: bool,
}

/// The options of a step that gives none.
pub fn options() -> Options {
    Options::default()
}

impl Options {
    /// Repeats failed attempts like this.
    #[must_use]
    pub fn retry<R: RetryPolicy + ?Sized>(mut self, retry: &R) -> Self {
        self.retry = Some(retry.policy());
        self
    }

    /// Gives up an attempt that takes longer.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Never runs an attempt's body a second time.
    #[must_use]
    pub fn at_most_once(mut self) -> Self {
        self.at_most_once = true;
        self
    }

    pub(crate) fn conditions(&self) -> Conditions {
        Conditions {
            at_most_once: self.at_most_once,
            timeout: self.timeout,
        }
    }

    /// What a step does that says nothing about retries.
    pub(crate) fn default_retry(&self) -> Retry {
        if self.at_most_once {
            Retry::none()
        } else {
            Retry::exponential()
        }
    }

    pub(crate) fn retry_or(self, default: Retry) -> Retry {
        self.retry.unwrap_or(default)
    }
}
