//! `invoke!` of a handler, whose execution runs in this process if no worker claims it.

use std::any::type_name;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use super::Runner;
use super::children::waits_for;
use crate::model::error::InvokeError;
use crate::runtime::any_handler::bind;
use crate::runtime::children::{Awaited, Children};
use crate::runtime::handler::Handler;
use crate::runtime::operation::{
    BoundCodec, InputCodec, Invoking, OutputCodec, body, expected, start_child,
};
use crate::runtime::registered::{Answer, Operation};
use crate::runtime::shared::CancelSignal;
use crate::store::cancel_chain;
use crate::{BoxFuture, ExecutionId};

/// Starts `handler` as an execution of its own, exactly once, and waits for its end.
///
/// `durable::run` runs the child in this process with the caller's state, and so does a worker that does not
/// have the handler registered. If it is registered, any worker may run the child. Cancelling the parent
/// cancels the child too.
pub fn invoke<'a, S, F, H, C, D>(
    operation: Operation<'a>,
    state: &'a S,
    _handler: F,
    input: H::Input,
    options: Invoking<C, D>,
) -> BoxFuture<'a, Result<H::Output, InvokeError>>
where
    S: Sync,
    F: FnOnce() -> H,
    H: Handler<S>,
    C: OutputCodec<H, Codec: 'a>,
    D: InputCodec<H>,
{
    let input_type = Some(type_name::<H::Input>());
    let child = start_child(
        &operation,
        (H::NAME, input_type),
        &input,
        options.input_codec.input_codec(),
        options.tenant,
    );
    let codec = BoundCodec::new(options.codec.output_codec());
    Box::pin(async move {
        if let Some((children, id)) = expected(&operation, child?).await
            && children.settings.runs_inline(H::NAME)
        {
            let cancelled = Arc::clone(&operation.shared().cancelled);
            let child = run_child::<S, H>(children, state, id.clone(), cancelled);
            if let Some(report) = body::drive(&operation, child).await {
                let report = Some(waits_for(&id, H::NAME, &report));
                operation.lock().children.push(Awaited { id, report });
            }
            operation.request_refresh();
        }
        // Both builds belong to this project. If the output does not match the type, one of the two is wrong,
        // so this blocks.
        match operation.decide().await {
            Answer::Recorded(outcome) => {
                let read = codec.read_result(outcome);
                operation.readable(read).await
            }
            Answer::Run => std::future::pending().await,
        }
    })
}

/// Runs a child execution, and cancels it with its parent. Boxed, so that a durable function may invoke itself.
fn run_child<'a, S, H>(
    children: Children,
    state: &'a S,
    id: ExecutionId,
    cancelled: Arc<CancelSignal>,
) -> BoxFuture<'a, Option<String>>
where
    S: Sync,
    H: Handler<S>,
{
    let store = Arc::clone(&children.store);
    let now = children.settings.now();
    let runner = Runner {
        store: children.store,
        settings: children.settings,
        handler: bind::<H, _>(state),
    };
    Box::pin(async move {
        let mut run = pin!(runner.run_child(id.clone()));
        let mut cancelled = pin!(cancelled.raised());
        let ended = poll_fn(|cx| match run.as_mut().poll(cx) {
            Poll::Ready(report) => Poll::Ready(Some(report)),
            Poll::Pending => cancelled.as_mut().poll(cx).map(|()| None),
        });
        if let Some(report) = ended.await {
            return report;
        }
        if let Err(error) = cancel_chain(&*store, id.clone(), now).await {
            tracing::warn!(execution = %id, %error, "a child execution was not cancelled with its parent");
        }
        run.await
    })
}
