//! Durations from integers with a unit.

use std::time::Duration;

/// Creates durations from integers: `3.hours()`, `1.day()`.
///
/// Each unit also has a singular form. A duration too long for [`Duration`] saturates at `u64::MAX` seconds;
/// none of these functions panics or wraps around.
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
    /// Milliseconds.
    fn milliseconds(self) -> Duration;
    /// Seconds.
    fn seconds(self) -> Duration;
    /// Minutes.
    fn minutes(self) -> Duration;
    /// Hours.
    fn hours(self) -> Duration;
    /// Days of 24 hours.
    fn days(self) -> Duration;
    /// Weeks of seven days.
    fn weeks(self) -> Duration;

    /// Short for [`milliseconds`](Self::milliseconds).
    fn millis(self) -> Duration {
        self.milliseconds()
    }
    /// Singular of [`milliseconds`](Self::milliseconds): `1.millisecond()`.
    fn millisecond(self) -> Duration {
        self.milliseconds()
    }
    /// Singular of [`seconds`](Self::seconds): `1.second()`.
    fn second(self) -> Duration {
        self.seconds()
    }
    /// Singular of [`minutes`](Self::minutes): `1.minute()`.
    fn minute(self) -> Duration {
        self.minutes()
    }
    /// Singular of [`hours`](Self::hours): `1.hour()`.
    fn hour(self) -> Duration {
        self.hours()
    }
    /// Singular of [`days`](Self::days): `1.day()`.
    fn day(self) -> Duration {
        self.days()
    }
    /// Singular of [`weeks`](Self::weeks): `1.week()`.
    fn week(self) -> Duration {
        self.weeks()
    }
}

/// Implemented only for `u64`, so that a literal needs no suffix.
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
    fn singular_and_plural_of_each_unit_agree() {
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
    fn durations_that_are_too_long_saturate() {
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
