//! Running bodies of operations.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::Duration;

use crate::model::error::ErrorKind;
use crate::runtime::body_waker::BodyWaker;
use crate::runtime::failure::Failure;
use crate::runtime::panic;
use crate::runtime::registered::Operation;
use crate::runtime::shared::CancelSignal;
use crate::{ExecutionId, OperationId, Timestamp};

const NO_DEADLINE: i64 = i64::MAX;

/// Information about a run of a body: the `step` of `step!(|step| …)`.
#[derive(Debug, Clone)]
pub struct StepInfo {
    execution: ExecutionId,
    operation: OperationId,
    attempt: u32,
    deadline: Arc<AtomicI64>,
    cancelled: Arc<CancelSignal>,
}

impl StepInfo {
    pub(crate) fn new(operation: &Operation<'_>, attempt: u32) -> Self {
        Self {
            execution: operation.cx.execution().id().clone(),
            operation: operation.lock().engine.id(operation.op),
            attempt,
            deadline: Arc::new(AtomicI64::new(NO_DEADLINE)),
            cancelled: Arc::clone(&operation.shared().cancelled),
        }
    }

    /// Sets the deadline.
    pub(crate) fn end_by(&self, deadline: Timestamp) {
        self.deadline.store(deadline.as_millis(), Ordering::Relaxed);
    }

    /// Returns the number of the attempt, from 1.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Returns the id of the execution.
    pub fn execution_id(&self) -> &ExecutionId {
        &self.execution
    }

    /// Returns a key for systems that ignore repeated requests: the same over retries, replays and edits elsewhere in
    /// the handler, and different for every other step of any execution.
    pub fn idempotency_key(&self) -> String {
        format!("{}/{}", self.execution, self.operation)
    }

    /// Waits until the execution is to be cancelled. A long body awaits it next to its work and returns early. Its
    /// result is recorded as usual.
    pub async fn cancelled(&self) {
        self.cancelled.raised().await;
    }

    /// Returns when this attempt times out, if it has a `timeout`.
    pub fn deadline(&self) -> Option<Timestamp> {
        match self.deadline.load(Ordering::Relaxed) {
            NO_DEADLINE => None,
            millis => Some(Timestamp::from_millis(millis)),
        }
    }
}

/// Counts a body as running until it ends or is dropped.
struct Running<'a, 'b>(&'a Operation<'b>);

impl Drop for Running<'_, '_> {
    fn drop(&mut self) {
        self.0.lock().bodies.remove(&self.0.op);
    }
}

/// How a body ended.
pub(crate) enum Ended<T> {
    Returned(T),
    Panicked(String),
    TimedOut,
}

/// Runs `body` in place to its end, or until `timeout` has passed.
pub(crate) async fn run<F: Future>(
    operation: &Operation<'_>,
    timeout: Option<Duration>,
    body: F,
) -> Ended<F::Output> {
    let signal = BodyWaker::new();
    operation
        .lock()
        .bodies
        .insert(operation.op, Arc::clone(&signal));
    let _running = Running(operation);
    let _observed = operation.observer().map(|observer| observer.running());
    let waker = Waker::from(Arc::clone(&signal));
    let mut limit = timeout.map(|limit| operation.shared().clock.sleep(limit));
    let mut body = pin!(body);
    let (started, watch) = (operation.now(), operation.shared().metrics.stopwatch());
    let span = operation.span();
    let ended = poll_fn(|cx| {
        let _entered = span.enter();
        signal.before_poll(cx.waker());
        let polled = panic::catch(|| body.as_mut().poll(&mut TaskContext::from_waker(&waker)));
        match polled {
            Ok(Poll::Ready(output)) => return Poll::Ready(Ended::Returned(output)),
            Err(message) => return Poll::Ready(Ended::Panicked(message)),
            Ok(Poll::Pending) => {}
        }
        match &mut limit {
            Some(limit) => limit.as_mut().poll(cx).map(|()| Ended::TimedOut),
            None => Poll::Pending,
        }
    })
    .await;
    operation.body_ended(watch);
    if let Some(observer) = operation.observer() {
        observer.after(&operation.observed()).await;
    }
    let took = operation.now().since(started);
    operation.lock().engine.ran_for(operation.op, took);
    ended
}

/// Runs one attempt of a body in place. A panic or timeout is a failure.
pub(crate) async fn run_once<F: Future>(
    operation: &Operation<'_>,
    info: Option<&StepInfo>,
    timeout: Option<Duration>,
    body: F,
) -> Result<F::Output, Failure> {
    if let (Some(info), Some(timeout)) = (info, timeout) {
        info.end_by(operation.now().after(timeout));
    }
    match run(operation, timeout, body).await {
        Ended::Returned(result) => Ok(result),
        Ended::Panicked(message) => Err(Failure::of_panic(message)),
        Ended::TimedOut => Err(Failure::of_engine(
            ErrorKind::TimedOut,
            format!(
                "the attempt took longer than {:?}",
                timeout.unwrap_or_default()
            ),
        )),
    }
}

/// Runs internal work that prevents suspension while it runs, as a body does.
pub(crate) async fn drive<F: Future>(operation: &Operation<'_>, work: F) -> F::Output {
    let signal = BodyWaker::new();
    operation
        .lock()
        .bodies
        .insert(operation.op, Arc::clone(&signal));
    let _running = Running(operation);
    let waker = Waker::from(Arc::clone(&signal));
    let mut work = pin!(work);
    poll_fn(|cx| {
        signal.before_poll(cx.waker());
        work.as_mut().poll(&mut TaskContext::from_waker(&waker))
    })
    .await
}
