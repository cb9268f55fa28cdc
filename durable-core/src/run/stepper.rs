//! Runs an execution one invocation at a time, so that the testing kit can act in between.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;

use super::children::blocked_child;
use super::report::Tally;
use super::runner::{Outcome, outcome};
use super::{Report, RunError, Runner, reserve_of};
use crate::engine::Drift;
use crate::model::payload::Payload;
use crate::runtime::any_handler::AnyHandler;
use crate::runtime::driver::Ended;
use crate::runtime::observer::Observer;
use crate::runtime::settings::Settings;
use crate::store::{Store, StoreErrorKind};
use crate::{Clock, ExecutionId};

/// Lease that no test outlives, since nothing else runs its executions.
const LEASE: Duration = Duration::from_secs(100 * 365 * 86_400);

/// Settings for the invocations of a test.
pub(crate) struct Conditions {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) budget: Option<Duration>,
}

/// Invocations of an execution and of those that continue it. Each wait ends an invocation.
pub(crate) struct Invocations<'a> {
    runner: Runner<'a>,
    id: ExecutionId,
    tally: Tally,
}

impl<'a> Invocations<'a> {
    pub(crate) fn new(
        id: ExecutionId,
        handler: Arc<dyn AnyHandler + 'a>,
        conditions: Conditions,
    ) -> Self {
        let limit = conditions.budget;
        let settings = Settings {
            clock: conditions.clock,
            lease: LEASE,
            budget: limit.map(|limit| (limit, reserve_of(limit))),
            observer: Some(conditions.observer),
            ..Settings::new(Duration::ZERO)
        };
        Self {
            runner: Runner {
                store: conditions.store,
                settings,
                handler,
            },
            id,
            tally: Tally::default(),
        }
    }

    /// Returns the execution of the next invocation.
    pub(crate) fn id(&self) -> &ExecutionId {
        &self.id
    }

    /// Runs the next invocation. For an execution that has ended, returns its result.
    pub(crate) async fn next(&mut self) -> Result<Ended, RunError> {
        let ended = loop {
            let (store, settings) = (&self.runner.store, &self.runner.settings);
            match store.claim(&self.id, settings.now(), settings.lease).await {
                Ok(lease) => {
                    break self
                        .runner
                        .run_invocation(&self.id, lease, &mut self.tally)
                        .await?;
                }
                Err(error) if error.kind() == StoreErrorKind::Conflict => {
                    match outcome(&store.get(&self.id).await?) {
                        Outcome::Ended(Ok(output)) => break Ended::Succeeded(output),
                        Outcome::Ended(Err(RunError::Failed(error))) => break Ended::Failed(error),
                        Outcome::Ended(Err(error)) => return Err(error),
                        Outcome::Next(next) => self.id = next,
                        Outcome::Blocked(_) | Outcome::Running => return Err(error.into()),
                    }
                }
                Err(error) => return Err(error.into()),
            }
        };
        if let Ended::Continued(next) = &ended {
            self.id = next.id.clone();
        }
        Ok(ended)
    }

    /// Returns the report of a blocked execution that the last invocation waits for, if any.
    pub(crate) fn blocked_child(&self) -> Option<String> {
        // The in-memory store never makes this future wait.
        blocked_child(&*self.runner.store, &self.tally.waits_for).now_or_never()
    }

    /// Returns the number of invocations.
    pub(crate) fn count(&self) -> u64 {
        self.tally.invocations
    }

    /// Returns the differences between history and code, once the handler has returned.
    pub(crate) fn drift(&self) -> Vec<Drift> {
        self.tally.drift.clone()
    }

    /// Returns the report of the run.
    pub(crate) fn report(self, output: Result<Payload, RunError>) -> Report<Payload> {
        self.tally.report(output)
    }
}
