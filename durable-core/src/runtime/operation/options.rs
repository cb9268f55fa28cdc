//! Options of a step.

use std::time::Duration;

use super::option_values::RetryPolicy;
use crate::Retry;
use crate::engine::Conditions;
use crate::runtime::failure::Failure;

/// Options of a step or another operation with a body.
#[derive(Debug, Clone, Default)]
pub struct Options {
    retry: Option<Retry>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) at_most_once: bool,
}

/// Creates default options.
pub fn options() -> Options {
    Options::default()
}

impl Options {
    /// Sets the retry policy.
    #[must_use]
    pub fn retry<R: RetryPolicy + ?Sized>(mut self, retry: &R) -> Self {
        self.retry = Some(retry.policy());
        self
    }

    /// Limits the duration of an attempt.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Makes sure that the body of an attempt never runs twice.
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

    /// Returns the retry policy of a step without the option `retry`.
    pub(crate) fn default_retry(&self) -> Retry {
        if self.at_most_once {
            Retry::none()
        } else {
            Retry::exponential()
        }
    }

    /// Returns the retry policy after an attempt that ended with `failure`, or with a value.
    pub(crate) fn retry_after(
        self,
        failure: Option<&Failure>,
        default: fn(&Self) -> Retry,
    ) -> Retry {
        if failure.is_some_and(|failure| failure.is_final(self.at_most_once)) {
            return Retry::none();
        }
        let default = default(&self);
        self.retry.unwrap_or(default)
    }
}
