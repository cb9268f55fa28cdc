//! The loop of a worker: claim, run, wait for news.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use super::WorkerError;
use super::failures::{Failures, delay};
use super::handlers::Handlers;
use super::release::poisoned;
use crate::Timestamp;
use crate::run::RunError;
use crate::runtime::driver::Ended;
use crate::runtime::panic;
use crate::runtime::settings::Settings;
use crate::runtime::shutdown::Shutdown;
use crate::store::{
    ClaimRequest, Claimed, Fence, Lease, Store, StoreError, StoreErrorKind, WorkerFilter,
};

/// How often a worker looks after executions that others have left behind.
const LOOK_AFTER: Duration = Duration::from_secs(1);
/// How long a store may be unusable before the worker stops.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) struct Service {
    pub(super) store: Arc<dyn Store>,
    pub(super) handlers: Handlers,
    pub(super) settings: Settings,
    pub(super) stopping: Arc<Shutdown>,
    pub(super) wanted: WorkerFilter,
    pub(super) concurrency: usize,
    pub(super) grace: Duration,
    pub(super) max_crashes: u32,
    pub(super) failures: Failures,
}

/// What the loop knows between two turns.
struct Pace {
    /// The news that are known.
    seen: u64,
    /// When it is time to look after others' executions.
    look_after: Instant,
    /// Not before this time is fired again.
    fire_again: Instant,
    #[cfg(not(feature = "schedule"))]
    warned: bool,
    /// Since when the store fails, and how often it has.
    failing: Option<(Instant, u32)>,
}

impl Service {
    pub(super) async fn run(
        self: Arc<Self>,
        stop: impl Future<Output = ()>,
        abort: impl Future<Output = ()>,
    ) -> Result<(), WorkerError> {
        let durability = self.store.capabilities().durability;
        let handlers: Vec<_> = self.handlers.names().collect();
        tracing::info!(?handlers, concurrency = self.concurrency, %durability, "worker runs");
        let mut running = JoinSet::new();
        let ended = {
            let mut stop = pin!(stop);
            self.serve(&mut running, stop.as_mut()).await
        };
        self.stopping.raise();
        self.drain(&mut running, abort).await;
        tracing::info!("worker has stopped");
        ended
    }

    /// Claims and runs until it is told to stop. It stops between two turns only: what a claim is
    /// answered with is run, or given back.
    async fn serve(
        self: &Arc<Self>,
        running: &mut JoinSet<()>,
        mut stop: Pin<&mut impl Future<Output = ()>>,
    ) -> Result<(), WorkerError> {
        let mut pace = Pace {
            seen: 0,
            look_after: Instant::now(),
            fire_again: Instant::now(),
            #[cfg(not(feature = "schedule"))]
            warned: false,
            failing: None,
        };
        loop {
            while running.try_join_next().is_some() {}
            let wait = match self.turn(running, &mut pace).await {
                Ok(wait) => wait,
                Err(error) => match pace.failed(&error) {
                    Some(pause) => pause,
                    None => return Err(WorkerError::Store(error)),
                },
            };
            let mut rest = pin!(self.idle(wait, running, &mut pace));
            let rested = poll_fn(|cx| match stop.as_mut().poll(cx) {
                Poll::Ready(()) => Poll::Ready(false),
                Poll::Pending => rest.as_mut().poll(cx).map(|()| true),
            });
            if !rested.await {
                return Ok(());
            }
        }
    }

    /// Waits for a time, for the end of something that runs or for news, whatever comes first.
    async fn idle(&self, wait: Duration, running: &mut JoinSet<()>, pace: &mut Pace) {
        let mut wait = self.settings.clock.sleep(wait);
        let listens = pace.failing.is_none() && running.len() < self.concurrency;
        let mut news = listens.then(|| self.store.ready(pace.seen));
        poll_fn(|cx| {
            let ended = matches!(running.poll_join_next(cx), Poll::Ready(Some(_)));
            if ended || wait.as_mut().poll(cx).is_ready() {
                return Poll::Ready(());
            }
            match news.as_mut().map(|news| news.as_mut().poll(cx)) {
                Some(Poll::Ready(Ok(seen))) => {
                    pace.seen = seen;
                    Poll::Ready(())
                }
                // The next turn finds out what is wrong with the store.
                Some(Poll::Ready(Err(error))) => {
                    tracing::debug!(%error, "no news");
                    news = None;
                    Poll::Pending
                }
                _ => Poll::Pending,
            }
        })
        .await;
    }

    /// Claims what there is room for. Answers with how long there is nothing more to do, unless
    /// something happens before.
    async fn turn(
        self: &Arc<Self>,
        running: &mut JoinSet<()>,
        pace: &mut Pace,
    ) -> Result<Duration, StoreError> {
        let room = self.concurrency.saturating_sub(running.len());
        if room == 0 {
            return Ok(LOOK_AFTER);
        }
        let look_after = pace.look_after <= Instant::now();
        let now = self.settings.now();
        let how = ClaimRequest {
            limit: room,
            now,
            ttl: self.settings.lease,
            look_after,
        };
        let claimed = self.store.claim_due(&self.wanted, how).await?;
        if look_after {
            // Not at the same time as the workers that were started together with this one.
            pace.look_after = Instant::now() + LOOK_AFTER.mul_f64(0.75 + fastrand::f64() / 2.0);
        }
        if pace.failing.take().is_some() {
            tracing::info!("the store can be used again");
        }
        self.fire(&claimed, pace, now).await;
        let more = claimed.leases.len() == room;
        let wait = self.next_turn(&claimed, pace, now);
        for lease in claimed.leases {
            running.spawn(Arc::clone(self).execute(lease));
        }
        Ok(if more { LOOK_AFTER } else { wait })
    }

    /// Fires the schedules that are due. What is wrong with them keeps nothing from running.
    async fn fire(&self, claimed: &Claimed, pace: &mut Pace, now: Timestamp) {
        let due = claimed.next_firing.is_some_and(|at| at <= now);
        if !due || pace.fire_again > Instant::now() {
            return;
        }
        pace.fire_again = Instant::now() + delay(1);
        #[cfg(feature = "schedule")]
        if let Err(error) = crate::schedule::fire_due(&*self.store, now).await {
            tracing::warn!(%error, "a schedule could not fire, trying again");
            pace.fire_again = Instant::now() + LOOK_AFTER;
        }
        #[cfg(not(feature = "schedule"))]
        if !std::mem::replace(&mut pace.warned, true) {
            tracing::warn!(
                "a schedule is due, and this worker was built without the feature `schedule`"
            );
        }
    }

    fn next_turn(&self, claimed: &Claimed, pace: &Pace, now: Timestamp) -> Duration {
        let firing = claimed.next_firing.map(|at| at.max(now.after(delay(1))));
        let firing = firing.filter(|_| cfg!(feature = "schedule"));
        let due = [claimed.next_due, firing].into_iter().flatten().min();
        let due = due.map(|due| due.since(now));
        let look_after = pace.look_after.saturating_duration_since(Instant::now());
        due.map_or(look_after, |due| due.min(look_after))
    }

    /// Runs one invocation, and sees to it that the execution can go on whatever comes of it.
    async fn execute(self: Arc<Self>, lease: Lease) {
        let (fence, was_interrupted, crashes) =
            (lease.fence.clone(), lease.was_interrupted, lease.crashes);
        let id = fence.execution.clone();
        if was_interrupted {
            tracing::warn!(execution = %id, "taken over from a holder that is gone");
        }
        if crashes >= self.max_crashes {
            return self.park(&fence, poisoned(crashes)).await;
        }
        let Some(handler) = self.handlers.get(&lease.execution.handler) else {
            return self.give_back(&fence).await;
        };
        let (store, settings) = (Arc::clone(&self.store), self.settings.clone());
        let mut run = handler.run(store, settings, lease);
        let ended = poll_fn(|cx| match panic::catch(|| run.as_mut().poll(cx)) {
            Ok(polled) => polled.map(Ok),
            Err(message) => Poll::Ready(Err(message)),
        })
        .await;
        drop(run);
        match ended {
            Ok(Ok(ended)) => {
                self.failures.forget(&id);
                tell(&fence, &ended);
            }
            Ok(Err(RunError::Store(error))) => self.failed(&fence, error).await,
            Ok(Err(error)) => self.park(&fence, error.to_string()).await,
            Err(message) => {
                let report = format!("it cannot be run, the engine panicked: {message}");
                self.park(&fence, report).await;
            }
        }
    }

    /// Waits for what runs to stop by itself, for a time or until told not to.
    async fn drain(&self, running: &mut JoinSet<()>, abort: impl Future<Output = ()>) {
        let (mut abort, mut grace) = (pin!(abort), self.settings.clock.sleep(self.grace));
        poll_fn(|cx| {
            while let Poll::Ready(ended) = running.poll_join_next(cx) {
                if ended.is_none() {
                    return Poll::Ready(());
                }
            }
            match abort.as_mut().poll(cx) {
                Poll::Ready(()) => Poll::Ready(()),
                Poll::Pending => grace.as_mut().poll(cx),
            }
        })
        .await;
        let left = running.len();
        if left > 0 {
            tracing::warn!(
                left,
                "bodies did not end in time: their executions are interrupted"
            );
        }
        running.shutdown().await;
    }
}

impl Pace {
    /// The store failed as a whole: how long to wait before the next try, if there is to be one.
    fn failed(&mut self, error: &StoreError) -> Option<Duration> {
        if error.kind() == StoreErrorKind::Unsupported {
            return None;
        }
        let (since, before) = self.failing.unwrap_or((Instant::now(), 0));
        self.failing = Some((since, before + 1));
        let hopeless = error.kind() != StoreErrorKind::Unavailable;
        if hopeless && since.elapsed() >= PATIENCE {
            return None;
        }
        let pause = delay(before + 1).min(Duration::from_secs(5));
        tracing::warn!(%error, ?pause, "nothing can be claimed, trying again");
        Some(pause)
    }
}

fn tell(fence: &Fence, ended: &Ended) {
    let execution = &fence.execution;
    match ended {
        Ended::Succeeded(_) => tracing::info!(%execution, "succeeded"),
        // The error may be a secret; histories show it to those who may see it.
        Ended::Failed(_) => tracing::warn!(%execution, "failed"),
        Ended::Cancelled(_) => tracing::info!(%execution, "cancelled"),
        Ended::Blocked(report) => tracing::error!(%execution, report, "blocked"),
        Ended::Continued(next) => tracing::info!(%execution, next = %next.id, "continued"),
        Ended::Suspended { wake_at, .. } => {
            let wake_at = wake_at.map(|at| at.to_string());
            tracing::debug!(%execution, wake_at, "suspended");
        }
    }
}
