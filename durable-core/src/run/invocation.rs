//! One invocation, which runs the handler from the top as far as possible.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use crate::engine::{Budget, Counts, Drift, Engine, StopReason, unreadable_input};
use crate::metrics::InvocationMetrics;
use crate::model::error::{ErrorKind, OperationError};
use crate::model::payload::Payload;
use crate::model::record::Record;
use crate::runtime::any_handler::{AnyHandler, HandlerError, bind};
use crate::runtime::children::{Awaited, Children};
use crate::runtime::context::Context;
use crate::runtime::driver::{Driver, Ended, Returned};
use crate::runtime::handler::Handler;
use crate::runtime::panic;
use crate::runtime::shared::{ExecutionInfo, Shared};
use crate::runtime::signal::InvocationSignal;
use crate::runtime::undo::Undo;
use crate::store::{
    CheckpointStore, Execution, ExecutionStatus, Lease, Store, StoreError, StoreErrorKind,
    refuse_sealed,
};
use crate::transaction::Lineage;
use crate::{BoxFuture, Clock, SystemClock, Timestamp};

/// Runs the handler of an execution once from the top, for backends that start invocations themselves. Within a
/// process, [`run`](crate::run()) does so.
///
/// The caller owns the lease: it is neither acquired nor renewed here.
pub struct Invocation {
    store: Arc<dyn CheckpointStore>,
    lease: Lease,
    clock: Arc<dyn Clock>,
    suspend_after: Duration,
    budget: Option<Budget>,
    children: Option<Children>,
}

impl Invocation {
    /// Creates an invocation of the leased execution, which writes its checkpoints to `store`.
    pub fn new(store: Arc<dyn CheckpointStore>, lease: Lease) -> Self {
        Self {
            store,
            lease,
            clock: Arc::new(SystemClock),
            suspend_after: Duration::ZERO,
            budget: None,
            children: None,
        }
    }

    /// Sets the clock. The default is [`SystemClock`].
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Sets the longest wait that keeps the handler in memory. The default is none.
    #[must_use]
    pub fn suspend_after(mut self, limit: Duration) -> Self {
        self.suspend_after = limit;
        self
    }

    /// Limits the time of the invocation: when it must end, its total duration, and how much of that is held in
    /// reserve.
    ///
    /// The invocation ends before a body that may not fit into the remaining time, and the next one continues.
    #[must_use]
    pub fn budget(mut self, ends_at: Timestamp, total: Duration, reserve: Duration) -> Self {
        self.budget = Some(Budget {
            ends_at,
            total,
            reserve,
        });
        self
    }

    /// Runs child executions in this process, and gets external events from their store.
    pub(crate) fn with_children(mut self, children: Children) -> Self {
        self.children = Some(children);
        self
    }

    /// Runs the handler until it returns or cannot progress.
    ///
    /// # Errors
    ///
    /// Errors of the store. Nothing that was not acknowledged took effect.
    pub async fn run<H, S>(self, state: &S) -> Result<Ended, StoreError>
    where
        S: Sync,
        H: Handler<S>,
    {
        let handler = bind::<H, _>(state);
        self.begin().await?.run(&*handler).await
    }

    /// Loads the history.
    pub(crate) async fn begin(self) -> Result<Running, StoreError> {
        let lease = self.lease;
        let records = load(&*self.store, &lease).await?;
        refuse_sealed(&lease.execution, &records)?;
        let capabilities = self.store.capabilities();
        let lineage = Lineage::of(&lease, &capabilities);
        let mut engine = Engine::new(records, lease.was_interrupted, capabilities);
        engine.resume(lease.execution.changes, lease.execution.cancel);
        if let Some(budget) = self.budget {
            engine.set_budget(budget);
        }
        let info = ExecutionInfo {
            id: lease.execution.id.clone(),
            handler: lease.execution.handler.clone(),
            started_at: lease.execution.created_at,
            labels: lease.execution.labels.clone(),
        };
        let informer = self.children.as_ref().map(|own| Arc::clone(&own.store));
        let shared = Shared::new(engine, self.clock, info, lineage, self.children);
        if lease.execution.cancel {
            shared.cancelled.raise();
        }
        let driver = driver(&shared, self.store, informer, &lease, self.suspend_after);
        Ok(Running {
            shared,
            driver,
            execution: lease.execution,
        })
    }
}

fn driver(
    shared: &Arc<Shared>,
    store: Arc<dyn CheckpointStore>,
    informer: Option<Arc<dyn Store>>,
    lease: &Lease,
    suspend_after: Duration,
) -> Driver {
    let fence = lease.fence.clone();
    Driver::new(Arc::clone(shared), store, informer, fence, suspend_after)
}

/// Invocation whose history is loaded.
pub(crate) struct Running {
    shared: Arc<Shared>,
    driver: Driver,
    execution: Execution,
}

impl Running {
    /// Returns the wake-up flag, which is also raised when the lease is lost.
    pub(crate) fn signal(&self) -> Arc<InvocationSignal> {
        Arc::clone(&self.driver.signal)
    }

    /// Runs the handler.
    pub(crate) async fn run(&mut self, handler: &dyn AnyHandler) -> Result<Ended, StoreError> {
        let sites = handler.manifest().sites;
        self.shared.lock().engine.runs_function(None, sites);
        let cx = Context::root(Arc::clone(&self.shared));
        if let Some(trace) = &self.execution.trace {
            trace.set_parent_of(cx.span());
        }
        let handler = run_handler(&cx, handler, &self.execution);
        let handler = Box::pin(cx.traced(handler));
        let _running = self.shared.metrics.running();
        let ended = self.driver.run(handler).await;
        count_end(&self.shared.metrics, &ended);
        ended
    }

    /// Returns the counts and warnings of the invocation.
    pub(crate) fn findings(&mut self) -> (Counts, Vec<String>) {
        let warnings = std::mem::take(&mut self.driver.warnings);
        (self.shared.lock().engine.counts(), warnings)
    }

    /// Returns the executions that it waits for.
    pub(crate) fn waits_for(&self) -> Vec<Awaited> {
        self.shared.lock().children.clone()
    }

    /// Returns the differences between the history and the call sites that ran.
    pub(crate) fn drift(&self) -> Vec<Drift> {
        self.shared.lock().engine.drift()
    }
}

fn count_end(metrics: &InvocationMetrics, ended: &Result<Ended, StoreError>) {
    let status = match ended {
        Ok(Ended::Succeeded(_)) => ExecutionStatus::Succeeded,
        Ok(Ended::Failed(_)) => ExecutionStatus::Failed,
        Ok(Ended::Cancelled(_)) => ExecutionStatus::Cancelled,
        Ok(Ended::Continued(_)) => ExecutionStatus::Continued,
        Ok(Ended::Blocked(_)) => return metrics.execution_blocked(),
        Err(error) if error.kind() == StoreErrorKind::FenceLost => return metrics.lease_lost(),
        Ok(Ended::Suspended { .. }) | Err(_) => return,
    };
    metrics.execution_ended(status.as_str());
}

async fn run_handler(cx: &Context, handler: &dyn AnyHandler, execution: &Execution) -> Returned {
    let undo = Undo::default();
    let running = match call(cx, handler, &undo, execution) {
        Ok(running) => running,
        // Nothing has started, so there is nothing to undo.
        Err(_) if execution.cancel && cx.is_untouched() => {
            return Err(OperationError::of_cancellation(handler.name()));
        }
        Err(report) => {
            cx.halt(StopReason::Blocked(report));
            return std::future::pending().await;
        }
    };
    let output = run_to_end(cx, handler.name(), running).await;
    match output.and_then(|output| limited(cx, handler.name(), output)) {
        Ok(output) => Ok(output),
        Err(error) => Err(error.with_undo_failures(undo.run(cx).await)),
    }
}

/// Calls the handler with the recorded input, or returns the report that it cannot be decoded.
fn call<'b, 'a: 'b>(
    cx: &'b Context,
    handler: &'a dyn AnyHandler,
    undo: &'b Undo<'a>,
    execution: &Execution,
) -> Result<BoxFuture<'b, Result<Vec<u8>, HandlerError>>, String> {
    let (input, wanted) = (&execution.input, handler.input_type());
    let data = input_data(&input.data, wanted.is_unit);
    let called = panic::catch(|| handler.call(cx, undo, data));
    let error = match called {
        Ok(Ok(running)) => return Ok(running),
        Ok(Err(error)) => error.to_string(),
        Err(panic) => panic,
    };
    let recorded = execution.input_type.as_deref();
    Err(unreadable_input(
        handler.name(),
        wanted.name,
        recorded,
        input,
        &error,
    ))
}

/// Returns the encoded input. For a handler without input, an empty object stands for `null`: Lambda sends it if there is no
/// payload, and so do people who have to give something.
fn input_data(data: &[u8], is_unit: bool) -> &[u8] {
    let mut significant = data.iter().filter(|byte| !byte.is_ascii_whitespace());
    match is_unit && significant.by_ref().copied().eq(*b"{}") {
        true => b"null",
        false => data,
    }
}

/// Checks the size of the output. One that cannot be stored is an error of the handler, so that its undo bodies run.
fn limited(cx: &Context, handler: &str, output: Vec<u8>) -> Result<Payload, OperationError> {
    let (size, limit) = (output.len(), cx.limits().max_output);
    if size <= limit {
        return Ok(Payload::json(output));
    }
    let message = format!(
        "the output of {size} bytes exceeds the store's limit of {limit} bytes: return an id or a summary instead"
    );
    Err(OperationError::new(handler, ErrorKind::TooLarge, message))
}

/// Runs the handler until it returns, or drops it when the execution ends otherwise.
async fn run_to_end(
    cx: &Context,
    name: &str,
    mut running: BoxFuture<'_, Result<Vec<u8>, HandlerError>>,
) -> Result<Vec<u8>, OperationError> {
    poll_fn(|task| match cx.unwinding() {
        Some(error) => Poll::Ready(Err(error)),
        // Catches a panic only here, because undo bodies must run after it.
        None => match panic::catch(|| running.as_mut().poll(task)) {
            Ok(polled) => polled.map_err(|error| handler_error(name, error)),
            Err(message) => Poll::Ready(Err(OperationError::of_panic(name, message))),
        },
    })
    .await
}

fn handler_error(handler: &str, error: HandlerError) -> OperationError {
    match error {
        HandlerError::Returned(error) => {
            OperationError::of_handler(handler, String::new()).describe(&*error, "")
        }
        HandlerError::Output(error) => {
            let message = format!("the output cannot be encoded: {error}");
            OperationError::new(handler, ErrorKind::Codec, message)
        }
    }
}

async fn load(store: &dyn CheckpointStore, lease: &Lease) -> Result<Vec<Record>, StoreError> {
    let mut page = store.load(&lease.fence, 0).await?;
    let mut records = std::mem::take(&mut page.records);
    while let Some(after) = page.next {
        page = store.load(&lease.fence, after).await?;
        records.append(&mut page.records);
    }
    Ok(records)
}
