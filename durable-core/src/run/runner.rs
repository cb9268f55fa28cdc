//! Runs an execution, invocation after invocation, to its end.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use super::RunError;
use super::children::blocked_child;
use super::invocation::Invocation;
use super::report::Tally;
use crate::metrics;
use crate::model::payload::Payload;
use crate::runtime::any_handler::AnyHandler;
use crate::runtime::children::Awaited;
use crate::runtime::children::Children;
use crate::runtime::driver::Ended;
use crate::runtime::lease;
use crate::runtime::settings::Settings;
use crate::store::{Execution, ExecutionStatus, Lease, Store, StoreError, StoreErrorKind};
use crate::{ExecutionId, Timestamp};

/// Handler with everything needed to run its executions.
pub(crate) struct Runner<'a> {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) settings: Settings,
    pub(crate) handler: Arc<dyn AnyHandler + 'a>,
}

impl Runner<'_> {
    /// Runs the execution `id`, and those that continue it, to the end.
    pub(super) async fn run_to_end(
        &self,
        mut id: ExecutionId,
        tally: &mut Tally,
    ) -> Result<Payload, RunError> {
        loop {
            let now = self.settings.clock.now();
            let lease = match self.store.claim(&id, now, self.settings.lease).await {
                Ok(lease) => {
                    metrics::claimed(&lease.execution.handler, lease.was_interrupted);
                    lease
                }
                // It has ended, or was continued by another execution.
                Err(error) if error.kind() == StoreErrorKind::Conflict => {
                    match outcome(&self.store.get(&id).await?) {
                        Outcome::Ended(ended) => return ended,
                        Outcome::Next(next) => id = next,
                        Outcome::Blocked(_) | Outcome::Running => return Err(error.into()),
                    }
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            match self.run_invocation(&id, lease, tally).await? {
                Ended::Succeeded(output) => return Ok(output),
                Ended::Failed(error) | Ended::Cancelled(error) => {
                    return Err(RunError::Failed(error));
                }
                Ended::Blocked(report) => return Err(RunError::Blocked(report)),
                Ended::Continued(next) => id = next.id,
                Ended::Suspended { .. } if self.settings.is_shutting_down() => {
                    let message = format!(
                        "execution `{id}` was suspended because its process is shutting down"
                    );
                    return Err(StoreError::new(StoreErrorKind::Unavailable, message).into());
                }
                Ended::Suspended { wake_at, seen } => {
                    self.wait_until(&id, wake_at, seen, &tally.waits_for)
                        .await?;
                }
            }
        }
    }

    /// Runs a child execution as far as possible. Its outcome is in the store, and errors that prevent it from
    /// running are logged. Returns the report if it is blocked or waits for a blocked execution.
    pub(crate) async fn run_child(&self, id: ExecutionId) -> Option<String> {
        match self.run_to_end(id.clone(), &mut Tally::default()).await {
            // The parent gets the error through the store. It may be secret, so it is not logged.
            Ok(_) | Err(RunError::Failed(_)) => None,
            Err(RunError::Blocked(report)) => {
                tracing::error!(execution = %id, report, "blocked");
                Some(report)
            }
            Err(error) => {
                tracing::warn!(execution = %id, %error, "cannot run a child execution");
                None
            }
        }
    }

    /// Waits until `wake_at`, or for an external event, whichever comes first.
    ///
    /// Fails with the report of a child if only that blocked child could cause the event.
    async fn wait_until(
        &self,
        id: &ExecutionId,
        wake_at: Option<Timestamp>,
        seen: u64,
        children: &[Awaited],
    ) -> Result<(), RunError> {
        let clock = &self.settings.clock;
        let mut sleep = wake_at.map(|due| clock.sleep(due.since(clock.now())));
        let mut blocked = pin!(blocked_child(&*self.store, children));
        let mut changed = self.store.changed(id, seen);
        poll_fn(|cx| {
            if let Some(sleep) = &mut sleep
                && sleep.as_mut().poll(cx).is_ready()
            {
                return Poll::Ready(Ok(()));
            }
            if let Poll::Ready(changed) = changed.as_mut().poll(cx) {
                return Poll::Ready(changed.map_err(RunError::Store));
            }
            if wake_at.is_some() {
                return Poll::Pending;
            }
            let report = blocked.as_mut().poll(cx);
            report.map(|report| Err(RunError::Blocked(report)))
        })
        .await
    }

    /// Runs the handler once from the top.
    pub(crate) async fn run_invocation(
        &self,
        id: &ExecutionId,
        lease: Lease,
        tally: &mut Tally,
    ) -> Result<Ended, RunError> {
        let settings = &self.settings;
        let (fence, store) = (lease.fence.clone(), Arc::clone(&self.store));
        let mut invocation = Invocation::new(store, lease)
            .clock(Arc::clone(&settings.clock))
            .suspend_after(settings.suspend_after)
            .with_children(Children {
                store: Arc::clone(&self.store),
                settings: settings.clone(),
            });
        if let Some((whole, reserve)) = settings.budget {
            let ends_at = settings.clock.now().after(whole);
            invocation = invocation.budget(ends_at, whole, reserve);
        }
        let mut running = invocation.begin().await?;
        tally.invocations += 1;
        let (signal, clock) = (running.signal(), Arc::clone(&settings.clock));
        if let Some(shutdown) = &settings.shutdown {
            shutdown.subscribe(&signal);
        }
        let _kept = lease::keep(&self.store, fence, clock, settings.lease, signal);
        let ended = running.run(&*self.handler).await;
        tally.add(id, running, ended.as_ref().ok());
        Ok(ended?)
    }
}

/// State of an execution, for those that wait for its end.
pub(crate) enum Outcome {
    Ended(Result<Payload, RunError>),
    /// Another execution continues it.
    Next(ExecutionId),
    Blocked(String),
    Running,
}

pub(crate) fn outcome(execution: &Execution) -> Outcome {
    match (execution.status, &execution.output, &execution.error) {
        (ExecutionStatus::Succeeded, Some(output), _) => Outcome::Ended(Ok(output.clone())),
        (ExecutionStatus::Failed | ExecutionStatus::Cancelled, _, Some(error)) => {
            Outcome::Ended(Err(RunError::Failed(error.clone())))
        }
        (ExecutionStatus::Continued, _, _) => match &execution.next {
            Some(next) => Outcome::Next(next.clone()),
            None => Outcome::Running,
        },
        (ExecutionStatus::Blocked, _, _) => {
            Outcome::Blocked(execution.report.clone().unwrap_or_default())
        }
        _ => Outcome::Running,
    }
}
