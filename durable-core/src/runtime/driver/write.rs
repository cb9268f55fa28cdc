//! Writes of the driver: one at a time, repeated while the store is unavailable.

use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use super::idle::Idle;
use super::{Driver, Event};
use crate::metrics::{InvocationMetrics, Stopwatch};
use crate::store::{Ack, Batch, ExecutionUpdate, StoreError, StoreErrorKind};
use crate::{BoxFuture, Timestamp};

/// Number of attempts to write while the store is unavailable. Delays double from 50 ms.
const WRITE_ATTEMPTS: u32 = 8;

/// Write in progress.
pub(super) struct Write {
    batch: Arc<Batch>,
    done: BoxFuture<'static, Result<Ack, StoreError>>,
}

impl Driver {
    /// Polls the write in progress. When it ends, wakes the operations that waited for it.
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
                // An external update that this invocation did not see makes the execution due now.
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

    /// Returns whether the write in progress suspends the execution.
    pub(super) fn is_suspending(&self) -> bool {
        let update = self.write.as_ref().map(|write| &write.batch.execution);
        matches!(update, Some(Some(ExecutionUpdate::Suspend { .. })))
    }

    /// Processes an acknowledgement and wakes the operations that may continue.
    fn acknowledge(&mut self, ack: Ack) {
        if let Some(fence) = &ack.fence {
            self.fence = fence.clone();
        }
        if !ack.changed_records.is_empty() {
            self.next_refresh = None;
        }
        let mut state = self.shared.lock();
        for op in state.engine.acknowledge(&ack) {
            for (_, waiting) in state.waiting.range((op, 0)..=(op, u64::MAX)) {
                waiting.waker.wake_by_ref();
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

    /// Starts the next write, if there is one and none is in progress. Returns whether it did.
    pub(super) fn start_write(&mut self) -> bool {
        if self.write.is_some() {
            return false;
        }
        let shared = Arc::clone(&self.shared);
        let now = shared.clock.now();
        let mut state = shared.lock();
        state.refresh |= state.engine.requests_messages();
        let suspend = match self.idle_state(&state, now) {
            Idle::Suspend(wake_at) if !state.refresh => {
                let service_driven = state.engine.limits().service_driven;
                if service_driven && state.engine.is_sliced() {
                    state.engine.start_slice_timer(now);
                }
                (!service_driven).then_some(ExecutionUpdate::Suspend { wake_at })
            }
            _ if state.engine.has_urgent() || state.refresh => None,
            _ => return false,
        };
        let batch = match state.engine.take_batch(suspend) {
            Some(batch) => batch,
            None if state.refresh => state.engine.refresh_batch(),
            None => return false,
        };
        state.refresh = false;
        drop(state);
        self.write = Some(self.write(batch));
        true
    }

    /// Returns whether the invocation suspends without a write, as on a service, and the time at which it continues.
    pub(super) fn suspends_without_write(&mut self) -> Option<Option<Timestamp>> {
        if self.write.is_some() {
            return None;
        }
        let shared = Arc::clone(&self.shared);
        let (state, now) = (shared.lock(), shared.clock.now());
        let unwritten = state.engine.has_queued() || state.refresh;
        if !state.engine.limits().service_driven || unwritten {
            return None;
        }
        let has_timer = state.engine.has_slice_timer() || !state.engine.is_sliced();
        match self.idle_state(&state, now) {
            Idle::Suspend(wake_at) if has_timer => Some(wake_at),
            _ => None,
        }
    }

    /// Starts to write a batch.
    fn write(&self, batch: Arc<Batch>) -> Write {
        let (store, fence) = (Arc::clone(&self.store), self.fence.clone());
        let (shared, sent) = (Arc::clone(&self.shared), Arc::clone(&batch));
        let done = Box::pin(async move {
            let (mut delay, mut left) = (Duration::from_millis(50), WRITE_ATTEMPTS - 1);
            let watch = shared.metrics.stopwatch();
            loop {
                match store.checkpoint(&fence, Arc::clone(&sent)).await {
                    Err(error) if error.kind() == StoreErrorKind::Unavailable && left > 0 => {
                        tracing::warn!(execution = %fence.execution, %error, "checkpoint failed, trying again");
                        shared.clock.sleep(delay).await;
                        (delay, left) = (delay * 2, left - 1);
                    }
                    Ok(ack) => {
                        count(&shared.metrics, &sent, watch);
                        return Ok(ack);
                    }
                    Err(error) => return Err(error),
                }
            }
        });
        Write { batch, done }
    }

    /// Writes all remaining changes, the last together with the outcome of the execution.
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

/// Records the metrics of an acknowledged checkpoint.
fn count(metrics: &InvocationMetrics, batch: &Batch, watch: Stopwatch) {
    metrics.checkpoint_written(batch.records.len(), watch);
    for child in &batch.children {
        metrics.execution_started(&child.handler);
    }
    if let Some(ExecutionUpdate::Continue { next }) = &batch.execution {
        metrics.execution_started(&next.handler);
    }
}
