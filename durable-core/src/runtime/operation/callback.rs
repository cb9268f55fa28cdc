//! `callback!`: an outcome that an outside party reports.

use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use super::bound_codec::BoundCodec;
use super::scope::{Enter, ScopeOp, scope};
use crate::BoxFuture;
use crate::engine::{Limits, Op};
use crate::model::codec::Reads;
use crate::model::error::{CallbackError, StepError};
use crate::model::site::Site;
use crate::runtime::context::{Answer, Claim, Context};
use crate::store::CallbackId;

/// How long a callback may take.
#[derive(Debug, Clone, Copy, Default)]
pub struct CallbackLimits(Limits);

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
    claim: Claim<'a>,
    outcome: BoxFuture<'a, Result<T, CallbackError>>,
}

/// The callback that takes this place in the history. Its START is queued right here.
pub fn callback<'a, T, C>(claim: Claim<'a>, limits: CallbackLimits, codec: C) -> Callback<'a, T>
where
    T: Send + 'a,
    C: Reads<T> + Send + Sync + 'a,
{
    start(&claim, limits);
    let coder = BoundCodec::<T, C>::new(codec);
    let waiting = claim.again();
    let outcome = Box::pin(async move { outcome(&waiting, &coder).await });
    Callback { claim, outcome }
}

/// Queues the START, unless there is one or the execution ends.
fn start(claim: &Claim<'_>, limits: CallbackLimits) {
    let now = claim.now();
    let mut state = claim.lock();
    if state.engine.is_new(claim.op) && !state.engine.is_ending() {
        let seq = state.engine.number(claim.op);
        let operation = state.engine.id(claim.op);
        let id = CallbackId::unguessable(claim.cx.execution().id(), seq, operation);
        state
            .engine
            .start_external(claim.op, id.to_string(), limits.0, now);
    }
}

/// The id to complete it by, once that is durable.
async fn id(claim: &Claim<'_>) -> String {
    claim.written().await;
    let handle = claim.lock().engine.handle(claim.op);
    match handle {
        Some(id) => id,
        None => std::future::pending().await,
    }
}

async fn outcome<T, C>(claim: &Claim<'_>, coder: &BoundCodec<T, C>) -> Result<T, CallbackError> {
    match claim.decide().await {
        Answer::Recorded(outcome) => coder.decode_foreign(claim, outcome),
        // It has no body; only a stopped invocation leaves it without an outcome.
        Answer::Run => std::future::pending().await,
    }
}

impl<'a, T> Callback<'a, T> {
    /// The id to complete it by, once that is durable. Hand it out in a `step!`.
    pub fn id(&self) -> impl Future<Output = String> + Send + use<'a, T> {
        let claim = self.claim.again();
        async move { id(&claim).await }
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
    callback: Option<(Context, Op)>,
}

/// The scope that takes this place in the history, with the callback `site` in it. The STARTs of both
/// are queued right here, that of the scope first.
pub fn submitting<'a, T, C: Reads<T>>(
    claim: Claim<'a>,
    site: &'static Site,
    limits: CallbackLimits,
    codec: C,
) -> Submitting<'a, T, C> {
    let (begins, answered) = {
        let engine = &claim.lock().engine;
        let ends = engine.is_new(claim.op) && engine.is_ending();
        (!ends, engine.has_outcome(claim.op))
    };
    let callback = (begins && !answered).then(|| {
        claim.enter();
        let inside = claim.child();
        let callback = inside.claim(site);
        start(&callback, limits);
        let op = callback.op;
        (inside, op)
    });
    Submitting {
        scope: scope(claim, codec),
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
                let claim = Claim {
                    cx: inside,
                    op: *op,
                };
                Enter::Run((inside, id(&claim).await))
            }
        }
    }

    /// The outcome of the callback, recorded as that of the scope; the step's error if it has one.
    pub async fn finish(mut self, handed_out: Result<(), StepError>) -> Result<T, CallbackError> {
        let Some((inside, op)) = self.callback.take() else {
            return std::future::pending().await;
        };
        let claim = Claim { cx: &inside, op };
        let outcome = match handed_out {
            Err(error) => Err(error),
            Ok(()) => match outcome(&claim, self.scope.coder()).await {
                Ok(value) => Ok(value),
                // What is between the callback and the scope is nothing to the caller.
                Err(error) => Err(self.scope.renamed(error)),
            },
        };
        self.scope.settle(outcome).await
    }
}
