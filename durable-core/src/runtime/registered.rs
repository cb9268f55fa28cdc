//! Operations that call sites have registered, as the code of the operations uses them.

use std::fmt::Display;
use std::future::poll_fn;
use std::sync::{Arc, MutexGuard};
use std::task::{Poll, Waker};

use tracing::Span;

use crate::Timestamp;
use crate::engine::{Decision, OpIndex, Outcome, RunKey};
use crate::model::error::OperationError;
use crate::model::fingerprint::Input;
use crate::model::payload::Payload;
use crate::model::site::Site;
use crate::runtime::context::Context;
use crate::runtime::failure::Failure;
use crate::runtime::observer::{ObservedBody, Observer};
use crate::runtime::shared::{Parked, Shared, State};

impl Context {
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
