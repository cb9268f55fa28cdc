//! Runs one invocation: polls the handler, writes what it produces, and ends when it can go no
//! further. The only place that awaits a store.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context as TaskContext, Poll, Wake, Waker, ready};
use std::time::Duration;

use crate::context::{Shared, State};
use crate::engine::Stop;
use crate::error::OperationError;
use crate::record::Payload;
use crate::store::{
    Ack, Batch, CheckpointStore, ExecutionUpdate, Fence, StoreError, StoreErrorKind,
};
use crate::{BoxFuture, Timestamp, panic};

/// A START goes alone once its body has run for this long.
const LONE_START: Duration = Duration::from_millis(500);
/// How long a body may stay woken without being polled before it counts as given up.
const SETTLE: Duration = Duration::from_millis(20);
/// How often a write is repeated while the store is unavailable; delays double from 50 ms.
const WRITE_ATTEMPTS: u32 = 8;
/// After this many turns in one poll other tasks get theirs.
const TURNS_PER_POLL: u32 = 128;

/// How an invocation ended; all of it is durable.
#[derive(Debug)]
pub(crate) enum Ended {
    Succeeded(Payload),
    Failed(OperationError),
    Suspended(Option<Timestamp>),
    Blocked(String),
}

/// What the handler ends with.
pub(crate) type Returned = Result<Payload, OperationError>;

/// Notes that the handler or the lease wants attention, and wakes whoever runs the invocation.
#[derive(Default)]
pub(crate) struct Attention {
    wanted: AtomicBool,
    lease_lost: AtomicBool,
    task: Mutex<Option<Waker>>,
}

impl Attention {
    fn listen(&self, waker: &Waker) {
        let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *task {
            Some(known) => known.clone_from(waker),
            None => *task = Some(waker.clone()),
        }
    }

    /// Another process has the execution now: nothing more may be run.
    pub(crate) fn lose_lease(self: &Arc<Self>) {
        self.lease_lost.store(true, Ordering::Release);
        self.wake_by_ref();
    }
}

impl Wake for Attention {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.wanted.swap(true, Ordering::AcqRel) {
            let task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(waker) = &*task {
                waker.wake_by_ref();
            }
        }
    }
}

struct Write {
    batch: Arc<Batch>,
    done: BoxFuture<'static, Result<Ack, StoreError>>,
}

struct Timer {
    at: Timestamp,
    done: BoxFuture<'static, ()>,
}

/// Why the loop hands over.
enum Event {
    Returned(Returned),
    Stopped(Stop),
    Suspended(Option<Timestamp>),
    StoreFailed(StoreError),
}

pub(crate) struct Driver {
    pub(crate) shared: Arc<Shared>,
    pub(crate) store: Arc<dyn CheckpointStore>,
    pub(crate) fence: Fence,
    pub(crate) attention: Arc<Attention>,
    /// Timers that end within this time are waited for in place.
    pub(crate) resident: Duration,
    write: Option<Write>,
    timer: Option<Timer>,
    settling: Option<Timestamp>,
    warned: bool,
    pub(crate) warnings: Vec<String>,
}

impl Driver {
    pub(crate) fn new(
        shared: Arc<Shared>,
        store: Arc<dyn CheckpointStore>,
        fence: Fence,
        resident: Duration,
    ) -> Self {
        Self {
            shared,
            store,
            fence,
            attention: Arc::default(),
            resident,
            write: None,
            timer: None,
            settling: None,
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
        self.attention.wanted.store(true, Ordering::Release);
        let waker = Waker::from(Arc::clone(&self.attention));
        let event = std::future::poll_fn(|cx| self.poll(&mut handler, &waker, cx)).await;
        // The handler is gone before the last write: nothing it holds can add to it.
        drop(handler);
        match event {
            Event::StoreFailed(error) => Err(error),
            Event::Suspended(until) => Ok(Ended::Suspended(until)),
            Event::Returned(Ok(output)) => {
                let update = ExecutionUpdate::Succeed {
                    output: output.clone(),
                };
                self.close(update).await?;
                Ok(Ended::Succeeded(output))
            }
            Event::Returned(Err(error)) | Event::Stopped(Stop::Failed(error)) => {
                self.close(ExecutionUpdate::Fail {
                    error: error.clone(),
                })
                .await?;
                Ok(Ended::Failed(error))
            }
            Event::Stopped(Stop::Blocked(report)) => {
                let update = ExecutionUpdate::Block {
                    report: report.clone(),
                };
                self.close(update).await?;
                Ok(Ended::Blocked(report))
            }
        }
    }

    fn poll(
        &mut self,
        handler: &mut BoxFuture<'_, Returned>,
        waker: &Waker,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Event> {
        self.attention.listen(cx.waker());
        for _ in 0..TURNS_PER_POLL {
            if let Some(event) = self.poll_write(cx) {
                return Poll::Ready(event);
            }
            if self.attention.lease_lost.load(Ordering::Acquire) {
                return Poll::Ready(Event::StoreFailed(lease_lost(&self.fence)));
            }
            if self.attention.wanted.swap(false, Ordering::AcqRel)
                && let Some(event) = self.poll_handler(handler, waker)
            {
                return Poll::Ready(event);
            }
            if self.start_write() || self.attention.wanted.load(Ordering::Acquire) {
                continue;
            }
            return self.idle(cx);
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn poll_handler(
        &mut self,
        handler: &mut BoxFuture<'_, Returned>,
        waker: &Waker,
    ) -> Option<Event> {
        let mut cx = TaskContext::from_waker(waker);
        let polled = panic::catch(AssertUnwindSafe(|| handler.as_mut().poll(&mut cx)));
        if let Some(stop) = self.shared.lock().engine.stop() {
            return Some(Event::Stopped(stop.clone()));
        }
        match polled {
            Ok(Poll::Pending) => None,
            Ok(Poll::Ready(returned)) => Some(Event::Returned(returned)),
            Err(message) => Some(Event::Returned(Err(OperationError::of_handler(
                &self.shared.info.handler,
                message,
            )))),
        }
    }

    /// Moves the write under way on; whoever waited for it is woken.
    fn poll_write(&mut self, cx: &mut TaskContext<'_>) -> Option<Event> {
        let write = self.write.as_mut()?;
        let Poll::Ready(result) = write.done.as_mut().poll(cx) else {
            return None;
        };
        let batch = Arc::clone(&write.batch);
        self.write = None;
        match result {
            Err(error) => Some(Event::StoreFailed(error)),
            Ok(ack) => {
                self.acknowledge(ack);
                match batch.execution {
                    Some(ExecutionUpdate::Suspend { wake_at }) => Some(Event::Suspended(wake_at)),
                    _ => None,
                }
            }
        }
    }

    fn acknowledge(&mut self, ack: Ack) {
        if let Some(fence) = ack.fence {
            self.fence = fence;
        }
        let mut state = self.shared.lock();
        for op in state.engine.acknowledge() {
            if let Some(parked) = state.parked.get(&op) {
                parked.waker.wake_by_ref();
            }
        }
    }

    /// Starts the next write if there is one and none is under way.
    fn start_write(&mut self) -> bool {
        if self.write.is_some() {
            return false;
        }
        let shared = Arc::clone(&self.shared);
        let now = shared.clock.now();
        let mut state = shared.lock();
        let suspend = match self.rest(&state, now) {
            Rest::Suspend(wake_at) => Some(ExecutionUpdate::Suspend { wake_at }),
            Rest::Busy | Rest::Until(_) if state.engine.has_urgent() => None,
            Rest::Busy | Rest::Until(_) => return false,
        };
        let Some(batch) = state.engine.take_batch(suspend) else {
            return false;
        };
        drop(state);
        self.write = Some(self.write(batch));
        true
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

    /// The handler is pending and nothing can be written: waits for a time or a wake-up.
    fn idle(&mut self, cx: &mut TaskContext<'_>) -> Poll<Event> {
        let shared = Arc::clone(&self.shared);
        let now = shared.clock.now();
        let alarm = {
            let mut state = shared.lock();
            let start = state.engine.oldest_unwritten_start();
            let lone_start = start.map(|at| at.after(LONE_START));
            let rest = match self.rest(&state, now) {
                Rest::Until(time) if self.write.is_none() => Some(time),
                _ => None,
            };
            let alarm = [lone_start, rest].into_iter().flatten().min();
            if alarm.is_some_and(|alarm| alarm <= now) {
                if lone_start.is_some_and(|at| at <= now) {
                    state.engine.flush_starts();
                }
                wake_due(&state, now);
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            alarm
        };
        self.warn_if_foreign();
        let Some(alarm) = alarm else {
            return Poll::Pending;
        };
        ready!(self.poll_timer(alarm, now, cx));
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// A timer that is early is kept: re-arming on every step would cost more than waking once.
    fn poll_timer(&mut self, at: Timestamp, now: Timestamp, cx: &mut TaskContext<'_>) -> Poll<()> {
        if self.timer.as_ref().is_none_or(|timer| timer.at > at) {
            let done = self.shared.clock.sleep(at.since(now));
            self.timer = Some(Timer { at, done });
        }
        if let Some(timer) = &mut self.timer {
            ready!(timer.done.as_mut().poll(cx));
        }
        self.timer = None;
        Poll::Ready(())
    }

    /// What there is to wait for while nothing runs.
    fn rest(&mut self, state: &State, now: Timestamp) -> Rest {
        let mut neglected = false;
        for body in state.bodies.values() {
            if !body.is_neglected() {
                self.settling = None;
                return Rest::Busy;
            }
            neglected = true;
        }
        let wanted = self.attention.wanted.load(Ordering::Acquire);
        let writes_awaited = state.parked.values().any(|parked| parked.until.is_none());
        let earliest = state
            .parked
            .values()
            .filter_map(|parked| parked.until)
            .min();
        let (false, false, Some(earliest)) = (wanted, writes_awaited, earliest) else {
            self.settling = None;
            return Rest::Busy;
        };
        if earliest.since(now) <= self.resident {
            return Rest::Until(earliest);
        }
        if neglected {
            let settled = *self.settling.get_or_insert(now.after(SETTLE));
            if now < settled {
                return Rest::Until(settled);
            }
        }
        Rest::Suspend(Some(earliest))
    }

    /// Nothing of ours is waited for: the handler awaits something that replay cannot answer.
    fn warn_if_foreign(&mut self) {
        let state = self.shared.lock();
        let ours = !state.parked.is_empty() || !state.bodies.is_empty() || self.write.is_some();
        if ours || self.warned {
            return;
        }
        let place = state.last_site.map_or_else(
            || "before its first durable call".to_owned(),
            |site| format!("after {site}"),
        );
        drop(state);
        self.warned = true;
        let warning = format!(
            "`{}` awaits something that is no durable call, {place}: it is awaited anew on every \
             replay, and holds off suspension; put it into a `step!`",
            self.shared.info.handler
        );
        tracing::warn!(execution = %self.fence.execution, "{warning}");
        self.warnings.push(warning);
    }

    /// Writes everything that is left, and what became of the execution with the last of it.
    async fn close(&mut self, update: ExecutionUpdate) -> Result<(), StoreError> {
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

/// What an invocation waits for.
enum Rest {
    /// Something runs or is about to.
    Busy,
    /// A time that is worth staying for.
    Until(Timestamp),
    /// Nothing before this time: the process is not needed.
    Suspend(Option<Timestamp>),
}

fn wake_due(state: &State, now: Timestamp) {
    for parked in state.parked.values() {
        if parked.until.is_some_and(|due| due <= now) {
            parked.waker.wake_by_ref();
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
