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

/// Error of a body with `?` in it. Converts from any error and keeps the name of its type.
///
/// `Err(error)` and a call at the end of the body are converted as `?` converts errors. If an end of the body names
/// another error type, as in `Ok::<_, MyError>(value)`, the body has that type instead.
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

/// Panic of a body, with its location.
#[derive(Debug)]
pub(crate) struct Panicked(pub(crate) String);

impl fmt::Display for Panicked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Panicked {}

/// Returns the name of an error type. Empty for a boxed error, whose type is unknown.
fn name_of<E>() -> &'static str {
    let name = std::any::type_name::<E>();
    if name == std::any::type_name::<BoxError>() {
        ""
    } else {
        name
    }
}

/// Failure of one attempt.
#[derive(Debug)]
pub struct Failure {
    pub(crate) kind: ErrorKind,
    error: BoxError,
    type_name: &'static str,
}

impl Failure {
    /// Creates a failure that the engine has found.
    pub(crate) fn of_engine(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            error: message.into().into(),
            type_name: "",
        }
    }

    /// Creates a failure of a body that panicked.
    pub(crate) fn of_panic(message: String) -> Self {
        Self {
            kind: ErrorKind::Failed,
            error: Box::new(Panicked(message)),
            type_name: PANIC,
        }
    }

    /// Returns the error of the body, without the wrapper of [`fatal`].
    fn innermost(&self) -> &(dyn Error + 'static) {
        match self.error.downcast_ref::<Fatal>() {
            Some(fatal) => &*fatal.error,
            None => &*self.error,
        }
    }

    /// Returns whether `retry` may repeat the attempt.
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

    /// Returns whether the engine has ended the operation, so that no policy may repeat it.
    pub(crate) fn is_final(&self, at_most_once: bool) -> bool {
        self.kind == ErrorKind::Interrupted && !at_most_once
    }

    /// Returns the error that is recorded for `operation`.
    pub(crate) fn to_record(&self, operation: String, attempts: u32) -> OperationError {
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
    /// Converts the error to a failure.
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

/// Result of a fallible body.
#[diagnostic::on_unimplemented(
    message = "the body of a durable call must be a `Result`, not `{Self}`",
    label = "expected `Result<_, _>`",
    note = "end it with `Ok(value)`, and await a future; for a value that cannot fail use `record!`"
)]
pub trait BodyResult {
    /// Value of a body that succeeded.
    type Value;
    /// Error of a body that failed. It has no bound, because that would have to hold for every lifetime in the error
    /// when a handler's future is checked to be `Send`, and `Box<dyn Error + 'static>` converts only to itself.
    type Error;

    /// Returns it as a `Result`.
    ///
    /// # Errors
    ///
    /// The error of the body.
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

/// Result of a handler.
#[diagnostic::on_unimplemented(
    message = "a durable function must return a `Result`, not `{Self}`",
    label = "expected `Result<_, _>`",
    note = "write `-> Result<{Self}, BoxError>`; the error may be any type that is `Into<BoxError>`"
)]
pub trait HandlerResult: Sized {
    /// Output of a handler that succeeded.
    type Output;
    /// Error of a handler that failed.
    type Error;

    /// Returns it with the error in a box.
    ///
    /// # Errors
    ///
    /// The error of the handler.
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
    /// Returns it in a box.
    fn into_box(self) -> BoxError;
}

#[diagnostic::do_not_recommend]
impl<E: Into<BoxError>> HandlerError for E {
    fn into_box(self) -> BoxError {
        self.into()
    }
}
