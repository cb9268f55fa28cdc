//! Durations as they are said.

use std::time::Duration;

/// Durations in every unit, of a whole number: `3.hours()`.
///
/// What does not fit is the longest duration there is.
///
/// ```
/// use std::time::Duration;
///
/// use durable_core::Units;
///
/// assert_eq!(500.millis(), Duration::from_millis(500));
/// assert_eq!(2.seconds(), Duration::from_secs(2));
/// assert_eq!(1.minutes() + 30.seconds(), Duration::from_secs(90));
/// assert_eq!(3.hours(), Duration::from_secs(3 * 3600));
/// assert_eq!(2.days(), Duration::from_secs(2 * 86_400));
/// let weeks = u64::MAX;
/// assert_eq!(weeks.weeks(), Duration::from_secs(u64::MAX));
/// ```
pub trait Units: Sized {
    /// So many thousandths of a second.
    fn millis(self) -> Duration;
    /// So many seconds.
    fn seconds(self) -> Duration;
    /// So many times sixty seconds.
    fn minutes(self) -> Duration;
    /// So many times sixty minutes.
    fn hours(self) -> Duration;
    /// So many times 24 hours.
    fn days(self) -> Duration;
    /// So many times seven days.
    fn weeks(self) -> Duration;
}

/// For one type only, so that a literal needs no suffix.
impl Units for u64 {
    fn millis(self) -> Duration {
        Duration::from_millis(self)
    }

    fn seconds(self) -> Duration {
        Duration::from_secs(self)
    }

    fn minutes(self) -> Duration {
        self.saturating_mul(60).seconds()
    }

    fn hours(self) -> Duration {
        self.saturating_mul(60).minutes()
    }

    fn days(self) -> Duration {
        self.saturating_mul(24).hours()
    }

    fn weeks(self) -> Duration {
        self.saturating_mul(7).days()
    }
}
