//! A process of a test: runs an execution until it ends or the process dies.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use super::boundaries::{Boundaries, Boundary, BoundaryObserver, RecordedValues, Treatment};
use super::script::Script;
use super::store::Process as Store;
use super::world::{Answers, World, path_of};
use crate::engine::Drift;
use crate::model::error::OperationError;
use crate::model::payload::Payload;
use crate::model::record::Status;
use crate::run::{Conditions, Invocations, RunError};
use crate::runtime::any_handler::AnyHandler;
use crate::runtime::driver::Ended;
use crate::store::{AdminStore, ExecutionStore as _, StoreError};
use crate::{Clock as _, ExecutionId, Timestamp};

/// State of an execution after a process has run it.
pub(super) enum Stage {
    Succeeded(Payload),
    /// Failed or cancelled.
    Failed(OperationError),
    Blocked(String),
    /// An invocation has ended. The next is due at this time, or at the next external event.
    Suspended(Option<Timestamp>),
    /// The execution waits for these operations, and nothing will complete them.
    Waits(Vec<String>),
    Died(Boundary),
}

/// A process that runs one execution and those that it continues as.
pub(super) struct Process<'a> {
    world: World,
    pub(super) boundaries: Arc<Boundaries>,
    answers: Answers,
    pub(super) invocations: Invocations<'a>,
    /// What the suspended execution waits for: a time, and changes after this version.
    suspended: Option<(Option<Timestamp>, u64)>,
}

/// Parameters of a process.
pub(super) struct Setup {
    pub(super) world: World,
    pub(super) script: Arc<Script>,
    pub(super) treatment: Treatment,
    pub(super) reused: Arc<RecordedValues>,
    pub(super) budget: Option<Duration>,
}

impl<'a> Process<'a> {
    pub(super) fn new(id: ExecutionId, handler: Arc<dyn AnyHandler + 'a>, setup: Setup) -> Self {
        let (world, script) = (setup.world, setup.script);
        let clock = world.clock();
        let boundaries = Boundaries::new(
            clock.clone(),
            Arc::clone(&script),
            setup.treatment,
            setup.reused,
        );
        let store = Store::new(world.store(), Arc::clone(&boundaries), Arc::clone(&script));
        let conditions = Conditions {
            store,
            clock: clock.for_engine(),
            observer: Arc::new(BoundaryObserver(Arc::clone(&boundaries))),
            budget: setup.budget,
        };
        Self {
            answers: Answers {
                id: id.clone(),
                world: world.clone(),
                script,
            },
            world,
            boundaries,
            invocations: Invocations::new(id, handler, conditions),
            suspended: None,
        }
    }

    /// Runs until the execution ends, the process dies, or the limit on invocations is reached.
    pub(super) async fn run(&mut self, max_invocations: u64) -> Result<Stage, RunError> {
        loop {
            match self.step().await? {
                Stage::Suspended(until) if self.invocations.count() >= max_invocations => {
                    return Ok(Stage::Suspended(until));
                }
                Stage::Suspended(_) => {}
                stage => return Ok(stage),
            }
        }
    }

    /// Waits until the next invocation is due, and runs it.
    pub(super) async fn step(&mut self) -> Result<Stage, RunError> {
        let clock = self.world.clock();
        if let Some((until, seen)) = self.suspended.take() {
            let id = self.invocations.id();
            let waited = wait_until_due(&self.world, id, until, seen);
            if !clock.run(&self.answers, waited).await? {
                if let Some(report) = self.invocations.blocked_child() {
                    return Ok(Stage::Blocked(report));
                }
                let waiting = self.waiting().await?;
                self.suspended = Some((until, seen));
                return Ok(Stage::Waits(waiting));
            }
        }
        let boundaries = Arc::clone(&self.boundaries);
        let ended = {
            let mut next = pin!(self.invocations.next());
            let died = poll_fn(|cx| match next.as_mut().poll(cx) {
                Poll::Ready(ended) => Poll::Ready(Ok(ended)),
                Poll::Pending => match boundaries.died() {
                    Some(boundary) => Poll::Ready(Err(boundary)),
                    None if boundaries.is_replay_over() => Poll::Ready(Ok(Ok(Ended::Suspended {
                        wake_at: None,
                        seen: 0,
                    }))),
                    None => Poll::Pending,
                },
            });
            match clock.run(&self.answers, died).await {
                Ok(ended) => ended?,
                Err(boundary) => return Ok(Stage::Died(boundary)),
            }
        };
        Ok(match ended {
            Ended::Succeeded(output) => Stage::Succeeded(output),
            Ended::Failed(error) | Ended::Cancelled(error) => Stage::Failed(error),
            Ended::Blocked(report) => Stage::Blocked(report),
            Ended::Continued(_) => Stage::Suspended(Some(clock.now())),
            Ended::Suspended { wake_at, seen } => {
                self.suspended = Some((wake_at, seen));
                Stage::Suspended(wake_at)
            }
        })
    }

    /// Differences between history and code, once the handler has returned.
    pub(super) fn drift(&self) -> Vec<Drift> {
        self.invocations.drift()
    }

    /// Descriptions of the operations that have not ended.
    async fn waiting(&self) -> Result<Vec<String>, StoreError> {
        let records = self.world.store().history(self.invocations.id()).await?;
        let open = records.iter().filter(|record| {
            !record.kind.is_scope() && matches!(record.status, Status::Started | Status::Pending)
        });
        let descriptions =
            open.map(|record| format!("{} `{}`", record.kind, path_of(&records, record)));
        Ok(descriptions.collect())
    }
}

/// Waits for a time or an external event. Returns false if neither will ever come.
async fn wait_until_due(
    world: &World,
    id: &ExecutionId,
    until: Option<Timestamp>,
    seen: u64,
) -> Result<bool, StoreError> {
    let (store, clock) = (world.store(), world.clock());
    let mut changed = store.changed(id, seen);
    let mut sleep = until.map(|until| clock.for_engine().sleep(until.since(clock.now())));
    let mut stalled = pin!(clock.stalled());
    poll_fn(|cx| {
        if let Poll::Ready(changed) = changed.as_mut().poll(cx) {
            return Poll::Ready(changed.map(|()| true));
        }
        match &mut sleep {
            Some(sleep) => sleep.as_mut().poll(cx).map(|()| Ok(true)),
            None => stalled.as_mut().poll(cx).map(|()| Ok(false)),
        }
    })
    .await
}
