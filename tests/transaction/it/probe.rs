//! Database that stops, fails or keeps rows where a test wants it to.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use durable::transaction::{Key, RecordedOutcome, Transaction, TransactionError, Transactional};
use tokio::sync::Notify;

/// Moment in the life of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Point {
    BeforeBegin,
    InBody,
    AfterCommit,
}

/// Stops the first transaction that comes to a point, until it is opened.
#[derive(Debug)]
pub(crate) struct Gate {
    point: Point,
    used: AtomicBool,
    reached: Notify,
    opened: Notify,
}

impl Gate {
    /// Waits until a transaction has stopped.
    pub(crate) async fn reached(&self) {
        self.reached.notified().await;
    }

    pub(crate) fn open(&self) {
        self.opened.notify_one();
    }
}

/// How commits end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Commits {
    #[default]
    Normally,
    /// They take effect, but the answer is lost.
    WithLostAnswer,
    /// They do not take effect, and the answer is lost.
    Never,
}

#[derive(Debug, Default)]
pub(crate) struct Hooks {
    gate: Mutex<Option<Arc<Gate>>>,
    commits: Mutex<Commits>,
    keeps_rows: AtomicBool,
    /// Whether the next transaction after one that did not commit normally cannot begin.
    pub(crate) outage: AtomicBool,
    refuses: AtomicBool,
}

impl Hooks {
    /// Sets a gate.
    pub(crate) fn stop_at(&self, point: Point) -> Arc<Gate> {
        let gate = Arc::new(Gate {
            point,
            used: AtomicBool::new(false),
            reached: Notify::new(),
            opened: Notify::new(),
        });
        *self.gate.lock().unwrap() = Some(Arc::clone(&gate));
        gate
    }

    /// Stops at `point` if there is a gate that nobody has come to.
    pub(crate) async fn pass(&self, point: Point) {
        let gate = self.gate.lock().unwrap().clone();
        if let Some(gate) = gate.filter(|gate| gate.point == point && !gate.used.swap(true, SeqCst))
        {
            gate.reached.notify_one();
            gate.opened.notified().await;
        }
    }

    pub(crate) fn set_commits(&self, commits: Commits) {
        *self.commits.lock().unwrap() = commits;
    }

    /// Removes no rows from now on, as if the process died before it did.
    pub(crate) fn keep_rows(&self) {
        self.keeps_rows.store(true, SeqCst);
    }
}

/// Database with hooks.
pub(crate) struct Probe<D> {
    pub(crate) inner: D,
    pub(crate) hooks: Arc<Hooks>,
}

pub(crate) struct ProbeTransaction<X> {
    inner: X,
    hooks: Arc<Hooks>,
}

impl<D: Transactional<M>, M> Transactional<M> for Probe<D> {
    type Transaction = ProbeTransaction<D::Transaction>;

    async fn begin(&self) -> Result<Self::Transaction, TransactionError> {
        self.hooks.pass(Point::BeforeBegin).await;
        if self.hooks.refuses.swap(false, SeqCst) {
            return Err(TransactionError::database("the server does not answer"));
        }
        Ok(ProbeTransaction {
            inner: self.inner.begin().await?,
            hooks: Arc::clone(&self.hooks),
        })
    }

    async fn find(&self, key: &Key) -> Result<Option<RecordedOutcome>, TransactionError> {
        self.inner.find(key).await
    }

    async fn remove(&self, key: &Key) -> Result<(), TransactionError> {
        if self.hooks.keeps_rows.load(SeqCst) {
            return Err(TransactionError::database("the connection was lost"));
        }
        self.inner.remove(key).await
    }
}

impl<X: Transaction> Transaction for ProbeTransaction<X> {
    type Handle<'t>
        = X::Handle<'t>
    where
        Self: 't;

    fn handle(&mut self) -> X::Handle<'_> {
        self.inner.handle()
    }

    async fn raise_fence(&mut self, key: &Key, fence: i64) -> Result<bool, TransactionError> {
        self.inner.raise_fence(key, fence).await
    }

    async fn insert(
        &mut self,
        key: &Key,
        outcome: &RecordedOutcome,
    ) -> Result<bool, TransactionError> {
        self.inner.insert(key, outcome).await
    }

    async fn commit(self) -> Result<(), TransactionError> {
        let commits = std::mem::take(&mut *self.hooks.commits.lock().unwrap());
        if commits != Commits::Normally {
            let outage = self.hooks.outage.load(SeqCst);
            self.hooks.refuses.store(outage, SeqCst);
        }
        match commits {
            Commits::Normally => self.inner.commit().await?,
            Commits::WithLostAnswer => {
                self.inner.commit().await?;
                return Err(TransactionError::database("the answer was lost"));
            }
            Commits::Never => {
                self.inner.roll_back().await?;
                return Err(TransactionError::database("the answer was lost"));
            }
        }
        self.hooks.pass(Point::AfterCommit).await;
        Ok(())
    }

    async fn roll_back(self) -> Result<(), TransactionError> {
        self.inner.roll_back().await
    }
}
