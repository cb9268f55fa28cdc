//! What a running handler sees of its execution.

use std::collections::HashMap;
use std::fmt::Display;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use crate::engine::{Decision, Engine, Op, Outcome, ScopeIndex, Turn};
use crate::error::OperationError;
use crate::failure::Failure;
use crate::operation::body::BodyWaker;
use crate::record::Payload;
use crate::site::Site;
use crate::{Clock, ExecutionId, Timestamp};

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
}

pub(crate) struct State {
    pub(crate) engine: Engine,
    /// Operations that cannot go on, with whom to tell when they can.
    pub(crate) parked: HashMap<Op, Parked>,
    /// Bodies that have begun and not ended.
    pub(crate) bodies: HashMap<Op, Arc<BodyWaker>>,
    /// The call site that was claimed last, for warnings.
    pub(crate) last_site: Option<&'static Site>,
}

pub(crate) struct Parked {
    pub(crate) waker: Waker,
    /// When time lets it go on; `None` while it waits for a write.
    pub(crate) until: Option<Timestamp>,
}

impl Shared {
    pub(crate) fn new(engine: Engine, clock: Arc<dyn Clock>, info: ExecutionInfo) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State {
                engine,
                parked: HashMap::new(),
                bodies: HashMap::new(),
                last_site: None,
            }),
            clock,
            info,
        })
    }

    /// A panic while the lock was held left no half-made change that matters: the invocation ends.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The hidden companion of a running handler: one per scope.
///
/// `#[durable]` hands it to every call site; user code never sees it.
pub struct Context {
    shared: Arc<Shared>,
    scope: ScopeIndex,
}

impl Context {
    pub(crate) fn root(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            scope: ScopeIndex::ROOT,
        }
    }

    /// The context inside the scope `op`.
    fn child(&self, op: Op) -> Self {
        let scope = self.shared.lock().engine.open_scope(op);
        Self {
            shared: Arc::clone(&self.shared),
            scope,
        }
    }

    /// Takes the place of `site` in the history, now.
    pub fn claim(&self, site: &'static Site) -> Claim<'_> {
        self.claim_turn(site, Turn::OfSite)
    }

    /// Takes the place in the history of the run of `site` for this key.
    pub fn claim_keyed(&self, site: &'static Site, key: String) -> Claim<'_> {
        self.claim_turn(site, Turn::Key(key))
    }

    fn claim_turn(&self, site: &'static Site, turn: Turn) -> Claim<'_> {
        let mut state = self.shared.lock();
        state.last_site = Some(site);
        let op = state.engine.claim(self.scope, site, turn);
        drop(state);
        Claim { cx: self, op }
    }

    /// What is the same on every replay.
    pub fn execution(&self) -> &ExecutionInfo {
        &self.shared.info
    }
}

/// An operation's place in the history.
#[must_use = "a durable call does nothing until it is awaited"]
pub struct Claim<'a> {
    pub(crate) cx: &'a Context,
    pub(crate) op: Op,
}

/// The engine's answer once there is one.
pub(crate) enum Answer {
    Recorded(Outcome),
    Run,
}

impl Claim<'_> {
    /// How this run is written in histories, in place of name and key.
    pub fn label(self, label: impl Display) -> Self {
        let mut state = self.lock();
        state.engine.label(self.op, || label.to_string());
        drop(state);
        self
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.cx.shared.lock()
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.cx.shared
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.cx.shared.clock.now()
    }

    pub(crate) fn child(&self) -> Context {
        self.cx.child(self.op)
    }

    /// The operation ended with this value.
    pub(crate) fn succeed(&self, payload: Payload, value_type: &'static str) {
        let now = self.now();
        self.lock()
            .engine
            .succeed(self.op, payload, value_type, now);
    }

    /// The operation ended with this failure; answers with the error as it is recorded.
    pub(crate) fn fail(&self, failure: Failure) -> OperationError {
        let error = self.describe(failure, 0);
        let now = self.now();
        self.lock().engine.fail(self.op, error.clone(), now);
        error
    }

    /// The failure as it is recorded for this operation.
    pub(crate) fn describe(&self, failure: Failure, attempts: u32) -> OperationError {
        failure.into_record(self.lock().engine.path(self.op), attempts)
    }

    /// Waits until the operation is answered from its record or may run.
    ///
    /// Once the invocation is stopped this never ends: the driver drops the handler.
    pub(crate) async fn decide(&self) -> Answer {
        let _parking = Parking(self);
        poll_fn(|cx| {
            let mut state = self.lock();
            let until = match state.engine.decide(self.op, || self.now()) {
                Decision::Recorded(outcome) => return Poll::Ready(Answer::Recorded(outcome)),
                Decision::Run => return Poll::Ready(Answer::Run),
                Decision::Until(due) => Some(due),
                Decision::Unwritten | Decision::Stopped => None,
            };
            let waker = cx.waker().clone();
            state.parked.insert(self.op, Parked { waker, until });
            Poll::Pending
        })
        .await
    }

    /// Waits until everything queued of the operation is durable.
    pub(crate) async fn written(&self) {
        let _parking = Parking(self);
        poll_fn(|cx| {
            let mut state = self.lock();
            if state.engine.is_written(self.op) && state.engine.stop().is_none() {
                return Poll::Ready(());
            }
            let waker = cx.waker().clone();
            state.parked.insert(self.op, Parked { waker, until: None });
            Poll::Pending
        })
        .await;
    }
}

/// Takes a parked operation off the list when its future is dropped or goes on.
struct Parking<'a, 'b>(&'a Claim<'b>);

impl Drop for Parking<'_, '_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        if !state.parked.is_empty() {
            state.parked.remove(&self.0.op);
        }
    }
}
