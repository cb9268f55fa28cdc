//! What a running handler sees of its execution.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Display;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use tokio::sync::Notify;
use tracing::instrument::Instrumented;
use tracing::{Instrument, Span};

#[cfg(feature = "testing")]
use crate::engine::Drift;
use crate::engine::{Decision, Engine, OpIndex, Outcome, RunKey, ScopeIndex, StopReason};
use crate::model::error::OperationError;
use crate::model::fingerprint::Input;
use crate::model::payload::Payload;
use crate::model::site::Site;
use crate::runtime::body_waker::BodyWaker;
use crate::runtime::children::{Awaited, Children};
use crate::runtime::failure::Failure;
use crate::runtime::observer::{ObservedBody, ObservedInvocation, Observer};
use crate::store::Capabilities;
use crate::{Clock, ExecutionId, Timestamp, runtime::panic};

/// What is the same on every replay of an execution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecutionInfo {
    pub(crate) id: ExecutionId,
    pub(crate) handler: String,
    pub(crate) started_at: Timestamp,
}

impl ExecutionInfo {
    /// The execution's id.
    pub fn id(&self) -> &ExecutionId {
        &self.id
    }

    /// Name of the handler that runs it.
    pub fn handler(&self) -> &str {
        &self.handler
    }

    /// When it was started: recorded once, so it may be used where the clock may not.
    pub fn started_at(&self) -> Timestamp {
        self.started_at
    }
}

/// Everything that the operations of one invocation and its driver share.
pub(crate) struct Shared {
    state: Mutex<State>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) info: ExecutionInfo,
    /// Told to bodies when the execution is to be cancelled.
    pub(crate) cancelled: Arc<CancelSignal>,
    /// Where invoked executions are run, if that is done here.
    pub(crate) children: Option<Children>,
}

/// Tells bodies that their execution is to be cancelled.
#[derive(Debug, Default)]
pub(crate) struct CancelSignal {
    raised: AtomicBool,
    notify: Notify,
}

impl CancelSignal {
    pub(crate) fn raise(&self) {
        if !self.raised.swap(true, Ordering::AcqRel) {
            self.notify.notify_waiters();
        }
    }

    pub(crate) async fn raised(&self) {
        let mut notified = std::pin::pin!(self.notify.notified());
        notified.as_mut().enable();
        if !self.raised.load(Ordering::Acquire) {
            notified.await;
        }
    }
}

pub(crate) struct State {
    pub(crate) engine: Engine,
    /// Operations that cannot go on, with whom to tell when they can.
    pub(crate) parked: BTreeMap<(OpIndex, u64), Parked>,
    /// Futures that were parked so far: an operation may have several.
    tickets: u64,
    /// Bodies that have begun and not ended.
    pub(crate) bodies: HashMap<OpIndex, Arc<BodyWaker>>,
    /// The call site that was claimed last, for warnings.
    pub(crate) last_site: Option<&'static Site>,
    /// Whether the store is to be asked what the outside has changed.
    pub(crate) ask: bool,
    /// Executions that operations wait for.
    pub(crate) children: Vec<Awaited>,
    /// Finished steps with an undo body.
    pub(crate) undoable: Vec<OpIndex>,
}

pub(crate) struct Parked {
    pub(crate) waker: Waker,
    /// When time lets it go on.
    pub(crate) until: Option<Timestamp>,
    /// Whether a write lets it go on.
    pub(crate) writing: bool,
    /// Whether it was told that its time has come.
    pub(crate) woken: bool,
}

impl Shared {
    pub(crate) fn new(
        engine: Engine,
        clock: Arc<dyn Clock>,
        info: ExecutionInfo,
        children: Option<Children>,
    ) -> Arc<Self> {
        Arc::new(Self {
            cancelled: Arc::default(),
            children,
            state: Mutex::new(State {
                engine,
                parked: BTreeMap::new(),
                tickets: 0,
                bodies: HashMap::new(),
                last_site: None,
                ask: false,
                children: Vec::new(),
                undoable: Vec::new(),
            }),
            clock,
            info,
        })
    }

    /// Who watches the bodies of the run, if anybody does.
    pub(crate) fn observer(&self) -> Option<&Arc<dyn Observer>> {
        let children = self.children.as_ref()?;
        children.settings.observer.as_ref()
    }

    /// A panic while the lock was held left no half-made change that matters: the invocation ends.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ObservedInvocation for Shared {
    #[cfg(feature = "testing")]
    fn drift(&self) -> Vec<Drift> {
        self.lock().engine.drift()
    }

    #[cfg(feature = "testing")]
    fn moved_into(&self) -> Vec<String> {
        self.lock().engine.moved_into()
    }
}

/// The hidden companion of a running handler: one per scope.
///
/// `#[durable]` hands it to every call site; user code never sees it.
pub struct Context {
    shared: Arc<Shared>,
    scope: ScopeIndex,
    span: Span,
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

    /// Takes the place of `site` in the history, now.
    pub fn register(&self, site: &'static Site) -> Operation<'_> {
        self.register_run(site, RunKey::FromSite)
    }

    /// Takes the place in the history of the run of `site` for this key.
    pub fn register_keyed(&self, site: &'static Site, key: String) -> Operation<'_> {
        self.register_run(site, RunKey::Key(key))
    }

    fn register_run(&self, site: &'static Site, turn: RunKey) -> Operation<'_> {
        let mut state = self.shared.lock();
        state.last_site = Some(site);
        let replayed = state.engine.is_replaying(self.scope);
        let op = state.engine.register(self.scope, site, turn);
        if replayed && !state.engine.is_replaying(self.scope) {
            self.span.record("replay", false);
        }
        drop(state);
        Operation { cx: self, op }
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

/// An operation's place in the history.
#[must_use = "a durable call does nothing until it is awaited"]
pub struct Operation<'a> {
    pub(crate) cx: &'a Context,
    pub(crate) op: OpIndex,
}

/// The engine's answer once there is one.
pub(crate) enum Answer {
    Recorded(Outcome),
    Run,
}

impl<'a> Operation<'a> {
    /// The same operation, for another future of the same operation.
    pub(crate) fn again(&self) -> Self {
        Self {
            cx: self.cx,
            op: self.op,
        }
    }

    /// Has the driver ask the store what the outside has changed.
    pub(crate) fn ask(&self) {
        self.lock().ask = true;
    }

    /// How this run is written in histories, in place of name and key.
    pub fn label(self, label: impl Display) -> Self {
        let mut state = self.lock();
        state.engine.label(self.op, || label.to_string());
        drop(state);
        self
    }

    /// What its body is called with: what was recorded with another input blocks the execution.
    pub fn with(self, input: Input) -> Self {
        self.lock().engine.called_with(self.op, &input);
        self
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.cx.shared.lock()
    }

    /// The span of the live body of the operation.
    pub(crate) fn span(&self) -> Span {
        if !tracing::span_enabled!(tracing::Level::INFO) {
            return Span::none();
        }
        let (id, state) = (&self.cx.shared.info.id, self.lock());
        let (operation, attempt) = (state.engine.path(self.op), state.engine.attempt(self.op));
        let replay = false;
        let operation_id = state.engine.id(self.op);
        tracing::info_span!("operation", execution = %id, operation, %operation_id, attempt, replay)
    }

    /// A scope is entered.
    pub(crate) fn enter(&self) {
        let now = self.now();
        self.lock().engine.enter(self.op, now);
    }

    /// The scope is over: what is under way in it is never written again.
    pub(crate) fn close(&self, inside: &Context) {
        let now = self.now();
        self.lock().engine.close(inside.scope, now);
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.cx.shared
    }

    /// Who watches the bodies of the run, if anybody does.
    pub(crate) fn observer(&self) -> Option<&Arc<dyn Observer>> {
        self.cx.shared.observer()
    }

    /// The operation as observers see it.
    pub(crate) fn observed(&self) -> ObservedBody {
        let engine = &self.lock().engine;
        let record = engine.record(self.op);
        ObservedBody {
            execution: self.cx.execution().id().clone(),
            id: record.id,
            kind: record.kind,
            path: engine.path(self.op),
            attempt: record.attempt,
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.cx.shared.clock.now()
    }

    pub(crate) fn child(&self) -> Context {
        self.cx.child(self.op)
    }

    /// The operation ended with this value.
    pub(crate) fn succeed(&self, payload: Payload, value_type: &'static str) {
        let payload = match self.observer() {
            None => payload,
            Some(observer) => observer.recorded(&self.observed(), payload),
        };
        let now = self.now();
        self.lock()
            .engine
            .succeed(self.op, payload, value_type, now);
    }

    /// The scope ended with a value that is rebuilt from its children.
    pub(crate) fn succeed_by_children(&self, value_type: &'static str) {
        let now = self.now();
        self.lock()
            .engine
            .succeed_by_children(self.op, value_type, now);
    }

    /// The operation ended with this error.
    pub(crate) fn fail_with(&self, error: OperationError) {
        let now = self.now();
        self.lock().engine.fail(self.op, error, now);
    }

    /// The failure as it is recorded for this operation.
    pub(crate) fn describe(&self, failure: Failure, attempts: u32) -> OperationError {
        let state = self.lock();
        let error = failure.into_record(state.engine.path(self.op), attempts);
        error.shortened(state.engine.limits().max_error)
    }

    /// Waits until the operation is answered from its record or may run.
    ///
    /// Once the invocation is stopped this never ends: the driver drops the handler.
    pub(crate) async fn decide(&self) -> Answer {
        let mut parking = Parking::of(self);
        poll_fn(|cx| {
            let mut state = self.lock();
            let (until, writing) = match state.engine.decide(self.op, || self.now()) {
                Decision::Recorded(outcome) => return Poll::Ready(Answer::Recorded(outcome)),
                Decision::Run => return Poll::Ready(Answer::Run),
                Decision::Until(due) => (Some(due), false),
                Decision::External(due) => (due, false),
                Decision::NotDurable => (None, true),
                Decision::Stopped => (None, false),
            };
            parking.park(&mut state, cx.waker(), until, writing);
            Poll::Pending
        })
        .await
    }

    /// Waits until everything queued of the operation is durable.
    pub(crate) async fn durable(&self) {
        let mut parking = Parking::of(self);
        poll_fn(|cx| {
            let mut state = self.lock();
            if state.engine.is_durable(self.op) && state.engine.stop().is_none() {
                return Poll::Ready(());
            }
            state.engine.end_if_refused(self.op);
            // What an ending execution never began will never be written.
            let never = state.engine.is_ending() && state.engine.is_new(self.op);
            parking.park(&mut state, cx.waker(), None, !never);
            Poll::Pending
        })
        .await;
    }

    /// Waits for the next invocation, which begins at once.
    pub(crate) async fn next_invocation<T>(&self) -> T {
        let mut parking = Parking::of(self);
        poll_fn(|cx| {
            parking.park(&mut self.lock(), cx.waker(), None, false);
            Poll::Pending
        })
        .await
    }
}

/// Takes a parked future of an operation off the list when it is dropped or goes on.
struct Parking<'a, 'b> {
    operation: &'a Operation<'b>,
    /// Tells it apart from other futures of the operation; zero while it has not been parked.
    ticket: u64,
}

impl<'a, 'b> Parking<'a, 'b> {
    fn of(operation: &'a Operation<'b>) -> Self {
        Self {
            operation,
            ticket: 0,
        }
    }

    fn park(&mut self, state: &mut State, waker: &Waker, until: Option<Timestamp>, writing: bool) {
        if self.ticket == 0 {
            state.tickets += 1;
            self.ticket = state.tickets;
        }
        let parked = Parked {
            waker: waker.clone(),
            until,
            writing,
            woken: false,
        };
        state
            .parked
            .insert((self.operation.op, self.ticket), parked);
    }
}

impl Drop for Parking<'_, '_> {
    fn drop(&mut self) {
        if self.ticket != 0 {
            let key = (self.operation.op, self.ticket);
            self.operation.lock().parked.remove(&key);
        }
    }
}
