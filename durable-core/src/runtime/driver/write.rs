//! The driver's writes: one at a time, repeated while the store is unavailable.

use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use super::idle::Idle;
use super::{Driver, Event};
use crate::store::{Ack, Batch, ExecutionUpdate, StoreError, StoreErrorKind};
use crate::{BoxFuture, Timestamp};

/// How often a write is repeated while the store is unavailable; delays double from 50 ms.
const WRITE_ATTEMPTS: u32 = 8;

pub(super) struct Write {
    batch: Arc<Batch>,
    done: BoxFuture<'static, Result<Ack, StoreError>>,
}

impl Driver {
    /// Moves the write under way on; whoever waited for it is woken.
    pub(super) fn poll_write(&mut self, cx: &mut TaskContext<'_>) -> Option<Event> {
        let write = self.write.as_mut()?;
        let Poll::Ready(result) = write.done.as_mut().poll(cx) else {
            return None;
        };
        let batch = Arc::clone(&write.batch);
        self.write = None;
        match result {
            Err(error) => Some(Event::StoreFailed(error)),
            Ok(ack) => {
                // What has changed since the last look makes the execution due at once.
                let missed = ack.changes > batch.seen;
                self.acknowledge(ack);
                match batch.execution {
                    Some(ExecutionUpdate::Suspend { .. }) if missed => {
                        Some(Event::Suspended(Some(self.shared.clock.now())))
                    }
                    Some(ExecutionUpdate::Suspend { wake_at }) => Some(Event::Suspended(wake_at)),
                    _ => None,
                }
            }
        }
    }

    /// Whether the write under way suspends the execution.
    pub(super) fn is_suspending(&self) -> bool {
        let update = self.write.as_ref().map(|write| &write.batch.execution);
        matches!(update, Some(Some(ExecutionUpdate::Suspend { .. })))
    }

    fn acknowledge(&mut self, ack: Ack) {
        if let Some(fence) = &ack.fence {
            self.fence = fence.clone();
        }
        if !ack.changed_records.is_empty() {
            self.next_look = None;
        }
        let mut state = self.shared.lock();
        for op in state.engine.acknowledge(&ack) {
            for (_, parked) in state.parked.range((op, 0)..=(op, u64::MAX)) {
                parked.waker.wake_by_ref();
            }
        }
        if ack.paused && !ack.cancel {
            state.engine.drain();
        }
        if state.engine.is_cancelling() {
            self.shared.cancelled.raise();
        }
        while let Some(warning) = state.engine.quota_warning() {
            tracing::warn!(execution = %self.fence.execution, "{warning}");
            self.warnings.push(warning);
        }
    }

    /// Starts the next write if there is one and none is under way.
    pub(super) fn start_write(&mut self) -> bool {
        if self.write.is_some() {
            return false;
        }
        let shared = Arc::clone(&self.shared);
        let now = shared.clock.now();
        let mut state = shared.lock();
        let suspend = match self.idle_state(&state, now) {
            Idle::Suspend(wake_at) if !state.ask => {
                let orchestrated = state.engine.limits().service_driven;
                if orchestrated && state.engine.is_sliced() {
                    state.engine.leave_timer(now);
                }
                (!orchestrated).then_some(ExecutionUpdate::Suspend { wake_at })
            }
            _ if state.engine.has_urgent() || state.ask => None,
            _ => return false,
        };
        let batch = match state.engine.take_batch(suspend) {
            Some(batch) => batch,
            None if state.ask => state.engine.ask(),
            None => return false,
        };
        state.ask = false;
        drop(state);
        self.write = Some(self.write(batch));
        true
    }

    /// Whether the invocation is to end where a suspension writes nothing: everything is written and
    /// nothing has come of it. Then when time lets it go on.
    pub(super) fn rests_unwritten(&mut self) -> Option<Option<Timestamp>> {
        if self.write.is_some() {
            return None;
        }
        let shared = Arc::clone(&self.shared);
        let (state, now) = (shared.lock(), shared.clock.now());
        let unwritten = state.engine.has_queued() || state.ask;
        if !state.engine.limits().service_driven || unwritten {
            return None;
        }
        let left = state.engine.has_left_timer() || !state.engine.is_sliced();
        match self.idle_state(&state, now) {
            Idle::Suspend(wake_at) if left => Some(wake_at),
            _ => None,
        }
    }

    fn write(&self, batch: Arc<Batch>) -> Write {
        let (store, fence) = (Arc::clone(&self.store), self.fence.clone());
        let (shared, sent) = (Arc::clone(&self.shared), Arc::clone(&batch));
        let done = Box::pin(async move {
            let mut delay = Duration::from_millis(50);
            for _ in 1..WRITE_ATTEMPTS {
                match store.checkpoint(&fence, Arc::clone(&sent)).await {
                    Err(error) if error.kind() == StoreErrorKind::Unavailable => {
                        tracing::warn!(execution = %fence.execution, %error, "checkpoint failed, trying again");
                        shared.clock.sleep(delay).await;
                        delay *= 2;
                    }
                    settled => return settled,
                }
            }
            store.checkpoint(&fence, sent).await
        });
        Write { batch, done }
    }

    /// Writes everything that is left, and what became of the execution with the last of it.
    pub(super) async fn close(&mut self, update: ExecutionUpdate) -> Result<(), StoreError> {
        if let Some(write) = self.write.take() {
            let ack = write.done.await?;
            self.acknowledge(ack);
        }
        loop {
            let batch = self.shared.lock().engine.take_batch(Some(update.clone()));
            let Some(batch) = batch else {
                return Ok(());
            };
            let write = self.write(batch);
            let ack = write.done.await?;
            self.acknowledge(ack);
            if write.batch.execution.is_some() {
                return Ok(());
            }
        }
    }
}
