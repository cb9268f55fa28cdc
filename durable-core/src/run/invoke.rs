//! `invoke!` of a handler: its execution runs in this process where no worker claims it.

use std::any::type_name;
use std::future::poll_fn;
use std::marker::PhantomData;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use super::Runner;
use super::children::waits_for;
use crate::model::error::InvokeError;
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
/// `durable::run` runs it in this process with the caller's state. So does a worker that the handler
/// is not registered with; where it is, any worker does. When the execution that waits is
/// cancelled, so is the one it waits for.
pub fn invoke<'a, S, F, H, C, D>(
    claim: Operation<'a>,
    state: &'a S,
    _handler: F,
    input: H::Input,
    how: Invoking<C, D>,
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
        &claim,
        (H::NAME, input_type),
        &input,
        how.input_codec.input_codec(),
        how.tenant,
    );
    let coder = BoundCodec::new(how.codec.output_codec());
    Box::pin(async move {
        if let Some((children, id)) = expected(&claim, child?).await
            && children.settings.runs_here(H::NAME)
        {
            let cancelled = Arc::clone(&claim.shared().cancelled);
            let child = run_child::<S, H>(children, state, id.clone(), cancelled);
            if let Some(report) = body::drive(&claim, child).await {
                let report = Some(waits_for(&id, H::NAME, &report));
                claim.lock().children.push(Awaited { id, report });
            }
            claim.ask();
        }
        // Output and code are of this project: where they do not fit, one of the two builds is the wrong one.
        match claim.decide().await {
            Answer::Recorded(outcome) => {
                let read = coder.read_result(outcome);
                claim.readable(read).await
            }
            Answer::Run => std::future::pending().await,
        }
    })
}

/// In a box, so that a durable function may invoke itself. When the execution that waits is
/// cancelled, so is this one.
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
    let runner = Runner::<H, S> {
        store: children.store,
        settings: children.settings,
        state,
        handler: PhantomData,
    };
    Box::pin(async move {
        let mut run = pin!(runner.finish(id.clone()));
        let mut cancelled = pin!(cancelled.raised());
        let ended = poll_fn(|cx| match run.as_mut().poll(cx) {
            Poll::Ready(report) => Poll::Ready(Some(report)),
            Poll::Pending => cancelled.as_mut().poll(cx).map(|()| None),
        });
        if let Some(report) = ended.await {
            return report;
        }
        if let Err(error) = cancel_chain(&*store, id.clone(), now).await {
            tracing::warn!(execution = %id, %error, "not cancelled with the execution that waits for it");
        }
        run.await
    })
}
