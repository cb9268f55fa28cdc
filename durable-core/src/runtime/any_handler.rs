//! Handlers without their types.
//!
//! Code that is generic over a handler is compiled for each one, in the crate of the user. [`AnyHandler`] has only what
//! depends on the types of a handler. Everything else is written over it, and is compiled once.

use std::any::{TypeId, type_name};
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;

use crate::BoxFuture;
use crate::model::error::BoxError;
use crate::model::site::Manifest;
use crate::runtime::context::Context;
use crate::runtime::handler::{Handler, HandlerInput, HandlerOutput};
use crate::runtime::undo::Undo;

/// Handler with its state.
pub(crate) trait AnyHandler: Send + Sync {
    fn name(&self) -> &'static str;

    fn manifest(&self) -> &'static Manifest;

    fn input_type(&self) -> InputType;

    /// Decodes the input, and returns the future of the handler.
    fn call<'b, 'a: 'b>(
        &'a self,
        cx: &'b Context,
        undo: &'b Undo<'a>,
        input: &[u8],
    ) -> Result<BoxFuture<'b, Result<Vec<u8>, HandlerError>>, BoxError>;
}

/// Type of the input of a handler.
pub(crate) struct InputType {
    pub(crate) name: &'static str,
    /// Whether the handler has no input.
    pub(crate) is_unit: bool,
}

/// Error that the handler returned, or that its output cannot be encoded.
pub(crate) enum HandlerError {
    Returned(BoxError),
    Output(BoxError),
}

/// Handler with a pointer to its state.
struct Bound<H, P> {
    state: P,
    handler: PhantomData<fn() -> H>,
}

/// Binds the handler `H` to the state behind a pointer.
pub(crate) fn bind<'a, H, P>(state: P) -> Arc<dyn AnyHandler + 'a>
where
    P: Deref<Target: Sync + Sized> + Send + Sync + 'a,
    H: Handler<P::Target> + 'a,
{
    Arc::new(Bound::<H, P> {
        state,
        handler: PhantomData,
    })
}

impl<H, P> AnyHandler for Bound<H, P>
where
    P: Deref<Target: Sync + Sized> + Send + Sync,
    H: Handler<P::Target>,
{
    fn name(&self) -> &'static str {
        H::NAME
    }

    fn manifest(&self) -> &'static Manifest {
        H::manifest()
    }

    fn input_type(&self) -> InputType {
        InputType {
            name: type_name::<H::Input>(),
            is_unit: TypeId::of::<H::Input>() == TypeId::of::<()>(),
        }
    }

    fn call<'b, 'a: 'b>(
        &'a self,
        cx: &'b Context,
        undo: &'b Undo<'a>,
        input: &[u8],
    ) -> Result<BoxFuture<'b, Result<Vec<u8>, HandlerError>>, BoxError> {
        let input = H::Input::from_json(input)?;
        let output = H::run(cx, &*self.state, undo, input);
        Ok(Box::pin(async move {
            let output = output.await.map_err(HandlerError::Returned)?;
            output.to_json().map_err(HandlerError::Output)
        }))
    }
}
