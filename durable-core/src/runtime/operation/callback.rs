//! `callback!`: an outcome that an outside party reports.

use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use super::bound_codec::BoundCodec;
use super::scope::{Enter, ScopeOp, scope};
use crate::BoxFuture;
use crate::engine::{CallbackTimeouts, OpIndex};
use crate::model::codec::Reads;
use crate::model::error::{CallbackError, StepError};
use crate::model::site::Site;
use crate::runtime::context::Context;
use crate::runtime::registered::{Answer, Operation};
use crate::store::CallbackId;

/// How long a callback may take.
#[derive(Debug, Clone, Copy, Default)]
pub struct CallbackLimits(CallbackTimeouts);

/// No limits.
pub fn limits() -> CallbackLimits {
    CallbackLimits::default()
}

impl CallbackLimits {
    /// Gives up this long after the start.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.0.timeout = Some(timeout);
        self
    }

    /// Gives up this long after the start or the last heartbeat.
    #[must_use]
    pub fn heartbeat(mut self, pause: Duration) -> Self {
        self.0.heartbeat = Some(pause);
        self
    }
}

/// A callback that was started, and the future of its outcome. Made by `callback!`.
#[must_use = "a callback does nothing until it is awaited"]
pub struct Callback<'a, T> {
    operation: Operation<'a>,
    outcome: BoxFuture<'a, Result<T, CallbackError>>,
}

/// The callback that takes this place in the history. Its START is queued right here.
pub fn callback<'a, T, C>(
    operation: Operation<'a>,
    limits: CallbackLimits,
    codec: C,
) -> Callback<'a, T>
where
    T: Send + 'a,
    C: Reads<T> + Send + Sync + 'a,
{
    start(&operation, limits);
    let coder = BoundCodec::<T, C>::new(codec);
    let waiting = operation.again();
    let outcome = Box::pin(async move { outcome(&waiting, &coder).await });
    Callback { operation, outcome }
}

/// Queues the START, unless there is one or the execution ends.
fn start(operation: &Operation<'_>, limits: CallbackLimits) {
    let now = operation.now();
    let mut state = operation.lock();
    if state.engine.is_new(operation.op) && !state.engine.is_ending() {
        let seq = state.engine.number(operation.op);
        let operation_id = state.engine.id(operation.op);
        let id = CallbackId::unguessable(operation.cx.execution().id(), seq, operation_id);
        state
            .engine
            .start_external(operation.op, id.to_string(), limits.0, now);
    }
}

/// The id to complete it by, once that is durable.
async fn id(operation: &Operation<'_>) -> String {
    operation.durable().await;
    let handle = operation.lock().engine.handle(operation.op);
    match handle {
        Some(id) => id,
        None => std::future::pending().await,
    }
}

async fn outcome<T, C>(
    operation: &Operation<'_>,
    coder: &BoundCodec<T, C>,
) -> Result<T, CallbackError> {
    match operation.decide().await {
        Answer::Recorded(outcome) => coder.decode_foreign(operation, outcome),
        // It has no body; only a stopped invocation leaves it without an outcome.
        Answer::Run => std::future::pending().await,
    }
}

impl<'a, T> Callback<'a, T> {
    /// The id to complete it by, once that is durable. Hand it out in a `step!`.
    pub fn id(&self) -> impl Future<Output = String> + Send + use<'a, T> {
        let operation = self.operation.again();
        async move { id(&operation).await }
    }
}

impl<T> Future for Callback<'_, T> {
    type Output = Result<T, CallbackError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        self.outcome.as_mut().poll(cx)
    }
}

/// The scope of a callback and of the step that hands its id out: `callback!(…, submit = …)`.
pub struct Submitting<'a, T, C> {
    scope: ScopeOp<'a, T, C>,
    /// The callback in it, and its inside; none when the scope is answered from its record.
    callback: Option<(Context, OpIndex)>,
}

/// The scope that takes this place in the history, with the callback `site` in it. The STARTs of both
/// are queued right here, that of the scope first.
pub fn submitting<'a, T, C: Reads<T>>(
    operation: Operation<'a>,
    site: &'static Site,
    limits: CallbackLimits,
    codec: C,
) -> Submitting<'a, T, C> {
    let (begins, answered) = {
        let engine = &operation.lock().engine;
        let ends = engine.is_new(operation.op) && engine.is_ending();
        (!ends, engine.has_outcome(operation.op))
    };
    let callback = (begins && !answered).then(|| {
        operation.enter();
        let inside = operation.child();
        let callback = inside.register(site);
        start(&callback, limits);
        let op = callback.op;
        (inside, op)
    });
    Submitting {
        scope: scope(operation, codec),
        callback,
    }
}

impl<T, C> Submitting<'_, T, C> {
    /// Waits until the scope is answered from its record, or its step may hand out the id that the
    /// callback is completed by.
    pub async fn enter(&mut self) -> Enter<Result<T, CallbackError>, (&Context, String)> {
        if let Enter::Done(result) = self.scope.enter().await {
            return Enter::Done(result);
        }
        match &self.callback {
            None => std::future::pending().await,
            Some((inside, op)) => {
                let operation = Operation {
                    cx: inside,
                    op: *op,
                };
                Enter::Run((inside, id(&operation).await))
            }
        }
    }

    /// The outcome of the callback, recorded as that of the scope; the step's error if it has one.
    pub async fn finish(mut self, handed_out: Result<(), StepError>) -> Result<T, CallbackError> {
        let Some((inside, op)) = self.callback.take() else {
            return std::future::pending().await;
        };
        let operation = Operation { cx: &inside, op };
        let outcome = match handed_out {
            Err(error) => Err(error),
            Ok(()) => match outcome(&operation, self.scope.coder()).await {
                Ok(value) => Ok(value),
                // What is between the callback and the scope is nothing to the caller.
                Err(error) => Err(self.scope.renamed(error)),
            },
        };
        self.scope.settle(outcome).await
    }
}
