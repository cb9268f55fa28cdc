//! `callback!`: an outcome that an outside party reports.

use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use super::coder::Coder;
use crate::BoxFuture;
use crate::codec::Codec;
use crate::context::{Answer, Claim, Context};
use crate::engine::{Limits, Outcome};
use crate::error::{CallbackError, StepError};
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
    C: Codec<T> + Send + Sync + 'a,
{
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
    drop(state);
    let coder = Coder::<T, C>::new(codec);
    let waiting = claim.again();
    let outcome = Box::pin(async move {
        match waiting.decide().await {
            Answer::Recorded(Outcome::Value(payload)) => coder.decode_any(&waiting, &payload),
            Answer::Recorded(outcome) => coder.decode(&waiting, outcome),
            // It has no body; only a stopped invocation leaves it without an outcome.
            Answer::Run => std::future::pending().await,
        }
    });
    Callback { claim, outcome }
}

impl<'a, T> Callback<'a, T> {
    /// The id to complete it by, once that is durable. Hand it out in a `step!`.
    pub fn id(&self) -> impl Future<Output = String> + Send + use<'a, T> {
        let claim = self.claim.again();
        async move {
            claim.written().await;
            let handle = claim.lock().engine.handle(claim.op);
            match handle {
                Some(id) => id,
                None => std::future::pending().await,
            }
        }
    }

    /// The context of the step that hands the id out.
    pub fn inside(&self) -> Context {
        self.claim.child()
    }
}

impl<T> Future for Callback<'_, T> {
    type Output = Result<T, CallbackError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        self.outcome.as_mut().poll(cx)
    }
}

/// The outcome of a callback whose id a step was to hand out; the step's error if it has one.
pub async fn submitted<T>(
    callback: Callback<'_, T>,
    handed_out: Result<(), StepError>,
) -> Result<T, CallbackError> {
    handed_out?;
    callback.await
}
