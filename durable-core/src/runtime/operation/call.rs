//! `call!`: runs another durable function in this execution.

use super::callee::OutputCodec;
use super::finished;
use super::scope::{Enter, scope};
use crate::BoxFuture;
use crate::model::error::CallError;
use crate::runtime::handler::{Durable, Handler};
use crate::runtime::registered::Operation;
use crate::runtime::undo::Undo;

/// Runs `handler` in a new scope with the state of the caller.
///
/// The future is boxed, so that a durable function may call itself.
pub fn call<'b, 'a: 'b, S, F, H, C>(
    operation: Operation<'b>,
    state: &'a S,
    undo: &'b Undo<'a>,
    _handler: F,
    input: H::Input,
    codec: C,
) -> BoxFuture<'b, Result<H::Output, CallError>>
where
    S: Sync,
    F: FnOnce() -> H,
    H: Handler<S>,
    C: OutputCodec<H, Codec: 'b>,
{
    let codec = codec.output_codec();
    operation
        .lock()
        .engine
        .calls(operation.op, H::NAME, H::manifest().sites);
    Box::pin(async move {
        let mut op = scope(operation, codec).entered_always(H::manifest().may_undo());
        match op.enter().await {
            Enter::Done(result) => result,
            Enter::Run(child) => {
                let ended = child.body(H::run(&child, state, undo, input)).await;
                op.finish(finished(ended)).await
            }
        }
    })
}

/// Returns whether this handler may register undo bodies. Scopes around it are then entered on every replay.
pub fn may_undo<F, H>(_handler: F) -> bool
where
    F: FnOnce() -> H,
    H: Durable,
{
    H::manifest().may_undo()
}
