//! When a failed attempt is repeated.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

type Predicate = Arc<dyn Fn(&(dyn Error + 'static)) -> bool + Send + Sync>;

/// When a failed attempt of a step is repeated, and after what delay.
///
/// Without an option of its own a step uses [`Retry::exponential`]; `at_most_once` steps use
/// [`Retry::none`]. Delays are durable timers: nothing is held in memory for a long one.
///
/// ```
/// use std::time::Duration;
/// use durable_core::Retry;
///
/// let patient = Retry::exponential().attempts(20).max_delay(Duration::from_secs(3600));
/// let only_io = Retry::fixed(Duration::from_secs(1))
///     .attempts(3)
///     .when(|error| error.is::<std::io::Error>());
/// # let _ = (patient, only_io);
/// ```
#[derive(Clone)]
pub struct Retry {
    attempts: u32,
    backoff: Backoff,
    when: Option<Predicate>,
}

impl Retry {
    /// 6 attempts; delays of 5 s, doubling up to 60 s, each drawn between zero and that (full jitter).
    pub fn exponential() -> Self {
        Self {
            attempts: 6,
            backoff: Backoff::exponential(Duration::from_secs(5))
                .max_delay(Duration::from_secs(60))
                .full_jitter(),
            when: None,
        }
    }

    /// 6 attempts with the same delay between them.
    pub fn fixed(delay: Duration) -> Self {
        Self {
            backoff: Backoff::fixed(delay),
            ..Self::exponential()
        }
    }

    /// One attempt.
    pub fn none() -> Self {
        Self::fixed(Duration::ZERO).attempts(1)
    }

    /// The same with this many attempts in all; zero counts as one.
    #[must_use]
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts.max(1);
        self
    }

    /// The same with other delays.
    #[must_use]
    pub fn backoff(mut self, backoff: impl Into<Backoff>) -> Self {
        self.backoff = backoff.into();
        self
    }

    /// The same with this delay after the first attempt.
    #[must_use]
    pub fn first_delay(mut self, delay: Duration) -> Self {
        self.backoff.first = delay;
        self
    }

    /// The same with delays that grow by this factor; less than one counts as one.
    #[must_use]
    pub fn factor(mut self, factor: f64) -> Self {
        self.backoff = self.backoff.factor(factor);
        self
    }

    /// The same with no delay longer than this.
    #[must_use]
    pub fn max_delay(mut self, delay: Duration) -> Self {
        self.backoff = self.backoff.max_delay(delay);
        self
    }

    /// The same with exact delays instead of drawn ones.
    #[must_use]
    pub fn no_jitter(mut self) -> Self {
        self.backoff.jitter = false;
        self
    }

    /// The same, but an error that the predicate does not accept is final.
    ///
    /// The error is the one the body returned, so it can be downcast. Timeouts and panics are
    /// always accepted.
    #[must_use]
    pub fn when(
        mut self,
        accept: impl Fn(&(dyn Error + 'static)) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.when = Some(Arc::new(accept));
        self
    }

    /// The delay after the `attempt`-th attempt failed, or `None` when that was the last.
    ///
    /// `draw` is a number from 0 to 1 that the jitter is taken from.
    pub(crate) fn delay(&self, attempt: u32, draw: f64) -> Option<Duration> {
        (attempt < self.attempts).then(|| self.backoff.delay(attempt, draw))
    }

    /// Whether an error of the body's may be retried at all.
    pub(crate) fn accepts(&self, error: &(dyn Error + 'static)) -> bool {
        self.when.as_ref().is_none_or(|accept| accept(error))
    }
}

impl fmt::Debug for Retry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Retry")
            .field("attempts", &self.attempts)
            .field("backoff", &self.backoff)
            .field("when", &self.when.is_some())
            .finish()
    }
}

/// Delays between repetitions.
///
/// A plain [`Duration`] is a backoff that never grows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Backoff {
    first: Duration,
    factor: f64,
    max: Duration,
    jitter: bool,
}

impl Backoff {
    /// The same delay every time.
    pub fn fixed(delay: Duration) -> Self {
        Self {
            first: delay,
            factor: 1.0,
            max: delay,
            jitter: false,
        }
    }

    /// Delays that double, up to an hour.
    pub fn exponential(first: Duration) -> Self {
        Self {
            first,
            factor: 2.0,
            max: Duration::from_secs(3600),
            jitter: false,
        }
    }

    /// The same with delays that grow by this factor; less than one counts as one.
    #[must_use]
    pub fn factor(mut self, factor: f64) -> Self {
        self.factor = factor.max(1.0);
        self
    }

    /// The same with no delay longer than this.
    #[must_use]
    pub fn max_delay(mut self, delay: Duration) -> Self {
        self.max = delay;
        self
    }

    /// The same with every delay drawn between zero and what it would be.
    #[must_use]
    pub fn full_jitter(mut self) -> Self {
        self.jitter = true;
        self
    }

    /// The delay after the `attempt`-th repetition, from 1.
    pub(crate) fn delay(&self, attempt: u32, draw: f64) -> Duration {
        let exponent = i32::try_from(attempt.saturating_sub(1)).unwrap_or(i32::MAX);
        let grown = self.first.as_secs_f64() * self.factor.powi(exponent);
        let base = grown.min(self.max.as_secs_f64());
        let seconds = if self.jitter { base * draw } else { base };
        Duration::try_from_secs_f64(seconds).unwrap_or(self.max)
    }
}

impl From<Duration> for Backoff {
    fn from(delay: Duration) -> Self {
        Self::fixed(delay)
    }
}
