//! `call!`: another durable function within this execution.

use super::returned;
use super::scope::{Enter, scope};
use crate::BoxFuture;
use crate::codec::{Codec, Json};
use crate::context::Claim;
use crate::error::CallError;
use crate::site::Handler;

/// Runs `handler` with the caller's state, in a scope of its own.
///
/// In a box, so that a durable function may call itself.
pub fn call<'a, S, F, H>(
    claim: Claim<'a>,
    state: &'a S,
    _handler: F,
    input: H::Input,
) -> BoxFuture<'a, Result<H::Output, CallError>>
where
    S: Sync,
    F: FnOnce() -> H,
    H: Handler<S>,
    H::Input: Send + 'a,
    H::Output: Send + 'a,
    Json: Codec<H::Output>,
{
    Box::pin(async move {
        let mut op = scope(claim, Json);
        match op.enter().await {
            Enter::Done(result) => result,
            Enter::Run(child) => {
                let result = H::run(&child, state, input).await;
                op.finish(returned(result)).await
            }
        }
    })
}
