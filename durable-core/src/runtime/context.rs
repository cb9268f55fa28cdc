//! What a running handler sees of its execution.

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

/// The hidden companion of a running handler: one per scope.
///
/// `#[durable]` hands it to every call site; user code never sees it.
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

    /// The span of the scope: its field `replay` says whether its code ran before.
    pub fn span(&self) -> &Span {
        &self.span
    }

    /// Polls `body` inside of the span of the scope.
    pub(crate) fn traced<F: Future>(&self, body: F) -> Instrumented<F> {
        body.instrument(self.span.clone())
    }

    /// Runs the body of the scope inside of its span. A panic in it is the failure of the scope, and what else is
    /// under way in it is dropped.
    pub async fn body<F: Future>(&self, body: F) -> Result<F::Output, Failure> {
        let mut body = pin!(self.traced(body));
        poll_fn(|cx| match panic::catch(|| body.as_mut().poll(cx)) {
            Ok(polled) => polled.map(Ok),
            Err(message) => Poll::Ready(Err(Failure::of_panic(message))),
        })
        .await
    }

    /// When a settled operation ended, and the number of its record.
    pub(crate) fn finished(&self, op: OpIndex) -> (Option<Timestamp>, u64) {
        self.shared.lock().engine.finished(op)
    }

    /// The execution ends with this error before its handler does.
    pub(crate) fn end_execution(&self, error: OperationError) {
        self.shared.lock().engine.end_execution(error);
    }

    /// The finished steps that have an undo body, as histories write them.
    pub(crate) fn undoable(&self) -> Vec<String> {
        let state = self.shared.lock();
        let ops = state.undoable.iter();
        ops.map(|op| state.engine.path(*op)).collect()
    }

    /// Why the execution ends before its handler does, if it does.
    pub(crate) fn unwinding(&self) -> Option<OperationError> {
        self.shared.lock().engine.unwinding().cloned()
    }

    /// The context inside the scope `op`.
    pub(crate) fn child(&self, op: OpIndex) -> Self {
        let mut state = self.shared.lock();
        let scope = state.engine.open_scope(op);
        let span = if tracing::span_enabled!(tracing::Level::INFO) {
            state.engine.look_ahead(scope);
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

    /// What is the same on every replay.
    pub fn execution(&self) -> &ExecutionInfo {
        &self.shared.info
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    /// What the store can hold.
    pub(crate) fn limits(&self) -> Capabilities {
        *self.shared.lock().engine.limits()
    }

    /// `target`, or what of an invocation's time a single body should take at most.
    pub(crate) fn share_of_budget(&self, target: Duration) -> Duration {
        self.shared.lock().engine.share_of_budget(target)
    }

    /// Whether nothing is recorded of the execution, and nothing has begun.
    pub(crate) fn is_untouched(&self) -> bool {
        self.shared.lock().engine.is_untouched()
    }

    /// Ends the invocation: the driver drops the handler after this poll.
    pub(crate) fn halt(&self, stop: StopReason) {
        self.shared.lock().engine.halt(stop);
    }
}
