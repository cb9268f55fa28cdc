//! State that the operations of an invocation share with its driver.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use tokio::sync::Notify;

#[cfg(feature = "testing")]
use crate::engine::Drift;
use crate::engine::{Engine, OpIndex};
use crate::model::site::Site;
use crate::runtime::body_waker::BodyWaker;
use crate::runtime::children::{Awaited, Children};
use crate::runtime::observer::{ObservedInvocation, Observer};
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
    pub(crate) tickets: u64,
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
