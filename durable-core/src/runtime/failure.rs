//! Errors on their way from a body to a record.

use std::error::Error;
use std::fmt;

use crate::model::error::{BoxError, ErrorKind, OperationError, PANIC};

/// An error that no retry policy repeats.
#[derive(Debug)]
struct Fatal {
    error: BoxError,
    type_name: &'static str,
}

impl fmt::Display for Fatal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl Error for Fatal {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.error.source()
    }
}

/// Marks an error of a body as final: the step fails with it whatever its retry policy says.
///
/// ```
/// use durable_core::{BoxError, fatal};
///
/// fn charge(amount: i64) -> Result<(), BoxError> {
///     if amount < 0 {
///         return Err(fatal("a negative amount will never be accepted"));
///     }
///     Ok(())
/// }
/// # assert!(charge(-1).is_err());
/// ```
pub fn fatal<E: Into<BoxError>>(error: E) -> BoxError {
    Box::new(Fatal {
        error: error.into(),
        type_name: name_of::<E>(),
    })
}

/// Error of a body that is a block with `?` in it: made from any error, keeps its type's name.
///
/// The body has this error type at all its ends: `Err(error)` and a call at the end of a branch are converted as `?`
/// converts errors. If one of its ends names another error type, as in `Ok::<_, MyError>(value)`, the body has that
/// type instead.
///
/// ```
/// use durable_core::{BodyError, fatal};
///
/// # fn read(amount: &str) -> Result<i64, BodyError> {
/// let amount: i64 = amount.parse()?;
/// if amount < 0 {
///     return Err(fatal("a negative amount will never be accepted").into());
/// }
/// # Ok(amount)
/// # }
/// # assert!(read("-1").is_err());
/// ```
pub struct BodyError {
    error: BoxError,
    type_name: &'static str,
}

impl<E: Into<BoxError>> From<E> for BodyError {
    #[track_caller]
    fn from(error: E) -> Self {
        Self {
            error: error.into(),
            type_name: name_of::<E>(),
        }
    }
}

impl fmt::Debug for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

/// A panic of a body, with the place it came from.
#[derive(Debug)]
pub(crate) struct Panicked(pub(crate) String);

impl fmt::Display for Panicked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Panicked {}

/// The name of an error's type; a boxed error no longer has one.
fn name_of<E>() -> &'static str {
    let name = std::any::type_name::<E>();
    if name == std::any::type_name::<BoxError>() {
        ""
    } else {
        name
    }
}

/// What went wrong in one attempt.
#[derive(Debug)]
pub struct Failure {
    pub(crate) kind: ErrorKind,
    error: BoxError,
    type_name: &'static str,
}

impl Failure {
    /// A failure that the engine found, with its own words.
    pub(crate) fn of_engine(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            error: message.into().into(),
            type_name: "",
        }
    }

    /// A failure of the body by a panic.
    pub(crate) fn of_panic(message: String) -> Self {
        Self {
            kind: ErrorKind::Failed,
            error: Box::new(Panicked(message)),
            type_name: PANIC,
        }
    }

    /// The body's error, whatever it was wrapped in to get here.
    fn innermost(&self) -> &(dyn Error + 'static) {
        match self.error.downcast_ref::<Fatal>() {
            Some(fatal) => &*fatal.error,
            None => &*self.error,
        }
    }

    /// Whether `retry` may repeat the attempt that ended like this.
    pub(crate) fn is_retryable(&self, retry: &crate::Retry) -> bool {
        match self.kind {
            ErrorKind::TimedOut | ErrorKind::Interrupted => true,
            ErrorKind::Failed => {
                !self.error.is::<Fatal>()
                    && (self.error.is::<Panicked>() || retry.accepts(self.innermost()))
            }
            ErrorKind::Codec | ErrorKind::TooLarge | ErrorKind::Cancelled => false,
        }
    }

    /// Whether the engine gave the operation up, so that no policy may repeat it.
    pub(crate) fn is_final(&self, at_most_once: bool) -> bool {
        self.kind == ErrorKind::Interrupted && !at_most_once
    }

    /// The failure as it is recorded for `operation`.
    pub(crate) fn into_record(self, operation: String, attempts: u32) -> OperationError {
        let type_name = match self.error.downcast_ref::<Fatal>() {
            Some(fatal) => fatal.type_name,
            None => self.type_name,
        };
        OperationError::new(operation, self.kind, "")
            .describe(self.innermost(), type_name)
            .with_attempts(attempts)
    }
}

/// An error type that a body may end with.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the error of a durable body",
    label = "this error is not `Into<Box<dyn Error + Send + Sync>>`",
    note = "implement `std::error::Error` for it, or map it to a `String` or another error"
)]
pub trait IntoFailure {
    /// The failure this error stands for.
    fn into_failure(self) -> Failure;
}

#[diagnostic::do_not_recommend]
impl<E: Into<BoxError>> IntoFailure for E {
    fn into_failure(self) -> Failure {
        Failure {
            kind: ErrorKind::Failed,
            error: self.into(),
            type_name: name_of::<E>(),
        }
    }
}

impl IntoFailure for BodyError {
    fn into_failure(self) -> Failure {
        Failure {
            kind: ErrorKind::Failed,
            error: self.error,
            type_name: self.type_name,
        }
    }
}

/// Converts the error of `Err(…)` in a body with `?`, as `?` converts errors.
pub fn body_error<E: IntoFailure>(error: E) -> BodyError {
    let Failure {
        error, type_name, ..
    } = error.into_failure();
    BodyError { error, type_name }
}

/// What a fallible body ends with.
#[diagnostic::on_unimplemented(
    message = "the body of a durable call must be a `Result`, not `{Self}`",
    label = "expected `Result<_, _>`",
    note = "end it with `Ok(value)`, and await a future; for a value that cannot fail use `record!`"
)]
pub trait BodyResult {
    /// The value of a body that ended well.
    type Value;
    /// The error of one that did not. Not bounded here: a bound would have to hold for every
    /// lifetime inside the error when a handler's future is checked to be `Send`, and
    /// `Box<dyn Error + 'static>` only converts to itself.
    type Error;

    /// The same as the `Result` it is.
    ///
    /// # Errors
    ///
    /// The body's own.
    fn into_result(self) -> Result<Self::Value, Self::Error>;
}

#[diagnostic::do_not_recommend]
impl<T, E> BodyResult for Result<T, E> {
    type Value = T;
    type Error = E;

    fn into_result(self) -> Self {
        self
    }
}

/// What a handler returns.
#[diagnostic::on_unimplemented(
    message = "a durable function must return a `Result`, not `{Self}`",
    label = "expected `Result<_, _>`",
    note = "write `-> Result<{Self}, BoxError>`; the error may be any type that is `Into<BoxError>`"
)]
pub trait HandlerResult: Sized {
    /// The output of a handler that ended well.
    type Output;
    /// The error of one that did not.
    type Error;

    /// The same with the error in a box.
    ///
    /// # Errors
    ///
    /// The handler's own.
    fn boxed(self) -> Result<Self::Output, BoxError>
    where
        Self::Error: HandlerError;
}

#[diagnostic::do_not_recommend]
impl<T, E> HandlerResult for Result<T, E> {
    type Output = T;
    type Error = E;

    fn boxed(self) -> Result<T, BoxError>
    where
        E: HandlerError,
    {
        self.map_err(HandlerError::into_box)
    }
}

/// An error type that a handler may end with.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the error of a durable function",
    label = "this error is not `Into<Box<dyn Error + Send + Sync>>`",
    note = "implement `std::error::Error` for it, or return `BoxError`, which `?` makes from any error"
)]
pub trait HandlerError {
    /// The same in a box.
    fn into_box(self) -> BoxError;
}

#[diagnostic::do_not_recommend]
impl<E: Into<BoxError>> HandlerError for E {
    fn into_box(self) -> BoxError {
        self.into()
    }
}
