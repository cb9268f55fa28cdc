//! Driver of an invocation: polls the handler, writes its changes, and ends the invocation when nothing can progress.
//! Only the driver awaits a store.

mod idle;
mod write;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::Duration;

use crate::runtime::signal::InvocationSignal;

use crate::engine::StopReason;
use crate::model::error::{ErrorKind, OperationError};
use crate::model::payload::Payload;
use crate::runtime::shared::Shared;
use crate::store::{
    CheckpointStore, ExecutionUpdate, Fence, NewExecution, Store, StoreError, StoreErrorKind,
};
use crate::{BoxFuture, Timestamp, runtime::panic};
use idle::Timer;
use write::Write;

/// Number of rounds in one poll, after which other tasks may run.
const ROUNDS_PER_POLL: u32 = 128;

/// How an invocation ended. Everything about it is durable.
#[derive(Debug)]
#[non_exhaustive]
pub enum Ended {
    /// The handler returned this value.
    Succeeded(Payload),
    /// The handler ended with this error.
    Failed(OperationError),
    /// It waits for a time, or for more external updates than `seen`.
    Suspended {
        /// Time at which it continues, if it waits for one.
        wake_at: Option<Timestamp>,
        /// Number of external updates that the invocation knew of.
        seen: u64,
    },
    /// Code and history disagree, as the report says.
    Blocked(String),
    /// It was cancelled and has stopped.
    Cancelled(OperationError),
    /// Another execution continues it.
    Continued(NewExecution),
}

/// Result of the handler.
pub(crate) type Returned = Result<Payload, OperationError>;

/// Why the loop ends.
enum Event {
    Returned(Returned),
    Stopped(StopReason),
    Suspended(Option<Timestamp>),
    StoreFailed(StoreError),
}

pub(crate) struct Driver {
    pub(crate) shared: Arc<Shared>,
    pub(crate) store: Arc<dyn CheckpointStore>,
    /// Store that notifies of external updates. `None` if only acknowledgements do.
    notifier: Option<Arc<dyn Store>>,
    pub(crate) fence: Fence,
    pub(crate) signal: Arc<InvocationSignal>,
    /// Timers that end within this time are awaited in memory.
    pub(crate) suspend_after: Duration,
    /// Completes when there are external updates.
    external_change: Option<BoxFuture<'static, ()>>,
    write: Option<Write>,
    timer: Option<Timer>,
    /// When bodies that were woken and not polled count as abandoned.
    abandoned_at: Option<Timestamp>,
    /// When a service is asked next whether a timer has ended, and the pause after that.
    next_refresh: Option<(Timestamp, Duration)>,
    unwinding: bool,
    warned: bool,
    pub(crate) warnings: Vec<String>,
}

impl Driver {
    pub(crate) fn new(
        shared: Arc<Shared>,
        store: Arc<dyn CheckpointStore>,
        notifier: Option<Arc<dyn Store>>,
        fence: Fence,
        suspend_after: Duration,
    ) -> Self {
        Self {
            shared,
            store,
            notifier,
            fence,
            signal: Arc::default(),
            suspend_after,
            external_change: None,
            write: None,
            timer: None,
            abandoned_at: None,
            next_refresh: None,
            unwinding: false,
            warned: false,
            warnings: Vec::new(),
        }
    }

    /// Runs the handler until it returns, suspends or is stopped.
    pub(crate) async fn run(
        &mut self,
        handler: BoxFuture<'_, Returned>,
    ) -> Result<Ended, StoreError> {
        let mut handler = handler;
        self.signal.poll_requested.store(true, Ordering::Release);
        let waker = Waker::from(Arc::clone(&self.signal));
        let event = std::future::poll_fn(|cx| self.poll(&mut handler, &waker, cx)).await;
        // The handler is dropped before the last write, so that it cannot add to it.
        drop(handler);
        match event {
            Event::StoreFailed(error) => Err(error),
            Event::Suspended(wake_at) => {
                let seen = self.shared.lock().engine.seen();
                Ok(Ended::Suspended { wake_at, seen })
            }
            Event::Returned(Ok(output)) => {
                let update = ExecutionUpdate::Succeed {
                    output: output.clone(),
                };
                self.close(update).await?;
                Ok(Ended::Succeeded(output))
            }
            Event::Returned(Err(error)) => {
                let max = self.shared.lock().engine.limits().max_error;
                self.fail(error.shortened(max)).await
            }
            Event::Stopped(StopReason::Continued(next)) => {
                let next = *next;
                let update = ExecutionUpdate::Continue { next: next.clone() };
                self.close(update).await?;
                Ok(Ended::Continued(next))
            }
            Event::Stopped(StopReason::Blocked(report)) => {
                self.shared.lock().engine.discard_starts();
                let update = ExecutionUpdate::Block {
                    report: report.clone(),
                };
                self.close(update).await?;
                Ok(Ended::Blocked(report))
            }
        }
    }

    /// Ends the execution with an error of the handler: failed or cancelled.
    async fn fail(&mut self, error: OperationError) -> Result<Ended, StoreError> {
        if self.was_cancelled(&error) {
            let error = error.into_cancelled();
            let update = ExecutionUpdate::Cancel {
                error: error.clone(),
            };
            self.close(update).await?;
            return Ok(Ended::Cancelled(error));
        }
        let update = ExecutionUpdate::Fail {
            error: error.clone(),
        };
        self.close(update).await?;
        Ok(Ended::Failed(error))
    }

    fn poll(
        &mut self,
        handler: &mut BoxFuture<'_, Returned>,
        waker: &Waker,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Event> {
        self.signal.listen(cx.waker());
        for _ in 0..ROUNDS_PER_POLL {
            if let Some(event) = self.poll_write(cx) {
                return Poll::Ready(event);
            }
            if self.signal.lease_lost.load(Ordering::Acquire) {
                return Poll::Ready(Event::StoreFailed(lease_lost(&self.fence)));
            }
            if self.signal.draining.load(Ordering::Acquire) {
                self.shared.lock().engine.drain();
            }
            // A handler that is being suspended is not polled: the lease ends with this write.
            if self.is_suspending() {
                return Poll::Pending;
            }
            if self.signal.poll_requested.swap(false, Ordering::AcqRel)
                && let Some(event) = self.poll_handler(handler, waker)
            {
                return Poll::Ready(event);
            }
            if let Some(wake_at) = self.suspends_without_write() {
                return Poll::Ready(Event::Suspended(wake_at));
            }
            if self.start_write() || self.signal.poll_requested.load(Ordering::Acquire) {
                continue;
            }
            return self.idle(cx);
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Returns whether the error is, or results from, the cancellation of the execution.
    fn was_cancelled(&self, error: &OperationError) -> bool {
        error.kind() == ErrorKind::Cancelled || self.shared.lock().engine.is_cancelling()
    }

    fn poll_handler(
        &mut self,
        handler: &mut BoxFuture<'_, Returned>,
        waker: &Waker,
    ) -> Option<Event> {
        let mut cx = TaskContext::from_waker(waker);
        let polled = panic::catch(AssertUnwindSafe(|| handler.as_mut().poll(&mut cx)));
        let state = self.shared.lock();
        if let Some(stop) = state.engine.stop() {
            return Some(Event::Stopped(stop.clone()));
        }
        // Polled once more, so that the code around the handler notices.
        if matches!(polled, Ok(Poll::Pending))
            && state.engine.unwinding().is_some()
            && !self.unwinding
        {
            self.unwinding = true;
            self.signal.poll_requested.store(true, Ordering::Release);
        }
        drop(state);
        match polled {
            Ok(Poll::Pending) => None,
            Ok(Poll::Ready(returned)) => Some(Event::Returned(returned)),
            Err(message) => Some(Event::Returned(Err(OperationError::of_panic(
                &self.shared.info.handler,
                message,
            )))),
        }
    }
}

fn lease_lost(fence: &Fence) -> StoreError {
    StoreError::new(
        StoreErrorKind::FenceLost,
        format!(
            "the lease of execution `{}` was lost: another process may run it now; this one has stopped",
            fence.execution
        ),
    )
}
