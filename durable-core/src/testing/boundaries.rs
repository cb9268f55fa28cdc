//! Observes the boundaries of a run: the points where a process may die or be delayed.

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

/// Point in a run where its process may die.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Boundary {
    /// The body of this operation is about to run.
    BeforeBody(String),
    /// The body of this operation has ended, and nothing about it is recorded yet.
    AfterBody(String),
    /// This checkpoint has not reached the store.
    BeforeCheckpoint(String),
    /// The store has the checkpoint, but the process has not been told.
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

/// Identifies an operation among all executions of a test.
pub(super) type Key = (ExecutionId, OperationId);

/// What the test does to a process at its boundaries.
pub(super) enum Treatment {
    /// Nothing.
    Undisturbed,
    /// Kills the process at the boundary with this index, counted from 0.
    Crash(usize),
    /// Delays each boundary by a random number of polls.
    Delay(fastrand::Rng),
    /// Only these operations may be registered: the process ends before the body of any other operation runs.
    Replay(HashSet<Key>),
}

/// Values returned by `record!` bodies, reused by later runs of the same scenario.
pub(super) type RecordedValues = HashMap<Key, Payload>;

#[derive(Default)]
struct Log {
    passed: Vec<Boundary>,
    /// The boundary at which the process died.
    died: Option<Boundary>,
    /// Path of each operation whose body began, with the number of times it began.
    begun: BTreeMap<Key, (String, u32)>,
    /// Values that bodies of `record!` returned.
    recorded: RecordedValues,
    undecodable: Vec<(OperationId, String, String)>,
    /// In a replay: the bodies that would have run.
    live: Vec<Body>,
    /// In a replay: paths of operations without a body that are not in the history.
    new: Vec<String>,
    /// In a replay: the most recent invocation.
    invocation: Option<Arc<dyn ObservedInvocation>>,
}

/// Boundaries of one process of a test.
pub(super) struct Boundaries {
    clock: TestClock,
    script: Arc<Script>,
    treatment: Mutex<Treatment>,
    /// Values that `record!` returns instead of running its body.
    reused: Arc<RecordedValues>,
    log: Mutex<Log>,
}

impl Boundaries {
    pub(super) fn new(
        clock: TestClock,
        script: Arc<Script>,
        treatment: Treatment,
        reused: Arc<RecordedValues>,
    ) -> Arc<Self> {
        Arc::new(Self {
            clock,
            script,
            treatment: Mutex::new(treatment),
            reused,
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

    /// Records that a boundary is passed, then dies or is delayed there.
    pub(super) async fn pass(&self, boundary: Boundary) {
        match self.polls_at(boundary) {
            None => std::future::pending().await,
            Some(polls) => delay(polls).await,
        }
    }

    /// Returns the number of polls to delay this boundary by, or `None` if the process dies there.
    fn polls_at(&self, boundary: Boundary) -> Option<u32> {
        let mut log = self.log();
        // Tasks of a dead process may still be polled before its death is noticed. They must not get any further.
        if log.died.is_some() {
            return None;
        }
        let index = log.passed.len();
        log.passed.push(boundary.clone());
        match &mut *self.treatment() {
            Treatment::Crash(at) if *at == index => {
                log.died = Some(boundary);
                None
            }
            Treatment::Delay(random) => Some(random.u32(0..4)),
            _ => Some(0),
        }
    }

    /// The boundary at which the process died, if it did.
    pub(super) fn died(&self) -> Option<Boundary> {
        self.log().died.clone()
    }

    /// Reports whether a replay has reached bodies that would run.
    pub(super) fn is_replay_over(&self) -> bool {
        !self.log().live.is_empty()
    }

    /// The boundaries passed so far.
    pub(super) fn passed(&self) -> Vec<Boundary> {
        self.log().passed.clone()
    }

    /// Path of each operation whose body began, with the number of times it began.
    pub(super) fn begun(&self) -> BTreeMap<Key, (String, u32)> {
        self.log().begun.clone()
    }

    pub(super) fn take_recorded(&self) -> RecordedValues {
        std::mem::take(&mut self.log().recorded)
    }

    pub(super) fn undecodable(&self) -> Vec<(OperationId, String, String)> {
        self.log().undecodable.clone()
    }

    /// In a replay: the bodies that would have run.
    pub(super) fn live(&self) -> Vec<Body> {
        self.log().live.clone()
    }

    /// In a replay: the differences between history and code that the last invocation found before it ended, and the
    /// scopes not in the history that recorded operations have moved into. Drops the invocation.
    pub(super) fn last_invocation(&self) -> (Vec<Drift>, Vec<String>) {
        let Some(invocation) = self.log().invocation.take() else {
            return Default::default();
        };
        (invocation.drift(), invocation.moved_into())
    }

    /// In a replay: paths of operations that were registered but are not in the history.
    pub(super) fn new_operations(&self) -> Vec<String> {
        self.log().new.clone()
    }

    /// Notes that a record of this operation is about to be written.
    pub(super) fn note_write(&self, key: Key, path: &str) {
        if let Treatment::Replay(known) = &*self.treatment()
            && !known.contains(&key)
        {
            self.log().new.push(path.to_owned());
        }
    }

    /// Notes that a body is about to run, and returns whether it may.
    fn begin_body(&self, body: &Body) -> bool {
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

/// Completes after this many polls.
async fn delay(mut polls: u32) {
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

/// Reports the bodies of one process to its [`Boundaries`].
pub(super) struct BoundaryObserver(pub(super) Arc<Boundaries>);

impl Observer for BoundaryObserver {
    fn began(&self, invocation: &Arc<dyn ObservedInvocation>) {
        if matches!(*self.0.treatment(), Treatment::Replay(_)) {
            self.0.log().invocation = Some(Arc::clone(invocation));
        }
    }

    fn before(&self, body: &Body) -> BoxFuture<'static, Result<(), Failure>> {
        let (boundaries, body) = (Arc::clone(&self.0), body.clone());
        Box::pin(async move {
            if !boundaries.begin_body(&body) {
                return std::future::pending().await;
            }
            boundaries
                .pass(Boundary::BeforeBody(body.path.clone()))
                .await;
            match boundaries.script.failure(&body.path, body.attempt) {
                Some(failure) => Err(failure),
                None => Ok(()),
            }
        })
    }

    fn after(&self, body: &Body) -> BoxFuture<'static, ()> {
        let (boundaries, body) = (Arc::clone(&self.0), body.clone());
        Box::pin(async move {
            let duration = boundaries.script.duration(&body.path);
            boundaries.clock.advance(duration);
            boundaries.pass(Boundary::AfterBody(body.path)).await;
        })
    }

    fn running(&self) -> Box<dyn Send + Sync> {
        self.0.clock.start_body()
    }

    fn recorded(&self, body: &Body, value: Payload) -> Payload {
        if body.kind != Kind::Record {
            return value;
        }
        let key = key(body);
        let value = self.0.reused.get(&key).cloned().unwrap_or(value);
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

/// Keys of the records among `records` that have a final outcome.
pub(super) fn settled<'a>(
    records: impl Iterator<Item = (&'a ExecutionId, &'a crate::Record)>,
) -> HashSet<Key> {
    records
        .filter(|(_, record)| record.status.is_terminal())
        .map(|(execution, record)| (execution.clone(), record.id))
        .collect()
}
