//! Values given to options of call sites. Each kind has its own trait, whose error says what to write.

use crate::{Backoff, Retry, Timestamp};

/// Value of the option `retry`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a retry policy",
    label = "expected a `Retry`",
    note = "write `Retry::exponential().attempts(3)`, `Retry::fixed(5.seconds())` or `Retry::none()`"
)]
pub trait RetryPolicy {
    /// Returns the policy.
    fn policy(&self) -> Retry;
}

impl RetryPolicy for Retry {
    fn policy(&self) -> Retry {
        self.clone()
    }
}

#[diagnostic::do_not_recommend]
impl<R: RetryPolicy + ?Sized> RetryPolicy for &R {
    fn policy(&self) -> Retry {
        (**self).policy()
    }
}

/// Value of the option `every`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say how long to wait between checks",
    label = "expected a `Duration` or a `Backoff`",
    note = "write `30.seconds()`, `Duration::from_secs(30)` or `Backoff::exponential(1.seconds())`"
)]
pub trait Every {
    /// Converts to a backoff.
    fn backoff(self) -> Backoff;
}

#[diagnostic::do_not_recommend]
impl<T: Into<Backoff>> Every for T {
    fn backoff(self) -> Backoff {
        self.into()
    }
}

/// Value of the option `until`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a point in time",
    label = "expected a `SystemTime` or a `Timestamp`",
    note = "to wait for a duration write it without `until`: `wait!(30.seconds())`"
)]
pub trait Moment {
    /// Converts to a timestamp.
    fn timestamp(self) -> Timestamp;
}

#[diagnostic::do_not_recommend]
impl<T: Into<Timestamp>> Moment for T {
    fn timestamp(self) -> Timestamp {
        self.into()
    }
}

/// Converts the value of `until`. Separate from `wait_until`, whose every use would report a wrong type again.
pub fn time(time: impl Moment) -> Timestamp {
    time.timestamp()
}

/// Value of the options `tenant` and `function`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a text",
    label = "expected a `&str` or a `String`",
    note = "write a text such as `\"north\"`, or `value.to_string()`"
)]
pub trait Textual {
    /// Converts to a string.
    fn text(self) -> String;
}

#[diagnostic::do_not_recommend]
impl<T: Into<String>> Textual for T {
    fn text(self) -> String {
        self.into()
    }
}

/// Converts the value of `tenant` or `function`.
pub fn text(text: impl Textual) -> String {
    text.text()
}
