//! Context of a running handler or scope.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tracing::instrument::Instrumented;
use tracing::{Instrument, Span};

use crate::Timestamp;
use crate::engine::{OpIndex, ScopeIndex, StopReason};
use crate::model::error::OperationError;
use crate::runtime::failure::Failure;
use crate::runtime::observer::ObservedInvocation;
use crate::runtime::panic;
use crate::runtime::shared::{ExecutionInfo, Shared};
use crate::store::Capabilities;

/// Context of a running handler or of a scope in it.
///
/// `#[durable]` passes it to every call site. User code never sees it.
pub struct Context {
    pub(super) shared: Arc<Shared>,
    pub(super) scope: ScopeIndex,
    pub(super) span: Span,
}

impl Context {
    pub(crate) fn root(shared: Arc<Shared>) -> Self {
        if let Some(observer) = shared.observer() {
            let invocation: Arc<dyn ObservedInvocation> = Arc::clone(&shared) as _;
            observer.began(&invocation);
        }
        let (info, replay) = (
            &shared.info,
            shared.lock().engine.is_replaying(ScopeIndex::ROOT),
        );
        let (id, handler) = (&info.id, &info.handler);
        let span = tracing::info_span!("execution", execution = %id, handler = %handler, replay);
        Self {
            shared,
            scope: ScopeIndex::ROOT,
            span,
        }
    }

    /// Returns the span of the scope. Its field `replay` says whether its code ran before.
    pub fn span(&self) -> &Span {
        &self.span
    }

    /// Polls `body` in the span of the scope.
    pub(crate) fn traced<F: Future>(&self, body: F) -> Instrumented<F> {
        body.instrument(self.span.clone())
    }

    /// Runs the body of the scope in its span. A panic fails the scope, and the other futures in it are dropped.
    pub async fn body<F: Future>(&self, body: F) -> Result<F::Output, Failure> {
        let mut body = pin!(self.traced(body));
        poll_fn(|cx| match panic::catch(|| body.as_mut().poll(cx)) {
            Ok(polled) => polled.map(Ok),
            Err(message) => Poll::Ready(Err(Failure::of_panic(message))),
        })
        .await
    }

    /// Returns when an operation ended, and the sequence number of its record.
    pub(crate) fn finished(&self, op: OpIndex) -> (Option<Timestamp>, u64) {
        self.shared.lock().engine.finished(op)
    }

    /// Ends the execution with this error before its handler returns.
    pub(crate) fn end_execution(&self, error: OperationError) {
        self.shared.lock().engine.end_execution(error);
    }

    /// Returns the display names of the finished steps that have an undo body.
    pub(crate) fn undoable(&self) -> Vec<String> {
        let state = self.shared.lock();
        let ops = state.undoable.iter();
        ops.map(|op| state.engine.path(*op)).collect()
    }

    /// Returns the error that ends the execution before its handler returns, if any.
    pub(crate) fn unwinding(&self) -> Option<OperationError> {
        self.shared.lock().engine.unwinding().cloned()
    }

    /// Opens the scope `op` and returns its context.
    pub(crate) fn child(&self, op: OpIndex) -> Self {
        let mut state = self.shared.lock();
        let scope = state.engine.open_scope(op);
        let span = if tracing::span_enabled!(tracing::Level::INFO) {
            state.engine.count_unregistered(scope);
            let replay = state.engine.is_replaying(scope);
            let (id, operation) = (&self.shared.info.id, state.engine.path(op));
            let operation_id = state.engine.id(op);
            tracing::info_span!(parent: &self.span, "scope", execution = %id, operation, %operation_id, replay)
        } else {
            Span::none()
        };
        drop(state);
        Self {
            shared: Arc::clone(&self.shared),
            scope,
            span,
        }
    }

    /// Returns what is the same on every replay of the execution.
    pub fn execution(&self) -> &ExecutionInfo {
        &self.shared.info
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    /// Returns the capabilities of the store.
    pub(crate) fn limits(&self) -> Capabilities {
        *self.shared.lock().engine.limits()
    }

    /// Returns `target`, or half of the invocation's time if that is less.
    pub(crate) fn share_of_budget(&self, target: Duration) -> Duration {
        self.shared.lock().engine.share_of_budget(target)
    }

    /// Returns whether the execution has no operations yet.
    pub(crate) fn is_untouched(&self) -> bool {
        self.shared.lock().engine.is_untouched()
    }

    /// Stops the invocation. The driver drops the handler after this poll.
    pub(crate) fn halt(&self, stop: StopReason) {
        self.shared.lock().engine.halt(stop);
    }
}
