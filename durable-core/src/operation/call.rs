//! `call!`: another durable function within this execution.

use super::scope::{Enter, scope};
use crate::BoxFuture;
use crate::codec::{Codec, Json};
use crate::context::Claim;
use crate::error::CallError;
use crate::site::{Durable, Handler, IntoHandler};

/// Runs `handler` with the caller's state, in a scope of its own.
///
/// In a box, so that a durable function may call itself.
pub fn call<'a, S, F>(
    claim: Claim<'a>,
    state: &'a S,
    _handler: F,
    input: <F::Handler as Durable>::Input,
) -> BoxFuture<'a, Result<<F::Handler as Durable>::Output, CallError>>
where
    S: Sync,
    F: IntoHandler,
    F::Handler: Handler<S>,
    <F::Handler as Durable>::Input: Send + 'a,
    <F::Handler as Durable>::Output: Send + 'a,
    Json: Codec<<F::Handler as Durable>::Output>,
{
    Box::pin(async move {
        let mut op = scope(claim);
        match op.enter().await {
            Enter::Done(result) => result,
            Enter::Run(child) => {
                let result = <F::Handler as Handler<S>>::run(&child, state, input).await;
                op.finish(result).await
            }
        }
    })
}
