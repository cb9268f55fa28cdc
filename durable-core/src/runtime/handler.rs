//! Traits that `#[durable]` implements, and the handlers it generates.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::context::Context;
use super::undo::Undo;
use crate::model::codec::{self, Codec, Json};
use crate::model::error::BoxError;
use crate::model::site::Manifest;

/// Durable function. Enough to start it; [`Handler`] runs it with a state.
///
/// Implemented by `#[durable]`.
pub trait Durable: Copy + Send + Sync + 'static {
    /// Name under which executions of it are persisted.
    const NAME: &'static str;
    /// Type of the input.
    type Input: HandlerInput;
    /// Type of the output.
    type Output: HandlerOutput;

    /// Returns its call sites and structural hash.
    fn manifest() -> &'static Manifest;
}

/// Type that the input of a durable function can have.
///
/// Implemented for all types that are `Serialize`, `DeserializeOwned` and `Send`. These are no supertraits, because rustc
/// would report each missing one in addition to the trait.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the input of a durable function",
    label = "an input must be `Serialize`, `DeserializeOwned` and `Send`",
    note = "the input is stored when an execution starts: derive `serde::Serialize` and `serde::Deserialize` for it, and take what cannot be stored from the state (`app: &App`)"
)]
pub trait HandlerInput: Sized + Send + 'static {
    /// Encodes the input as JSON.
    ///
    /// # Errors
    ///
    /// If it cannot be represented as JSON.
    fn to_json(&self) -> Result<Vec<u8>, BoxError>;

    /// The same, with an error that points to the options of a call site.
    #[doc(hidden)]
    fn to_json_at_call_site(&self) -> Result<Vec<u8>, BoxError>;

    /// Decodes the input from JSON.
    ///
    /// # Errors
    ///
    /// If the JSON does not match the type.
    fn from_json(bytes: &[u8]) -> Result<Self, BoxError>;
}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + Send + 'static> HandlerInput for T {
    fn to_json(&self) -> Result<Vec<u8>, BoxError> {
        codec::encode_boundary(self)
    }

    fn to_json_at_call_site(&self) -> Result<Vec<u8>, BoxError> {
        Json.encode(self)
    }

    fn from_json(bytes: &[u8]) -> Result<Self, BoxError> {
        Ok(serde_json::from_slice(bytes)?)
    }
}

/// Type that the output of a durable function can have.
///
/// Implemented for all types that are `Serialize`, `DeserializeOwned` and `Send`. These are no supertraits, because rustc
/// would report each missing one in addition to the trait.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the output of a durable function",
    label = "an output must be `Serialize`, `DeserializeOwned` and `Send`",
    note = "the output is stored when the execution ends: derive `serde::Serialize` and `serde::Deserialize` for it, or return something smaller (an id, a summary)"
)]
pub trait HandlerOutput: Sized + Send + 'static {
    /// Encodes the output as JSON.
    ///
    /// # Errors
    ///
    /// If it cannot be represented as JSON.
    fn to_json(&self) -> Result<Vec<u8>, BoxError>;

    /// The same, with an error that points to the options of a call site.
    #[doc(hidden)]
    fn to_json_at_call_site(&self) -> Result<Vec<u8>, BoxError>;

    /// Decodes the output from JSON.
    ///
    /// # Errors
    ///
    /// If the JSON does not match the type.
    fn from_json(bytes: &[u8]) -> Result<Self, BoxError>;
}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + Send + 'static> HandlerOutput for T {
    fn to_json(&self) -> Result<Vec<u8>, BoxError> {
        codec::encode_boundary(self)
    }

    fn to_json_at_call_site(&self) -> Result<Vec<u8>, BoxError> {
        Json.encode(self)
    }

    fn from_json(bytes: &[u8]) -> Result<Self, BoxError> {
        Ok(serde_json::from_slice(bytes)?)
    }
}

/// A durable function that runs with a state of type `S`.
///
/// Implemented by `#[durable]`: for every `S` when the function takes no state.
#[diagnostic::on_unimplemented(
    message = "this is not a durable function that runs with a state of type `{S}`",
    note = "a durable function that takes `state: &App` runs with `App` only; one without a by-reference parameter runs with any state"
)]
pub trait Handler<S: Sync>: Durable {
    /// Runs the function from the top. Its steps register their undo bodies in `undo`.
    fn run<'b, 'a: 'b>(
        cx: &'b Context,
        state: &'a S,
        undo: &'b Undo<'a>,
        input: Self::Input,
    ) -> impl Future<Output = Result<Self::Output, BoxError>> + Send + 'b;
}

/// Handler of a durable function that takes a state. Runs with a state of that type.
#[derive(Debug, Clone, Copy)]
pub struct WithState<H>(pub H);

impl<H: Durable> Durable for WithState<H> {
    const NAME: &'static str = H::NAME;
    type Input = H::Input;
    type Output = H::Output;

    fn manifest() -> &'static Manifest {
        H::manifest()
    }
}

#[diagnostic::do_not_recommend]
impl<S: Sync, H: Handler<S>> Handler<S> for WithState<H> {
    fn run<'b, 'a: 'b>(
        cx: &'b Context,
        state: &'a S,
        undo: &'b Undo<'a>,
        input: Self::Input,
    ) -> impl Future<Output = Result<Self::Output, BoxError>> + Send + 'b {
        H::run(cx, state, undo, input)
    }
}

/// Handler of a durable function that takes no state. Runs with any state.
#[derive(Debug, Clone, Copy)]
pub struct AnyState<H>(pub H);

impl<H: Durable> Durable for AnyState<H> {
    const NAME: &'static str = H::NAME;
    type Input = H::Input;
    type Output = H::Output;

    fn manifest() -> &'static Manifest {
        H::manifest()
    }
}

#[diagnostic::do_not_recommend]
impl<S: Sync, H: Handler<()>> Handler<S> for AnyState<H> {
    fn run<'b, 'a: 'b>(
        cx: &'b Context,
        _state: &'a S,
        undo: &'b Undo<'a>,
        input: Self::Input,
    ) -> impl Future<Output = Result<Self::Output, BoxError>> + Send + 'b {
        H::run(cx, &(), undo, input)
    }
}

/// Never implemented. Gives a durable function that is called and awaited like an ordinary one its error message.
#[diagnostic::on_unimplemented(
    message = "a durable function cannot be called and awaited directly",
    label = "use `call!`, `invoke!` or `durable::run`",
    note = "in a durable function write `call!(function(input)).await`, or `invoke!(function(input)).await` for a separate execution; elsewhere write `durable::run(function, \"id\", input).await`"
)]
pub trait Awaited {}

impl<H: Durable + Awaited> Future for WithState<H> {
    type Output = Result<H::Output, BoxError>;

    fn poll(self: Pin<&mut Self>, _: &mut TaskContext<'_>) -> Poll<Self::Output> {
        Poll::Pending
    }
}

impl<H: Durable + Awaited> Future for AnyState<H> {
    type Output = Result<H::Output, BoxError>;

    fn poll(self: Pin<&mut Self>, _: &mut TaskContext<'_>) -> Poll<Self::Output> {
        Poll::Pending
    }
}

/// Item that `#[durable]` generates under the name of the function. Yields the handler.
pub trait IntoHandler {
    /// The handler it yields.
    type Handler: Durable;
}

impl<F, H> IntoHandler for F
where
    F: FnOnce() -> H,
    H: Durable,
{
    type Handler = H;
}
