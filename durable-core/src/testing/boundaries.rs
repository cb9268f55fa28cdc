//! Sees every boundary of a run: where a process may die, and where it may be held up.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use super::clock::TestClock;
use super::script::Script;
use crate::engine::Drift;
use crate::model::payload::Payload;
use crate::model::record::Kind;
use crate::runtime::failure::Failure;
pub(super) use crate::runtime::observer::ObservedBody as Body;
use crate::runtime::observer::{ObservedInvocation, Observer};
use crate::{BoxFuture, ExecutionId, OperationId};

/// A place in a run where its process may die.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Boundary {
    /// The body of this operation is about to run.
    BeforeBody(String),
    /// The body of this operation has ended, and nothing of that is recorded.
    AfterBody(String),
    /// Nothing of this checkpoint has reached the store.
    BeforeCheckpoint(String),
    /// The store has the checkpoint, the process does not know.
    AfterCheckpoint(String),
}

impl fmt::Display for Boundary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BeforeBody(path) => write!(f, "before the body of `{path}`"),
            Self::AfterBody(path) => {
                write!(f, "after the body of `{path}`, before its checkpoint")
            }
            Self::BeforeCheckpoint(what) => write!(f, "before the checkpoint of {what}"),
            Self::AfterCheckpoint(what) => write!(f, "after the checkpoint of {what}"),
        }
    }
}

/// An operation among all executions of a test.
pub(super) type Key = (ExecutionId, OperationId);

/// What happens at the boundaries of a run.
pub(super) enum Treatment {
    /// Nothing.
    Quiet,
    /// The process dies at the boundary with this number, from 0.
    Crash(usize),
    /// Whoever passes a boundary is held up for some polls.
    HoldUp(fastrand::Rng),
    /// Nothing but these operations may be asked for: the process ends before the first other body.
    Replay(HashSet<Key>),
}

/// A value that a body recorded, as far as other runs are to take it over.
pub(super) type Recorded = HashMap<Key, Payload>;

#[derive(Default)]
struct Log {
    boundaries: Vec<Boundary>,
    /// Where the process died.
    died: Option<Boundary>,
    /// How often the bodies of each operation began.
    begun: BTreeMap<Key, (String, u32)>,
    /// What bodies of `record!` gave.
    recorded: Recorded,
    undecodable: Vec<(OperationId, String, String)>,
    /// In a replay: the bodies that were about to run.
    live: Vec<Body>,
    /// In a replay: operations without a body that began.
    new: Vec<String>,
    /// In a replay: the last invocation.
    invocation: Option<Arc<dyn ObservedInvocation>>,
}

/// One process of a test, seen from outside.
pub(super) struct Watch {
    clock: TestClock,
    script: Arc<Script>,
    treatment: Mutex<Treatment>,
    /// What `record!` is to give, where it was run before.
    given: Arc<Recorded>,
    log: Mutex<Log>,
}

impl Watch {
    pub(super) fn new(
        clock: TestClock,
        script: Arc<Script>,
        treatment: Treatment,
        given: Arc<Recorded>,
    ) -> Arc<Self> {
        Arc::new(Self {
            clock,
            script,
            treatment: Mutex::new(treatment),
            given,
            log: Mutex::default(),
        })
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn treatment(&self) -> MutexGuard<'_, Treatment> {
        self.treatment
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// A boundary is passed: notes it, and dies or is held up there.
    pub(super) async fn pass(&self, boundary: Boundary) {
        match self.polls_at(boundary) {
            None => std::future::pending().await,
            Some(polls) => held_up(polls).await,
        }
    }

    /// For how many polls who passes the boundary is held up; none if the process dies there.
    fn polls_at(&self, boundary: Boundary) -> Option<u32> {
        let mut log = self.log();
        // With the process everything in it ends, whatever else is polled before that is noticed.
        if log.died.is_some() {
            return None;
        }
        let number = log.boundaries.len();
        log.boundaries.push(boundary.clone());
        match &mut *self.treatment() {
            Treatment::Crash(at) if *at == number => {
                log.died = Some(boundary);
                None
            }
            Treatment::HoldUp(random) => Some(random.u32(0..4)),
            _ => Some(0),
        }
    }

    /// Where the process died, if it did.
    pub(super) fn died(&self) -> Option<Boundary> {
        self.log().died.clone()
    }

    /// Whether a replay has come to where bodies would run.
    pub(super) fn is_over(&self) -> bool {
        !self.log().live.is_empty()
    }

    pub(super) fn boundaries(&self) -> Vec<Boundary> {
        self.log().boundaries.clone()
    }

    /// How often the bodies of each operation began, with its path.
    pub(super) fn begun(&self) -> BTreeMap<Key, (String, u32)> {
        self.log().begun.clone()
    }

    pub(super) fn take_recorded(&self) -> Recorded {
        std::mem::take(&mut self.log().recorded)
    }

    pub(super) fn undecodable(&self) -> Vec<(OperationId, String, String)> {
        self.log().undecodable.clone()
    }

    /// In a replay: the bodies that were about to run.
    pub(super) fn live(&self) -> Vec<Body> {
        self.log().live.clone()
    }

    /// In a replay: differences between history and code, as far as the last invocation came, and the new scopes that
    /// recorded operations have moved into. The invocation is forgotten.
    pub(super) fn last_invocation(&self) -> (Vec<Drift>, Vec<String>) {
        let Some(invocation) = self.log().invocation.take() else {
            return Default::default();
        };
        (invocation.drift(), invocation.moved_into())
    }

    /// In a replay: operations that began, and that are not in the history.
    pub(super) fn new_operations(&self) -> Vec<String> {
        self.log().new.clone()
    }

    /// A record is on its way to the store.
    pub(super) fn writes(&self, key: Key, path: &str) {
        if let Treatment::Replay(known) = &*self.treatment()
            && !known.contains(&key)
        {
            self.log().new.push(path.to_owned());
        }
    }

    /// Notes that a body is about to run; answers with whether it may.
    fn begins(&self, body: &Body) -> bool {
        let mut log = self.log();
        if matches!(*self.treatment(), Treatment::Replay(_)) {
            log.live.push(body.clone());
            return false;
        }
        let entry = log.begun.entry(key(body));
        entry.or_insert_with(|| (body.path.clone(), 0)).1 += 1;
        true
    }
}

fn key(body: &Body) -> Key {
    (body.execution.clone(), body.id)
}

/// Ends after this many polls.
async fn held_up(mut polls: u32) {
    std::future::poll_fn(|cx| {
        if polls == 0 {
            return Poll::Ready(());
        }
        polls -= 1;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// The observer of one process.
pub(super) struct Watcher(pub(super) Arc<Watch>);

impl Observer for Watcher {
    fn began(&self, invocation: &Arc<dyn ObservedInvocation>) {
        if matches!(*self.0.treatment(), Treatment::Replay(_)) {
            self.0.log().invocation = Some(Arc::clone(invocation));
        }
    }

    fn before(&self, body: &Body) -> BoxFuture<'static, Result<(), Failure>> {
        let (watch, body) = (Arc::clone(&self.0), body.clone());
        Box::pin(async move {
            if !watch.begins(&body) {
                return std::future::pending().await;
            }
            watch.pass(Boundary::BeforeBody(body.path.clone())).await;
            match watch.script.failure(&body.path, body.attempt) {
                Some(failure) => Err(failure),
                None => Ok(()),
            }
        })
    }

    fn after(&self, body: &Body) -> BoxFuture<'static, ()> {
        let (watch, body) = (Arc::clone(&self.0), body.clone());
        Box::pin(async move {
            watch.clock.advance(watch.script.duration(&body.path));
            watch.pass(Boundary::AfterBody(body.path)).await;
        })
    }

    fn running(&self) -> Box<dyn Send + Sync> {
        self.0.clock.hold()
    }

    fn recorded(&self, body: &Body, value: Payload) -> Payload {
        if body.kind != Kind::Record {
            return value;
        }
        let key = key(body);
        let value = self.0.given.get(&key).cloned().unwrap_or(value);
        self.0.log().recorded.insert(key, value.clone());
        value
    }

    fn undecodable(&self, body: &Body, message: &str) {
        let entry = (body.id, body.path.clone(), message.to_owned());
        let mut log = self.0.log();
        if !log.undecodable.contains(&entry) {
            log.undecodable.push(entry);
        }
    }
}

/// The operations among `of` whose outcome is settled.
pub(super) fn settled<'a>(
    of: impl Iterator<Item = (&'a ExecutionId, &'a crate::Record)>,
) -> HashSet<Key> {
    of.filter(|(_, record)| record.status.is_terminal())
        .map(|(execution, record)| (execution.clone(), record.id))
        .collect()
}
