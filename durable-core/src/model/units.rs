//! Durations as they are said.

use std::time::Duration;

/// Durations in every usual unit, of a whole number: `3.hours()`, `1.day()`.
///
/// The singular of each unit is the same function under another name. A length that is too long for a
/// [`Duration`] becomes the longest one of whole seconds, `u64::MAX` seconds; none of these functions panics or wraps around.
///
/// ```
/// use std::time::Duration;
///
/// use durable_core::Units;
///
/// assert_eq!(20.milliseconds(), Duration::from_millis(20));
/// assert_eq!(500.millis(), Duration::from_millis(500));
/// assert_eq!(2.seconds(), Duration::from_secs(2));
/// assert_eq!(1.minute() + 30.seconds(), Duration::from_secs(90));
/// assert_eq!(3.hours(), Duration::from_secs(3 * 3600));
/// assert_eq!(2.days(), Duration::from_secs(2 * 86_400));
/// assert_eq!(1.week(), 7.days());
/// assert_eq!(u64::MAX.weeks(), Duration::from_secs(u64::MAX));
/// ```
pub trait Units: Sized {
    /// This many thousandths of a second.
    fn milliseconds(self) -> Duration;
    /// This many seconds.
    fn seconds(self) -> Duration;
    /// This many minutes of sixty seconds.
    fn minutes(self) -> Duration;
    /// This many hours of sixty minutes.
    fn hours(self) -> Duration;
    /// This many days of 24 hours, whatever a calendar says.
    fn days(self) -> Duration;
    /// This many weeks of seven days.
    fn weeks(self) -> Duration;

    /// Short for [`milliseconds`](Self::milliseconds).
    fn millis(self) -> Duration {
        self.milliseconds()
    }
    /// The same as [`milliseconds`](Self::milliseconds), for `1.millisecond()`.
    fn millisecond(self) -> Duration {
        self.milliseconds()
    }
    /// The same as [`seconds`](Self::seconds), for `1.second()`.
    fn second(self) -> Duration {
        self.seconds()
    }
    /// The same as [`minutes`](Self::minutes), for `1.minute()`.
    fn minute(self) -> Duration {
        self.minutes()
    }
    /// The same as [`hours`](Self::hours), for `1.hour()`.
    fn hour(self) -> Duration {
        self.hours()
    }
    /// The same as [`days`](Self::days), for `1.day()`.
    fn day(self) -> Duration {
        self.days()
    }
    /// The same as [`weeks`](Self::weeks), for `1.week()`.
    fn week(self) -> Duration {
        self.weeks()
    }
}

/// For one type only, so that a literal needs no suffix.
impl Units for u64 {
    fn milliseconds(self) -> Duration {
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

#[cfg(test)]
mod tests {
    use super::Units;
    use std::time::Duration;

    #[test]
    fn every_unit_has_its_length_in_the_plural_and_the_singular() {
        for (plural, singular, millis) in [
            (2.milliseconds(), 1.millisecond(), 1),
            (2.millis(), 1.millisecond(), 1),
            (2.seconds(), 1.second(), 1000),
            (2.minutes(), 1.minute(), 60_000),
            (2.hours(), 1.hour(), 3_600_000),
            (2.days(), 1.day(), 86_400_000),
            (2.weeks(), 1.week(), 604_800_000),
        ] {
            assert_eq!(singular, Duration::from_millis(millis));
            assert_eq!(plural, singular * 2);
        }
    }

    #[test]
    fn a_length_that_does_not_fit_is_the_longest() {
        let longest = Duration::from_secs(u64::MAX);
        let max = u64::MAX;
        for length in [
            max.seconds(),
            max.minutes(),
            max.hours(),
            max.days(),
            max.weeks(),
        ] {
            assert_eq!(length, longest);
        }
        assert_eq!((max / 60).minutes(), Duration::from_secs(max / 60 * 60));
        assert_eq!(max.milliseconds(), Duration::from_millis(max));
    }
}
