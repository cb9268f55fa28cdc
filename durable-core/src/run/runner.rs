//! Runs an execution, invocation after invocation, to its end.

use std::future::poll_fn;
use std::marker::PhantomData;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::report::Tally;
use super::{RunError, Settings};
use crate::codec::{Codec, Json};
use crate::context::{Children, Context, ExecutionInfo, Shared};
use crate::driver::{Driver, Ended, Returned};
use crate::engine::{Budget, Engine};
use crate::error::{BoxError, OperationError};
use crate::lease;
use crate::operation::Undo;
use crate::panic;
use crate::record::{Payload, Record};
use crate::site::Handler;
use crate::store::{
    Execution, ExecutionStatus, ExecutionStore, Lease, StoreError, StoreErrorKind, refuse_sealed,
};
use crate::{ExecutionId, Timestamp};

/// A handler with all it takes to run its executions.
pub(crate) struct Runner<'a, H, S> {
    pub(crate) store: Arc<dyn ExecutionStore>,
    pub(crate) settings: Settings,
    pub(crate) state: &'a S,
    pub(crate) handler: PhantomData<fn() -> H>,
}

impl<H, S> Runner<'_, H, S>
where
    S: Sync,
    H: Handler<S>,
    H::Input: DeserializeOwned + Send,
    H::Output: Serialize + DeserializeOwned + Send,
{
    /// Runs the execution `id`, and those that go on in its place, to the end.
    pub(super) async fn to_end(
        &self,
        mut id: ExecutionId,
        tally: &mut Tally,
    ) -> Result<Payload, RunError> {
        loop {
            let now = self.settings.clock.now();
            let lease = match self.store.claim(&id, now, self.settings.lease).await {
                Ok(lease) => lease,
                // It has ended, or goes on elsewhere.
                Err(error) if error.kind() == StoreErrorKind::Conflict => {
                    match after(&self.store.get(&id).await?) {
                        After::Ended(ended) => return ended,
                        After::Next(next) => id = next,
                        After::Goes => return Err(error.into()),
                    }
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            match self.once(&id, lease, tally).await? {
                Ended::Succeeded(output) => return Ok(output),
                Ended::Failed(error) | Ended::Cancelled(error) => {
                    return Err(RunError::Failed(error));
                }
                Ended::Blocked(report) => return Err(RunError::Blocked(report)),
                Ended::Continued(next) => id = next,
                Ended::Suspended { wake_at, seen } => self.until(&id, wake_at, seen).await?,
            }
        }
    }

    /// Runs an execution that another one waits for, as far as it can come. Whatever becomes of it
    /// is in the store; what keeps it from running is only worth a line.
    pub(crate) async fn finish(&self, id: ExecutionId) {
        match self.to_end(id.clone(), &mut Tally::default()).await {
            // Its own error reaches whoever waits through the store, and may be a secret.
            Ok(_) | Err(RunError::Failed(_)) => {}
            Err(error) => {
                tracing::warn!(execution = %id, %error, "an invoked execution cannot go on");
            }
        }
    }

    /// Waits for a time, or for a change from outside, whichever comes first.
    async fn until(
        &self,
        id: &ExecutionId,
        wake_at: Option<Timestamp>,
        seen: u64,
    ) -> Result<(), StoreError> {
        let clock = &self.settings.clock;
        let mut sleep = wake_at.map(|due| clock.sleep(due.since(clock.now())));
        let mut changed = self.store.changed(id, seen);
        poll_fn(|cx| {
            if let Some(sleep) = &mut sleep
                && sleep.as_mut().poll(cx).is_ready()
            {
                return Poll::Ready(Ok(()));
            }
            changed.as_mut().poll(cx)
        })
        .await
    }

    /// Runs the handler once from the top.
    async fn once(
        &self,
        id: &ExecutionId,
        lease: Lease,
        tally: &mut Tally,
    ) -> Result<Ended, RunError> {
        let settings = &self.settings;
        let shared = self.shared(&lease).await?;
        tally.invocations += 1;
        let fence = lease.fence.clone();
        let mut driver = Driver::new(
            Arc::clone(&shared),
            Arc::clone(&self.store),
            fence.clone(),
            settings.resident,
        );
        let attention = Arc::clone(&driver.attention);
        let clock = Arc::clone(&settings.clock);
        let _kept = lease::keep(&self.store, fence, clock, settings.lease, attention);
        let cx = Context::root(Arc::clone(&shared));
        let handler = run_handler::<H, S>(&cx, self.state, &lease.execution);
        let handler = Box::pin(cx.traced(handler));
        let ended = driver.run(handler).await;
        tally.warnings.append(&mut driver.warnings);
        let state = shared.lock();
        tally.add(state.engine.counts());
        if matches!(ended, Ok(Ended::Succeeded(_) | Ended::Failed(_))) {
            tally.drift = state.engine.drift();
            for drift in &tally.drift {
                tracing::warn!(execution = %id, "{drift}");
            }
        }
        Ok(ended?)
    }

    /// What the operations of an invocation share: its engine, with the history.
    async fn shared(&self, lease: &Lease) -> Result<Arc<Shared>, StoreError> {
        let settings = &self.settings;
        let records = load(&*self.store, lease).await?;
        refuse_sealed(&lease.execution, &records)?;
        let mut engine = Engine::new(records, lease.unclean, self.store.capabilities());
        engine.resume(lease.execution.changes, lease.execution.cancel);
        if let Some((whole, reserve)) = settings.budget {
            engine.limit_to(Budget {
                ends_at: settings.clock.now().after(whole),
                whole,
                reserve,
            });
        }
        let info = ExecutionInfo {
            id: lease.execution.id.clone(),
            handler: lease.execution.handler.clone(),
            started_at: lease.execution.created_at,
        };
        let children = Children {
            store: Arc::clone(&self.store),
            settings: settings.clone(),
        };
        let clock = Arc::clone(&settings.clock);
        let shared = Shared::new(engine, clock, info, Some(children));
        if lease.execution.cancel {
            shared.cancelled.raise();
        }
        Ok(shared)
    }
}

async fn run_handler<H, S>(cx: &Context, state: &S, execution: &Execution) -> Returned
where
    S: Sync,
    H: Handler<S>,
    H::Input: DeserializeOwned,
    H::Output: Serialize + DeserializeOwned + Send,
{
    let input = serde_json::from_slice(&execution.input.data).map_err(|error| {
        let message = format!("the recorded input does not decode: {error}");
        OperationError::of_handler(H::NAME, message)
    })?;
    let undo = Undo::default();
    let output = match run_to_end::<H, S>(cx, state, &undo, input).await {
        Ok(output) => output,
        Err(error) => return Err(error.with_left_behind(undo.run(cx).await)),
    };
    let bytes = Json.encode(&output).map_err(|error| {
        OperationError::of_handler(H::NAME, format!("the output cannot be encoded: {error}"))
    })?;
    Ok(Payload::json(bytes))
}

/// Runs the handler until it returns, or until the execution ends without it: then it is dropped.
async fn run_to_end<'b, 'a: 'b, H, S>(
    cx: &'b Context,
    state: &'a S,
    undo: &'b Undo<'a>,
    input: H::Input,
) -> Result<H::Output, OperationError>
where
    S: Sync,
    H: Handler<S>,
{
    let mut handler = pin!(H::run(cx, state, undo, input));
    poll_fn(|task| match cx.unwinding() {
        Some(error) => Poll::Ready(Err(error)),
        // A panic is caught here and not around the undo bodies, which it is no reason to leave out.
        None => match panic::catch(|| handler.as_mut().poll(task)) {
            Ok(polled) => polled.map_err(|error| handler_error(H::NAME, &error)),
            Err(message) => Poll::Ready(Err(OperationError::of_handler(H::NAME, message))),
        },
    })
    .await
}

fn handler_error(handler: &str, error: &BoxError) -> OperationError {
    OperationError::of_handler(handler, String::new()).describe(&**error, "")
}

async fn load(store: &dyn ExecutionStore, lease: &Lease) -> Result<Vec<Record>, StoreError> {
    let mut page = store.load(&lease.fence, 0).await?;
    let mut records = std::mem::take(&mut page.records);
    while let Some(after) = page.next {
        page = store.load(&lease.fence, after).await?;
        records.append(&mut page.records);
    }
    Ok(records)
}

/// What there is to do about an execution.
enum After {
    Ended(Result<Payload, RunError>),
    /// Another one goes on in its place.
    Next(ExecutionId),
    Goes,
}

fn after(execution: &Execution) -> After {
    match (execution.status, &execution.output, &execution.error) {
        (ExecutionStatus::Succeeded, Some(output), _) => After::Ended(Ok(output.clone())),
        (ExecutionStatus::Failed | ExecutionStatus::Cancelled, _, Some(error)) => {
            After::Ended(Err(RunError::Failed(error.clone())))
        }
        (ExecutionStatus::Continued, _, _) => match &execution.next {
            Some(next) => After::Next(next.clone()),
            None => After::Goes,
        },
        _ => After::Goes,
    }
}
