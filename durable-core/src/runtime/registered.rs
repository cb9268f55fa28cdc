//! Registered operations: what the code of each kind of operation builds on.

use std::fmt::Display;
use std::future::poll_fn;
use std::sync::{Arc, MutexGuard};
use std::task::{Poll, Waker};

use tracing::Span;

use crate::Timestamp;
use crate::engine::{Decision, OpIndex, Outcome, RunKey};
use crate::metrics::{AttemptOutcome, Stopwatch};
use crate::model::error::OperationError;
use crate::model::fingerprint::Input;
use crate::model::payload::Payload;
use crate::model::site::Site;
use crate::runtime::context::Context;
use crate::runtime::failure::Failure;
use crate::runtime::observer::{ObservedBody, Observer};
use crate::runtime::shared::{Shared, State, WaitingFuture};

impl Context {
    /// Registers the next run of `site`.
    pub fn register(&self, site: &'static Site) -> Operation<'_> {
        self.register_run(site, RunKey::FromSite)
    }

    /// Registers the run of `site` with this key.
    pub fn register_keyed(&self, site: &'static Site, key: String) -> Operation<'_> {
        self.register_run(site, RunKey::Key(key))
    }

    fn register_run(&self, site: &'static Site, run: RunKey) -> Operation<'_> {
        let mut state = self.shared.lock();
        state.last_site = Some(site);
        let replayed = state.engine.is_replaying(self.scope);
        let op = state.engine.register(self.scope, site, run);
        if replayed && !state.engine.is_replaying(self.scope) {
            self.span.record("replay", false);
        }
        drop(state);
        Operation { cx: self, op }
    }
}

/// Operation that a call site has registered.
#[must_use = "a durable call does nothing until it is awaited"]
pub struct Operation<'a> {
    pub(crate) cx: &'a Context,
    pub(crate) op: OpIndex,
}

/// How an operation proceeds.
pub(crate) enum Answer {
    /// It is answered from its record.
    Recorded(Outcome),
    /// Its body runs.
    Run,
}

impl<'a> Operation<'a> {
    /// Returns another reference to the same operation.
    pub(crate) fn again(&self) -> Self {
        Self {
            cx: self.cx,
            op: self.op,
        }
    }

    /// Makes the driver fetch external updates from the store.
    pub(crate) fn request_refresh(&self) {
        self.lock().refresh = true;
    }

    /// Sets the display name of this run, in place of name and key.
    pub fn label(self, label: impl Display) -> Self {
        let mut state = self.lock();
        state.engine.label(self.op, || label.to_string());
        drop(state);
        self
    }

    /// Sets the input of the body. A record of another input blocks the execution.
    pub fn with(self, input: Input) -> Self {
        self.lock().engine.check_input(self.op, &input);
        self
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.cx.shared.lock()
    }

    /// Returns the span for a live body.
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

    /// Enters the scope.
    pub(crate) fn enter(&self) {
        let now = self.now();
        self.lock().engine.enter(self.op, now);
    }

    /// Closes the scope: what runs in it is no longer recorded.
    pub(crate) fn close(&self, inside: &Context) {
        let now = self.now();
        self.lock().engine.close(inside.scope, now);
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.cx.shared
    }

    /// Returns the observer of bodies, if there is one.
    pub(crate) fn observer(&self) -> Option<&Arc<dyn Observer>> {
        self.cx.shared.observer()
    }

    /// Describes the operation to observers.
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

    /// Kind of the operation, as the value of a label.
    pub(crate) fn kind(&self) -> &'static str {
        self.lock().engine.record(self.op).kind.as_str()
    }

    /// Records the duration of a body.
    pub(crate) fn body_ended(&self, watch: Stopwatch) {
        if self.shared().metrics.is_recording() {
            self.shared().metrics.body_ended(self.kind(), watch);
        }
    }

    /// Counts the end of an attempt.
    pub(crate) fn attempt_ended(&self, outcome: AttemptOutcome) {
        if self.shared().metrics.is_recording() {
            self.shared().metrics.attempt_ended(self.kind(), outcome);
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.cx.shared.clock.now()
    }

    /// Opens the scope of the operation and returns its context.
    pub(crate) fn child(&self) -> Context {
        self.cx.child(self.op)
    }

    /// Ends the operation with this value.
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

    /// Ends the scope with a value that is rebuilt from its children.
    pub(crate) fn succeed_by_children(&self, value_type: &'static str) {
        let now = self.now();
        self.lock()
            .engine
            .succeed_by_children(self.op, value_type, now);
    }

    /// Ends the operation with this error.
    pub(crate) fn fail_with(&self, error: OperationError) {
        let now = self.now();
        self.lock().engine.fail(self.op, error, now);
    }

    /// Converts a failure to the error that is recorded.
    pub(crate) fn describe(&self, failure: Failure, attempts: u32) -> OperationError {
        let state = self.lock();
        let error = failure.to_record(state.engine.path(self.op), attempts);
        error.shortened(state.engine.limits().max_error)
    }

    /// Waits until the operation is answered from its record or may run.
    ///
    /// Never returns when the invocation is stopped: the driver drops the handler.
    pub(crate) async fn decide(&self) -> Answer {
        let mut guard = WaitGuard::of(self);
        poll_fn(|cx| {
            let mut state = self.lock();
            let (wake_at, for_write) = match state.engine.decide(self.op, || self.now()) {
                Decision::Recorded(outcome) => return Poll::Ready(Answer::Recorded(outcome)),
                Decision::Run => return Poll::Ready(Answer::Run),
                Decision::Until(due) => (Some(due), false),
                Decision::External(due) => (due, false),
                Decision::NotDurable => (None, true),
                Decision::Stopped => (None, false),
            };
            guard.wait(&mut state, cx.waker(), wake_at, for_write);
            Poll::Pending
        })
        .await
    }

    /// Waits until the latest state of the operation is durable.
    pub(crate) async fn durable(&self) {
        let mut guard = WaitGuard::of(self);
        poll_fn(|cx| {
            let mut state = self.lock();
            if state.engine.is_durable(self.op) && state.engine.stop().is_none() {
                return Poll::Ready(());
            }
            state.engine.end_if_refused(self.op);
            // Operations that an ending execution has not begun are never written.
            let never = state.engine.is_ending() && state.engine.is_new(self.op);
            guard.wait(&mut state, cx.waker(), None, !never);
            Poll::Pending
        })
        .await;
    }

    /// Waits for the next invocation. Never returns.
    pub(crate) async fn next_invocation<T>(&self) -> T {
        let mut guard = WaitGuard::of(self);
        poll_fn(|cx| {
            guard.wait(&mut self.lock(), cx.waker(), None, false);
            Poll::Pending
        })
        .await
    }
}

/// Removes a future of an operation from the waiting ones when it is dropped or continues.
struct WaitGuard<'a, 'b> {
    operation: &'a Operation<'b>,
    /// Distinguishes it from other futures of the operation. Zero until it waits.
    ticket: u64,
}

impl<'a, 'b> WaitGuard<'a, 'b> {
    fn of(operation: &'a Operation<'b>) -> Self {
        Self {
            operation,
            ticket: 0,
        }
    }

    fn wait(
        &mut self,
        state: &mut State,
        waker: &Waker,
        wake_at: Option<Timestamp>,
        for_write: bool,
    ) {
        if self.ticket == 0 {
            state.tickets += 1;
            self.ticket = state.tickets;
        }
        let waiting = WaitingFuture {
            waker: waker.clone(),
            wake_at,
            for_write,
            woken: false,
        };
        state
            .waiting
            .insert((self.operation.op, self.ticket), waiting);
    }
}

impl Drop for WaitGuard<'_, '_> {
    fn drop(&mut self) {
        if self.ticket != 0 {
            let key = (self.operation.op, self.ticket);
            self.operation.lock().waiting.remove(&key);
        }
    }
}
