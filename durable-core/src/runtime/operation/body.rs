//! Running bodies of operations.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::Duration;

use tracing::Span;

use crate::metrics::Stopwatch;
use crate::model::error::ErrorKind;
use crate::runtime::body_waker::BodyWaker;
use crate::runtime::failure::Failure;
use crate::runtime::panic;
use crate::runtime::registered::Operation;
use crate::runtime::shared::CancelSignal;
use crate::{BoxFuture, ExecutionId, OperationId, Timestamp};

/// Body of an operation, pinned where it is awaited.
///
/// Code that is generic over the future of a body is compiled for each call site. With this type it is compiled for each
/// type of result.
pub(crate) type Body<'a, R> = Pin<&'a mut (dyn Future<Output = R> + Send + 'a)>;

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

impl<'a, 'b> Running<'a, 'b> {
    /// Counts the body from now on. Returns what wakes it too.
    fn start(operation: &'a Operation<'b>) -> (Self, Arc<BodyWaker>) {
        let signal = BodyWaker::new();
        operation
            .lock()
            .bodies
            .insert(operation.op, Arc::clone(&signal));
        (Self(operation), signal)
    }
}

impl Drop for Running<'_, '_> {
    fn drop(&mut self) {
        self.0.lock().bodies.remove(&self.0.op);
    }
}

/// Run of a body, without the body.
///
/// Code with the type of the body's result is compiled for each such type. This type keeps most of it apart.
pub(crate) struct BodyRun<'a, 'b> {
    signal: Arc<BodyWaker>,
    waker: Waker,
    timeout: Option<(Duration, BoxFuture<'static, ()>)>,
    started: Timestamp,
    watch: Option<Stopwatch>,
    span: Span,
    _observed: Option<Box<dyn Send + Sync>>,
    running: Running<'a, 'b>,
}

impl<'a, 'b> BodyRun<'a, 'b> {
    /// Starts to run a body, which has to end within `timeout`.
    pub(crate) fn start(operation: &'a Operation<'b>, timeout: Option<Duration>) -> Self {
        let (running, signal) = Running::start(operation);
        Self {
            waker: Waker::from(Arc::clone(&signal)),
            signal,
            timeout: timeout.map(|limit| (limit, operation.shared().clock.sleep(limit))),
            _observed: operation.observer().map(|observer| observer.running()),
            started: operation.now(),
            watch: Some(operation.shared().metrics.stopwatch()),
            span: operation.span(),
            running,
        }
    }

    /// Polls the body with `poll_body`, until it returns. A panic or timeout is a failure.
    pub(crate) fn poll(
        &mut self,
        cx: &mut TaskContext<'_>,
        poll_body: &mut dyn FnMut(&mut TaskContext<'_>) -> Poll<()>,
    ) -> Poll<Result<(), Failure>> {
        let _entered = self.span.enter();
        self.signal.before_poll(cx.waker());
        let mut body_cx = TaskContext::from_waker(&self.waker);
        match panic::catch(|| poll_body(&mut body_cx)) {
            Ok(Poll::Ready(())) => return Poll::Ready(Ok(())),
            Err(message) => return Poll::Ready(Err(Failure::of_panic(message))),
            Ok(Poll::Pending) => {}
        }
        let Some((timeout, sleep)) = &mut self.timeout else {
            return Poll::Pending;
        };
        sleep.as_mut().poll(cx).map(|()| {
            let message = format!("the attempt took longer than {timeout:?}");
            Err(Failure::of_engine(ErrorKind::TimedOut, message))
        })
    }

    /// Notes that the body has ended.
    pub(crate) async fn finish(&mut self) {
        let operation = self.running.0;
        if let Some(watch) = self.watch.take() {
            operation.body_ended(watch);
        }
        if let Some(observer) = operation.observer() {
            observer.after(&operation.observed()).await;
        }
        let took = operation.now().since(self.started);
        operation.lock().engine.ran_for(operation.op, took);
    }
}

/// Runs internal work that prevents suspension while it runs, as a body does.
pub(crate) async fn drive<F: Future>(operation: &Operation<'_>, work: F) -> F::Output {
    let (_running, signal) = Running::start(operation);
    let waker = Waker::from(Arc::clone(&signal));
    let mut work = pin!(work);
    poll_fn(|cx| {
        signal.before_poll(cx.waker());
        work.as_mut().poll(&mut TaskContext::from_waker(&waker))
    })
    .await
}
