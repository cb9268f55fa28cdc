//! Retry policies.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

type Predicate = Arc<dyn Fn(&(dyn Error + 'static)) -> bool + Send + Sync>;

/// Retry policy of a step: which errors are retried, how often and after what delay.
///
/// The default is [`Retry::exponential`], and [`Retry::none`] for `at_most_once` steps. Delays are durable
/// timers: long ones keep nothing in memory.
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
    /// 6 attempts with exponential backoff: delays of up to 5 s, doubling up to 60 s, each drawn between zero
    /// and that maximum (full jitter).
    pub fn exponential() -> Self {
        Self {
            attempts: 6,
            backoff: Backoff::exponential(Duration::from_secs(5))
                .max_delay(Duration::from_secs(60))
                .full_jitter(),
            when: None,
        }
    }

    /// 6 attempts with a fixed delay between them.
    pub fn fixed(delay: Duration) -> Self {
        Self {
            backoff: Backoff::fixed(delay),
            ..Self::exponential()
        }
    }

    /// One attempt, no retries.
    pub fn none() -> Self {
        Self::fixed(Duration::ZERO).attempts(1)
    }

    /// Sets the total number of attempts; zero counts as one.
    #[must_use]
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts.max(1);
        self
    }

    /// Sets the delays between attempts.
    #[must_use]
    pub fn backoff(mut self, backoff: impl Into<Backoff>) -> Self {
        self.backoff = backoff.into();
        self
    }

    /// Sets the delay after the first attempt.
    #[must_use]
    pub fn first_delay(mut self, delay: Duration) -> Self {
        self.backoff.first = delay;
        self
    }

    /// Sets the factor by which delays grow; less than one counts as one.
    #[must_use]
    pub fn factor(mut self, factor: f64) -> Self {
        self.backoff = self.backoff.factor(factor);
        self
    }

    /// Sets the maximum delay.
    #[must_use]
    pub fn max_delay(mut self, delay: Duration) -> Self {
        self.backoff = self.backoff.max_delay(delay);
        self
    }

    /// Uses exact delays instead of random ones.
    #[must_use]
    pub fn no_jitter(mut self) -> Self {
        self.backoff.jitter = false;
        self
    }

    /// Retries only errors that the predicate accepts.
    ///
    /// The predicate gets the error that the body returned, so it can downcast it. Timeouts and panics are
    /// always retried.
    #[must_use]
    pub fn when(
        mut self,
        accept: impl Fn(&(dyn Error + 'static)) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.when = Some(Arc::new(accept));
        self
    }

    /// Returns the delay after attempt number `attempt` failed, or `None` if it was the last.
    ///
    /// `draw` is a random number between 0 and 1 for the jitter.
    pub(crate) fn delay(&self, attempt: u32, draw: f64) -> Option<Duration> {
        (attempt < self.attempts).then(|| self.backoff.delay(attempt, draw))
    }

    /// Returns whether an error of the body may be retried.
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

/// Delays between attempts.
///
/// A plain [`Duration`] converts to a fixed backoff.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Backoff {
    first: Duration,
    factor: f64,
    max: Duration,
    jitter: bool,
}

impl Backoff {
    /// The same delay after every attempt.
    pub fn fixed(delay: Duration) -> Self {
        Self {
            first: delay,
            factor: 1.0,
            max: delay,
            jitter: false,
        }
    }

    /// Delays that start at `first` and double up to one hour.
    pub fn exponential(first: Duration) -> Self {
        Self {
            first,
            factor: 2.0,
            max: Duration::from_secs(3600),
            jitter: false,
        }
    }

    /// Sets the factor by which delays grow; less than one counts as one.
    #[must_use]
    pub fn factor(mut self, factor: f64) -> Self {
        self.factor = factor.max(1.0);
        self
    }

    /// Sets the maximum delay.
    #[must_use]
    pub fn max_delay(mut self, delay: Duration) -> Self {
        self.max = delay;
        self
    }

    /// Draws each delay between zero and its computed value.
    #[must_use]
    pub fn full_jitter(mut self) -> Self {
        self.jitter = true;
        self
    }

    /// Returns the delay after attempt number `attempt`, counted from 1.
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
