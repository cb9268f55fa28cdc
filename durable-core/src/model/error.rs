//! Errors as data: what is recorded about a failure, and what user code receives.

mod stored;

use std::error::Error;
use std::fmt;

use crate::model::payload::Payload;

/// Any error that can be sent between threads.
pub type BoxError = Box<dyn Error + Send + Sync + 'static>;

/// Type name recorded for a panic of a body, scope or handler.
pub(crate) const PANIC: &str = "panic";

/// Reason why an operation ended without a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The body returned an error or panicked, and no retry is left.
    Failed,
    /// The process ended while the body ran, more often than the limit on interruptions allows.
    Interrupted,
    /// An attempt took longer than its `timeout`.
    TimedOut,
    /// The encoded value is over the store's limit.
    TooLarge,
    /// The value could not be encoded, or a value from an external party could not be decoded.
    Codec,
    /// The execution was cancelled.
    Cancelled,
}

impl ErrorKind {
    const ALL: [Self; 6] = [
        Self::Failed,
        Self::Interrupted,
        Self::TimedOut,
        Self::TooLarge,
        Self::Codec,
        Self::Cancelled,
    ];

    /// Returns the word used in stores and histories. It is the same in every release.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
            Self::TimedOut => "timed_out",
            Self::TooLarge => "too_large",
            Self::Codec => "codec",
            Self::Cancelled => "cancelled",
        }
    }

    /// Returns the kind whose [`ErrorKind::as_str`] is `word`.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Failed => "failed",
            Self::Interrupted => "was interrupted",
            Self::TimedOut => "timed out",
            Self::TooLarge => "is too large",
            Self::Codec => "could not be encoded or decoded",
            Self::Cancelled => "was cancelled",
        })
    }
}

/// Recorded error of an operation: the same on the first run and on every replay.
///
/// `StepError`, `ScopeError` and the other aliases name this type after the operation it comes from.
///
/// ```
/// use durable_core::{ErrorKind, StepError};
///
/// fn is_transient(error: &StepError) -> bool {
///     error.kind() == ErrorKind::TimedOut || error.type_name().ends_with("TransientError")
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationError {
    pub(crate) operation: String,
    pub(crate) kind: ErrorKind,
    pub(crate) attempts: u32,
    pub(crate) message: String,
    pub(crate) type_name: String,
    pub(crate) chain: Vec<String>,
    /// Operation that failed first, if a scope or handler passed its error on.
    pub(crate) origin: Option<Box<Origin>>,
    /// The complete error in sealed form; the other fields then contain no secrets.
    pub(crate) sealed: Option<Box<Payload>>,
}

/// Operation that an error passed on by a scope or handler came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) operation: String,
    pub(crate) kind: ErrorKind,
    pub(crate) attempts: u32,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {}", self.operation, self.kind)?;
        if self.attempts > 1 {
            write!(f, " after {} attempts", self.attempts)?;
        }
        Ok(())
    }
}

/// Error of a `step!` or `record!`.
pub type StepError = OperationError;
/// Error of a `scope!`.
pub type ScopeError = OperationError;
/// Error of a `call!`.
pub type CallError = OperationError;
/// Error of a `poll!`.
pub type PollError = OperationError;
/// Error of a `callback!`.
pub type CallbackError = OperationError;
/// Error of an `invoke!`.
pub type InvokeError = OperationError;
/// Error of a `receive!`.
pub type ReceiveError = OperationError;
/// Error of a `send!`.
pub type SendError = OperationError;
/// Error of a `publish!`.
pub type PublishError = OperationError;

impl OperationError {
    /// Creates an error without a user error behind it, for stores, tests and tools.
    pub fn new(operation: impl Into<String>, kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            operation: operation.into(),
            kind,
            attempts: 0,
            message: message.into(),
            type_name: String::new(),
            chain: Vec::new(),
            origin: None,
            sealed: None,
        }
    }

    /// Sets the type name of the error.
    #[must_use]
    pub fn with_type_name(mut self, name: impl Into<String>) -> Self {
        self.type_name = name.into();
        self
    }

    /// Replaces the texts of this error with their sealed form.
    pub(crate) fn seal(&self, sealed: Payload) -> Self {
        let codec = sealed.sealed_with().unwrap_or_default();
        let message = format!("sealed with `{codec}`");
        Self {
            sealed: Some(Box::new(sealed)),
            ..Self::new(&self.operation, self.kind, message).with_attempts(self.attempts)
        }
    }

    /// Creates an error of the handler itself, outside any operation.
    pub(crate) fn of_handler(handler: &str, message: String) -> Self {
        Self::new(handler, ErrorKind::Failed, message)
    }

    /// Creates the error of a handler that panicked outside any body, scope or branch.
    pub(crate) fn of_panic(handler: &str, message: String) -> Self {
        Self::of_handler(handler, message).with_type_name(PANIC)
    }

    /// Creates the error of a cancelled execution.
    pub(crate) fn of_cancellation(handler: &str) -> Self {
        let message = "the execution was cancelled";
        Self::new(handler, ErrorKind::Cancelled, message)
    }

    /// Turns the error of a handler into a cancellation, with the error as its cause.
    pub(crate) fn into_cancelled(self) -> Self {
        if self.kind == ErrorKind::Cancelled {
            return self;
        }
        let mut cancelled = Self::of_cancellation(&self.operation);
        cancelled.chain.push(self.message);
        cancelled.chain.extend(self.chain);
        cancelled
    }

    /// Returns the path of the operation by display names: `files[a.csv]/parse`.
    pub fn operation(&self) -> &str {
        &self.operation
    }

    /// Returns the reason why there is no value.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Returns how many attempts were made.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Returns the path of the operation that failed first. It differs from [`operation`](Self::operation) if a
    /// scope or the handler passed the error on.
    pub fn origin(&self) -> &str {
        self.origin
            .as_ref()
            .map_or(&self.operation, |origin| &origin.operation)
    }

    /// Returns the message of the body's error, without its causes.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Returns the Rust type of the body's error; empty if the error came from the engine.
    pub fn type_name(&self) -> &str {
        &self.type_name
    }

    /// Returns the messages of the error's causes, nearest first.
    pub fn chain(&self) -> &[String] {
        &self.chain
    }

    /// Returns the name of the [`PayloadCodec`](crate::store::PayloadCodec) that sealed the texts of this
    /// error, if any.
    ///
    /// [`message`](Self::message) of a sealed error says that it is sealed. Only a
    /// [`SealedStore`](crate::store::SealedStore) with that codec reveals the rest.
    pub fn sealed_with(&self) -> Option<&str> {
        self.sealed.as_ref().and_then(|sealed| sealed.sealed_with())
    }

    /// Returns the size of the texts in bytes.
    pub(crate) fn size(&self) -> usize {
        self.sealed.as_ref().map_or(0, |sealed| sealed.len())
            + self.message.len()
            + self.type_name.len()
            + self.chain.iter().map(String::len).sum::<usize>()
    }

    /// Takes message, type and causes from a user error or from the error of an operation.
    pub(crate) fn describe(mut self, error: &(dyn Error + 'static), type_name: &str) -> Self {
        if let Some(passed_on) = error.downcast_ref::<Self>() {
            return self.pass_on(passed_on);
        }
        self.message = error.to_string();
        self.type_name = type_name.to_owned();
        let mut cause = error.source();
        while let Some(error) = cause {
            self.chain.push(error.to_string());
            cause = error.source();
        }
        self
    }

    fn pass_on(mut self, error: &Self) -> Self {
        self.message.clone_from(&error.message);
        self.type_name.clone_from(&error.type_name);
        self.chain.clone_from(&error.chain);
        self.origin = error.origin.clone().or_else(|| {
            Some(Box::new(Origin {
                operation: error.operation.clone(),
                kind: error.kind,
                attempts: error.attempts,
            }))
        });
        self
    }

    /// Shortens the texts to at most `limit` bytes of JSON. Drops causes first, starting with the last.
    pub(crate) fn shortened(mut self, limit: usize) -> Self {
        const CUT: &str = "… (shortened)";
        let written =
            |text: &str| text.len() + text.bytes().filter(|byte| needs_escape(*byte)).count() * 5;
        let texts = |error: &Self| {
            let chain: usize = error.chain.iter().map(|cause| written(cause)).sum();
            chain + written(&error.message) + written(&error.type_name)
        };
        while texts(&self) > limit && self.chain.pop().is_some() {}
        while texts(&self) > limit && !self.message.is_empty() {
            let kept = self.message.strip_suffix(CUT).unwrap_or(&self.message);
            let mut end = kept.len() / 2;
            while !kept.is_char_boundary(end) {
                end -= 1;
            }
            let kept = &kept[..end];
            self.message = if kept.is_empty() {
                String::new()
            } else {
                format!("{kept}{CUT}")
            };
        }
        self
    }

    /// Adds the failures of undo bodies to the causes.
    pub(crate) fn with_undo_failures(mut self, failures: Vec<Self>) -> Self {
        self.chain.extend(
            failures
                .into_iter()
                .map(|error| format!("could not be undone: {error}")),
        );
        self
    }

    pub(crate) fn with_attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts;
        self
    }
}

impl fmt::Display for OperationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {}", self.operation, self.kind)?;
        if self.attempts > 1 {
            write!(f, " after {} attempts", self.attempts)?;
        }
        if let Some(origin) = &self.origin {
            write!(f, ": {origin}")?;
        }
        write!(f, ": {}", self.message)?;
        self.chain
            .iter()
            .try_for_each(|cause| write!(f, ": {cause}"))
    }
}

impl Error for OperationError {}

fn needs_escape(byte: u8) -> bool {
    byte < 0x20 || matches!(byte, b'"' | b'\\')
}
