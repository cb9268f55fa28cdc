//! Options of a step.

use std::time::Duration;

use crate::Retry;

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
    pub fn retry(mut self, retry: Retry) -> Self {
        self.retry = Some(retry);
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

    pub(crate) fn into_retry(self) -> Retry {
        match self.retry {
            Some(retry) => retry,
            None if self.at_most_once => Retry::none(),
            None => Retry::exponential(),
        }
    }
}
