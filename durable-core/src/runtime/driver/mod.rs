//! Runs one invocation: polls the handler, writes what it produces, and ends when it can go no
//! further. The only place that awaits a store.

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

/// After this many turns in one poll other tasks get theirs.
const TURNS_PER_POLL: u32 = 128;

/// How an invocation ended; all of it is durable.
#[derive(Debug)]
#[non_exhaustive]
pub enum Ended {
    /// The handler returned this value.
    Succeeded(Payload),
    /// The handler ended with this error.
    Failed(OperationError),
    /// Nothing to do before this time, or before the outside has changed the execution more often
    /// than `seen`.
    Suspended {
        /// When time lets it go on, if that is what it waits for.
        wake_at: Option<Timestamp>,
        /// Changes from outside that the invocation knew of.
        seen: u64,
    },
    /// Code and history disagree; the report says about what.
    Blocked(String),
    /// It was cancelled and has stopped.
    Cancelled(OperationError),
    /// Another execution goes on in its place.
    Continued(NewExecution),
}

/// What the handler ends with.
pub(crate) type Returned = Result<Payload, OperationError>;

/// Why the loop hands over.
enum Event {
    Returned(Returned),
    Stopped(StopReason),
    Suspended(Option<Timestamp>),
    StoreFailed(StoreError),
}

pub(crate) struct Driver {
    pub(crate) shared: Arc<Shared>,
    pub(crate) store: Arc<dyn CheckpointStore>,
    /// Who tells of changes from outside, where that is not left to checkpoints.
    informer: Option<Arc<dyn Store>>,
    pub(crate) fence: Fence,
    pub(crate) signal: Arc<InvocationSignal>,
    /// Timers that end within this time are waited for in place.
    pub(crate) suspend_after: Duration,
    /// Tells of changes from outside.
    news: Option<BoxFuture<'static, ()>>,
    write: Option<Write>,
    timer: Option<Timer>,
    settling: Option<Timestamp>,
    /// When a service is asked next whether time has let something go on, and the pause after that.
    next_look: Option<(Timestamp, Duration)>,
    unwinding: bool,
    warned: bool,
    pub(crate) warnings: Vec<String>,
}

impl Driver {
    pub(crate) fn new(
        shared: Arc<Shared>,
        store: Arc<dyn CheckpointStore>,
        informer: Option<Arc<dyn Store>>,
        fence: Fence,
        suspend_after: Duration,
    ) -> Self {
        Self {
            shared,
            store,
            informer,
            fence,
            signal: Arc::default(),
            suspend_after,
            news: None,
            write: None,
            timer: None,
            settling: None,
            next_look: None,
            unwinding: false,
            warned: false,
            warnings: Vec::new(),
        }
    }

    /// Runs the handler until it returns, suspends or may not go on.
    pub(crate) async fn run(
        &mut self,
        handler: BoxFuture<'_, Returned>,
    ) -> Result<Ended, StoreError> {
        let mut handler = handler;
        self.signal.wanted.store(true, Ordering::Release);
        let waker = Waker::from(Arc::clone(&self.signal));
        let event = std::future::poll_fn(|cx| self.poll(&mut handler, &waker, cx)).await;
        // The handler is gone before the last write: nothing it holds can add to it.
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
                let most = self.shared.lock().engine.limits().max_error;
                self.fail(error.shortened(most)).await
            }
            Event::Stopped(StopReason::Continued(next)) => {
                let next = *next;
                let update = ExecutionUpdate::Continue { next: next.clone() };
                self.close(update).await?;
                Ok(Ended::Continued(next))
            }
            Event::Stopped(StopReason::Blocked(report)) => {
                self.shared.lock().engine.forget_starts();
                let update = ExecutionUpdate::Block {
                    report: report.clone(),
                };
                self.close(update).await?;
                Ok(Ended::Blocked(report))
            }
        }
    }

    /// The handler returned an error.
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
        for _ in 0..TURNS_PER_POLL {
            if let Some(event) = self.poll_write(cx) {
                return Poll::Ready(event);
            }
            if self.signal.lease_lost.load(Ordering::Acquire) {
                return Poll::Ready(Event::StoreFailed(lease_lost(&self.fence)));
            }
            if self.signal.draining.load(Ordering::Acquire) {
                self.shared.lock().engine.drain();
            }
            // A handler that is being suspended goes no further: the lease ends with this write.
            if self.is_suspending() {
                return Poll::Pending;
            }
            if self.signal.wanted.swap(false, Ordering::AcqRel)
                && let Some(event) = self.poll_handler(handler, waker)
            {
                return Poll::Ready(event);
            }
            if let Some(wake_at) = self.rests_unwritten() {
                return Poll::Ready(Event::Suspended(wake_at));
            }
            if self.start_write() || self.signal.wanted.load(Ordering::Acquire) {
                continue;
            }
            return self.idle(cx);
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Whether the error is, or comes from, the cancellation of the execution.
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
        // What runs the handler has to hear that it is over.
        if matches!(polled, Ok(Poll::Pending))
            && state.engine.unwinding().is_some()
            && !self.unwinding
        {
            self.unwinding = true;
            self.signal.wanted.store(true, Ordering::Release);
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
            "the lease of execution `{}` was lost: another process runs it now; this one has stopped",
            fence.execution
        ),
    )
}
