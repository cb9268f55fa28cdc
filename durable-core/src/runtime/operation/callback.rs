//! `callback!`: waits for an outcome that an external party reports.

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

/// Limits on how long a callback may take.
#[derive(Debug, Clone, Copy, Default)]
pub struct CallbackLimits(CallbackTimeouts);

/// Creates options without limits.
pub fn limits() -> CallbackLimits {
    CallbackLimits::default()
}

impl CallbackLimits {
    /// Fails the callback this long after its start.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.0.timeout = Some(timeout);
        self
    }

    /// Fails the callback this long after its start or the last heartbeat.
    #[must_use]
    pub fn heartbeat(mut self, pause: Duration) -> Self {
        self.0.heartbeat = Some(pause);
        self
    }
}

/// Started callback, and the future of its outcome. Created by `callback!`.
#[must_use = "a callback does nothing until it is awaited"]
pub struct Callback<'a, T> {
    operation: Operation<'a>,
    outcome: BoxFuture<'a, Result<T, CallbackError>>,
}

/// Creates a callback. Its START is queued now.
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
    let codec = BoundCodec::<T, C>::new(codec);
    let waiting = operation.again();
    let outcome = Box::pin(async move { outcome(&waiting, &codec).await });
    Callback { operation, outcome }
}

/// Queues the START, unless there is one or the execution is ending.
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

/// Returns the id of the callback when it is durable.
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
    codec: &BoundCodec<T, C>,
) -> Result<T, CallbackError> {
    match operation.decide().await {
        Answer::Recorded(outcome) => codec.decode_foreign(operation, outcome),
        // It has no body. Only a stopped invocation leaves it without an outcome.
        Answer::Run => std::future::pending().await,
    }
}

impl<'a, T> Callback<'a, T> {
    /// Returns the id to complete the callback with, when it is durable. Pass it on in a `step!`.
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

/// Scope of a callback and of the step that passes its id on: `callback!(…, submit = …)`.
pub struct Submitting<'a, T, C> {
    scope: ScopeOp<'a, T, C>,
    /// The context in the scope, and the callback. `None` if the scope is answered from its record.
    callback: Option<(Context, OpIndex)>,
}

/// Creates a scope with the callback `site` in it. The STARTs of both are queued now, that of the scope first.
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
    /// Waits until the scope is answered from its record, or its step may pass on the id of the callback.
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

    /// Records the outcome of the callback as that of the scope, or the error of the step if it failed.
    pub async fn finish(mut self, submitted: Result<(), StepError>) -> Result<T, CallbackError> {
        let Some((inside, op)) = self.callback.take() else {
            return std::future::pending().await;
        };
        let operation = Operation { cx: &inside, op };
        let outcome = match submitted {
            Err(error) => Err(error),
            Ok(()) => match outcome(&operation, self.scope.codec()).await {
                Ok(value) => Ok(value),
                // The caller sees the scope, not the callback in it.
                Err(error) => Err(self.scope.renamed(error)),
            },
        };
        self.scope.settle(outcome).await
    }
}
