//! Locked access to the state of executions.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{Mutex, MutexGuard, Notify, watch};

use super::Engine;
use crate::lambda::db::{DbError, Row, Write, Written};
use crate::lambda::service::{Ending, Execution, Moment, Refusal};

/// Slot of a running execution.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(super) key: i64,
    pub(super) id: String,
    /// `None` after a failed commit, and then the state is read again.
    state: Mutex<Option<Execution>>,
    /// Wakes the task that drives the execution.
    pub(super) wake: Notify,
    /// End of the execution, once it is committed.
    pub(super) ended: watch::Sender<Option<Ending>>,
    /// Whether the next commit has to write the head even if nothing has changed.
    stale_head: AtomicBool,
}

impl Slot {
    pub(super) fn new(key: i64, execution: Execution) -> Arc<Self> {
        Self::of(key, execution, false)
    }

    /// Creates the slot of an execution that recovery may have changed.
    pub(super) fn recovered(key: i64, execution: Execution) -> Arc<Self> {
        Self::of(key, execution, true)
    }

    fn of(key: i64, execution: Execution, stale_head: bool) -> Arc<Self> {
        Arc::new(Self {
            key,
            id: execution.head.id.clone(),
            state: Mutex::new(Some(execution)),
            wake: Notify::new(),
            ended: watch::channel(None).0,
            stale_head: AtomicBool::new(stale_head),
        })
    }

    /// Waits for the end of the execution.
    pub(super) async fn ended(&self) -> Option<Ending> {
        let mut ended = self.ended.subscribe();
        let ended = ended.wait_for(Option::is_some).await.ok()?;
        ended.clone()
    }
}

/// Locked state of a running execution.
pub(super) struct Locked<'a> {
    slot: &'a Slot,
    engine: &'a Engine,
    guard: MutexGuard<'a, Option<Execution>>,
}

impl Engine {
    pub(super) async fn lock<'a>(&'a self, slot: &'a Slot) -> Result<Locked<'a>, DbError> {
        let mut guard = slot.state.lock().await;
        if guard.is_none() {
            let stored = self.stored(&slot.id).await?.ok_or(DbError::Closed)?;
            let read = Execution::restored(stored.head, stored.operations, self.limits);
            *guard = Some(read);
        }
        Ok(Locked {
            slot,
            engine: self,
            guard,
        })
    }

    /// Returns the slot of a running execution.
    pub(super) fn slot(&self, id: &str) -> Option<Arc<Slot>> {
        self.slots().get(id).cloned()
    }

    /// Changes an execution and commits the change before it returns.
    pub(crate) async fn change<T>(
        &self,
        id: &str,
        missing: impl FnOnce() -> Refusal,
        change: impl FnOnce(&mut Execution, Moment) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let Some(slot) = self.slot(id) else {
            // Ended executions do not change. They return the error to report.
            let stored = self.stored(id).await?.ok_or_else(missing)?;
            let mut execution = Execution::restored(stored.head, stored.operations, self.limits);
            if execution.is_running() {
                return Err(Refusal::internal("The execution is just starting."));
            }
            return change(&mut execution, self.moment());
        };
        let mut locked = self.lock(&slot).await?;
        let changed = change(locked.state()?, self.moment());
        // A refused change may have fired timers.
        locked.commit(changed.is_ok()).await?;
        drop(locked);
        slot.wake.notify_one();
        changed
    }

    /// Reads an execution; `read` receives its key too.
    pub(crate) async fn read<T>(
        &self,
        id: &str,
        missing: impl FnOnce() -> Refusal,
        read: impl FnOnce(&Execution, i64) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        if let Some(slot) = self.slot(id) {
            let mut locked = self.lock(&slot).await?;
            return read(locked.state()?, slot.key);
        }
        let stored = self.stored(id).await?.ok_or_else(missing)?;
        let execution = Execution::restored(stored.head, stored.operations, self.limits);
        read(&execution, stored.key)
    }
}

impl Locked<'_> {
    pub(super) fn state(&mut self) -> Result<&mut Execution, DbError> {
        self.guard.as_mut().ok_or(DbError::Closed)
    }

    /// Commits changes. With `head`, commits even if only the head has changed.
    pub(super) async fn commit(&mut self, head: bool) -> Result<(), DbError> {
        let head = self.slot.stale_head.swap(false, Ordering::Relaxed) || head;
        let key = self.slot.key;
        let state = self.state()?;
        if !head && !state.is_changed() {
            return Ok(());
        }
        let row = Row::of(&state.head);
        let changes = state.take_changes();
        let changes = changes.map_err(|error| DbError::Sqlite(error.to_string()))?;
        // If the caller is dropped here, the state in memory must not be ahead of the file.
        let state = self.guard.take();
        let write = Write::Save { key, row, changes };
        match self.engine.db.write(write).await {
            Ok(Written::Done | Written::NameTaken) => {
                *self.guard = state;
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}
