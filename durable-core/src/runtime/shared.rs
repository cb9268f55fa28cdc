//! State that the operations of an invocation share with its driver.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use tokio::sync::Notify;

#[cfg(feature = "testing")]
use crate::engine::Drift;
use crate::engine::{Engine, OpIndex};
use crate::metrics::InvocationMetrics;
use crate::model::site::Site;
use crate::runtime::body_waker::BodyWaker;
use crate::runtime::children::{Awaited, Children};
use crate::runtime::observer::{ObservedInvocation, Observer};
use crate::transaction::Lineage;
use crate::{Clock, ExecutionId, Labels, Timestamp};

/// Facts about an execution that are the same on every replay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecutionInfo {
    pub(crate) id: ExecutionId,
    pub(crate) handler: String,
    pub(crate) started_at: Timestamp,
    pub(crate) labels: Labels,
}

impl ExecutionInfo {
    /// Returns the id of the execution.
    pub fn id(&self) -> &ExecutionId {
        &self.id
    }

    /// Returns the name of the handler that runs it.
    pub fn handler(&self) -> &str {
        &self.handler
    }

    /// Returns when it was started. The time is recorded, so a handler may use it where it may not read the clock.
    pub fn started_at(&self) -> Timestamp {
        self.started_at
    }

    /// The labels it was started with. They never change.
    pub fn labels(&self) -> &Labels {
        &self.labels
    }
}

/// State that the operations of an invocation share with its driver.
pub(crate) struct Shared {
    state: Mutex<State>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) info: ExecutionInfo,
    /// Identity of the rows of steps in a transaction.
    pub(crate) lineage: Lineage,
    /// Notifies bodies when the execution is to be cancelled.
    pub(crate) cancelled: Arc<CancelSignal>,
    pub(crate) metrics: InvocationMetrics,
    /// Means to run invoked executions, if they run in this process.
    pub(crate) children: Option<Children>,
}

/// Notifies bodies that their execution is to be cancelled.
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
    /// Futures of operations that wait, by operation and ticket.
    pub(crate) waiting: BTreeMap<(OpIndex, u64), WaitingFuture>,
    /// Number of tickets given out. An operation may have several waiting futures.
    pub(crate) tickets: u64,
    /// Bodies that have begun and not ended.
    pub(crate) bodies: HashMap<OpIndex, Arc<BodyWaker>>,
    /// The call site that was registered last, for warnings.
    pub(crate) last_site: Option<&'static Site>,
    /// Whether to fetch external updates from the store.
    pub(crate) refresh: bool,
    /// Executions that operations wait for.
    pub(crate) children: Vec<Awaited>,
    /// Finished steps with an undo body.
    pub(crate) undoable: Vec<OpIndex>,
}

/// Future of an operation that waits.
pub(crate) struct WaitingFuture {
    pub(crate) waker: Waker,
    /// Time at which it may continue.
    pub(crate) wake_at: Option<Timestamp>,
    /// Whether it continues after a write.
    pub(crate) for_write: bool,
    /// Whether it was woken because its time has come.
    pub(crate) woken: bool,
}

impl Shared {
    pub(crate) fn new(
        engine: Engine,
        clock: Arc<dyn Clock>,
        info: ExecutionInfo,
        lineage: Lineage,
        children: Option<Children>,
    ) -> Arc<Self> {
        Arc::new(Self {
            cancelled: Arc::default(),
            metrics: InvocationMetrics::new(&info.handler),
            children,
            state: Mutex::new(State {
                engine,
                waiting: BTreeMap::new(),
                tickets: 0,
                bodies: HashMap::new(),
                last_site: None,
                refresh: false,
                children: Vec::new(),
                undoable: Vec::new(),
            }),
            clock,
            info,
            lineage,
        })
    }

    /// Returns the observer of bodies, if there is one.
    pub(crate) fn observer(&self) -> Option<&Arc<dyn Observer>> {
        let children = self.children.as_ref()?;
        children.settings.observer.as_ref()
    }

    /// Locks the state. A poisoned lock is ignored, because the invocation ends after a panic.
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
