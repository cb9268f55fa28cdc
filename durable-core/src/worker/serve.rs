//! Main loop of a worker: claims, runs, and waits for the next event.

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
use super::release::crash_report;
use super::sample::Sampler;
use crate::Timestamp;
use crate::metrics;
use crate::run::{RunError, Runner, Tally};
use crate::runtime::driver::Ended;
use crate::runtime::panic;
use crate::runtime::settings::Settings;
use crate::runtime::shutdown::Shutdown;
use crate::store::{
    ClaimRequest, Claimed, Fence, Lease, Store, StoreError, StoreErrorKind, WorkerFilter,
};

/// Interval at which a worker claims executions that other workers have abandoned.
const ABANDONED_INTERVAL: Duration = Duration::from_secs(1);
/// How long the store may fail with errors that do not pass by themselves before the worker stops.
const ERROR_TIMEOUT: Duration = Duration::from_secs(10);

pub(super) struct Service {
    pub(super) store: Arc<dyn Store>,
    pub(super) handlers: Handlers,
    pub(super) settings: Settings,
    pub(super) shutdown: Arc<Shutdown>,
    pub(super) filter: WorkerFilter,
    pub(super) concurrency: usize,
    pub(super) grace: Duration,
    pub(super) max_crashes: u32,
    pub(super) sample_queues: bool,
    pub(super) failures: Failures,
}

/// State of the loop between iterations.
struct LoopState {
    /// Position of the work that the store has reported so far.
    seen: u64,
    /// When abandoned executions are claimed next.
    next_abandoned: Instant,
    /// Earliest time at which schedules fire again.
    next_fire: Instant,
    /// Whether the missing feature was logged.
    #[cfg(not(feature = "schedule"))]
    warned: bool,
    /// When the store started to fail, and the number of failures since.
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
        tracing::info!(?handlers, concurrency = self.concurrency, %durability, "worker started");
        metrics::describe();
        let _sampler = Sampler::start(&self);
        let mut running = JoinSet::new();
        let ended = {
            let mut stop = pin!(stop);
            self.serve(&mut running, stop.as_mut()).await
        };
        self.shutdown.raise();
        self.drain(&mut running, abort).await;
        tracing::info!("worker stopped");
        ended
    }

    /// Claims and runs executions until `stop` completes. Checks `stop` only between iterations, so that every
    /// claimed lease is either run or released.
    async fn serve(
        self: &Arc<Self>,
        running: &mut JoinSet<()>,
        mut stop: Pin<&mut impl Future<Output = ()>>,
    ) -> Result<(), WorkerError> {
        let mut state = LoopState {
            seen: 0,
            next_abandoned: Instant::now(),
            next_fire: Instant::now(),
            #[cfg(not(feature = "schedule"))]
            warned: false,
            failing: None,
        };
        loop {
            while running.try_join_next().is_some() {}
            let wait = match self.claim_and_spawn(running, &mut state).await {
                Ok(wait) => wait,
                Err(error) => match state.store_failed(&error) {
                    Some(pause) => pause,
                    None => return Err(WorkerError::Store(error)),
                },
            };
            let mut idle = pin!(self.idle(wait, running, &mut state));
            let has_work = poll_fn(|cx| match stop.as_mut().poll(cx) {
                Poll::Ready(()) => Poll::Ready(false),
                Poll::Pending => idle.as_mut().poll(cx).map(|()| true),
            });
            if !has_work.await {
                return Ok(());
            }
        }
    }

    /// Waits until `wait` is over, an execution ends, or the store reports new work.
    async fn idle(&self, wait: Duration, running: &mut JoinSet<()>, state: &mut LoopState) {
        let mut wait = self.settings.clock.sleep(wait);
        let listens = state.failing.is_none() && running.len() < self.concurrency;
        let mut ready = listens.then(|| self.store.ready(state.seen));
        poll_fn(|cx| {
            let ended = matches!(running.poll_join_next(cx), Poll::Ready(Some(_)));
            if ended || wait.as_mut().poll(cx).is_ready() {
                return Poll::Ready(());
            }
            match ready.as_mut().map(|ready| ready.as_mut().poll(cx)) {
                Some(Poll::Ready(Ok(seen))) => {
                    state.seen = seen;
                    Poll::Ready(())
                }
                // The next claim shows what is wrong with the store.
                Some(Poll::Ready(Err(error))) => {
                    tracing::debug!(%error, "the store cannot report new work");
                    ready = None;
                    Poll::Pending
                }
                _ => Poll::Pending,
            }
        })
        .await;
    }

    /// Claims as many executions as there is room for, and spawns them. Returns how long the loop may be idle.
    async fn claim_and_spawn(
        self: &Arc<Self>,
        running: &mut JoinSet<()>,
        state: &mut LoopState,
    ) -> Result<Duration, StoreError> {
        let room = self.concurrency.saturating_sub(running.len());
        if room == 0 {
            return Ok(ABANDONED_INTERVAL);
        }
        let recover = state.next_abandoned <= Instant::now();
        let now = self.settings.now();
        let request = ClaimRequest {
            limit: room,
            now,
            ttl: self.settings.lease,
            recover,
        };
        let claimed = self.store.claim_due(&self.filter, request).await?;
        if recover {
            // Random, so that workers started together do not claim at the same time.
            state.next_abandoned =
                Instant::now() + ABANDONED_INTERVAL.mul_f64(0.75 + fastrand::f64() / 2.0);
        }
        if state.failing.take().is_some() {
            tracing::info!("the store works again");
        }
        self.fire(&claimed, state, now).await;
        let more = claimed.leases.len() == room;
        let wait = self.idle_time(&claimed, state, now);
        for lease in claimed.leases {
            metrics::claimed(&lease.execution.handler, lease.was_interrupted);
            running.spawn(Arc::clone(self).execute(lease));
        }
        Ok(if more { ABANDONED_INTERVAL } else { wait })
    }

    /// Fires the schedules that are due. Errors are logged and do not stop the worker.
    async fn fire(&self, claimed: &Claimed, state: &mut LoopState, now: Timestamp) {
        let due = claimed.next_firing.is_some_and(|at| at <= now);
        if !due || state.next_fire > Instant::now() {
            return;
        }
        state.next_fire = Instant::now() + delay(1);
        #[cfg(feature = "schedule")]
        if let Err(error) = crate::schedule::fire_due(&*self.store, now).await {
            tracing::warn!(%error, "a schedule cannot fire, retrying");
            state.next_fire = Instant::now() + ABANDONED_INTERVAL;
        }
        #[cfg(not(feature = "schedule"))]
        if !std::mem::replace(&mut state.warned, true) {
            tracing::warn!(
                "a schedule is due, but this worker was built without the feature `schedule`"
            );
        }
    }

    /// Returns how long the loop may be idle until the next timer, firing or claim of abandoned executions.
    fn idle_time(&self, claimed: &Claimed, state: &LoopState, now: Timestamp) -> Duration {
        let firing = claimed.next_firing.map(|at| at.max(now.after(delay(1))));
        let firing = firing.filter(|_| cfg!(feature = "schedule"));
        let due = [claimed.next_due, firing].into_iter().flatten().min();
        let due = due.map(|due| due.since(now));
        let abandoned = state
            .next_abandoned
            .saturating_duration_since(Instant::now());
        due.map_or(abandoned, |due| due.min(abandoned))
    }

    /// Runs one invocation. Whatever happens, the execution can run again afterwards or is blocked.
    async fn execute(self: Arc<Self>, lease: Lease) {
        let (fence, was_interrupted, crashes) =
            (lease.fence.clone(), lease.was_interrupted, lease.crashes);
        let id = fence.execution.clone();
        if was_interrupted {
            tracing::warn!(execution = %id, "took over from a process that is gone");
        }
        if crashes >= self.max_crashes {
            let report = crash_report(crashes);
            return self.block(&fence, &lease.execution.handler, report).await;
        }
        let Some((name, handler)) = self.handlers.get(&lease.execution.handler) else {
            return self.retry_later(&fence).await;
        };
        let runner = Runner {
            store: Arc::clone(&self.store),
            settings: self.settings.clone(),
            handler,
        };
        let mut tally = Tally::default();
        let mut run = Box::pin(runner.run_invocation(&id, lease, &mut tally));
        let ended = poll_fn(|cx| match panic::catch(|| run.as_mut().poll(cx)) {
            Ok(polled) => polled.map(Ok),
            Err(message) => Poll::Ready(Err(message)),
        })
        .await;
        drop(run);
        match ended {
            Ok(Ok(ended)) => {
                self.failures.forget(&id);
                log_end(&fence, &ended);
            }
            Ok(Err(RunError::Store(error))) => {
                self.store_failed(&fence, name, error).await;
            }
            Ok(Err(error)) => self.block(&fence, name, error.to_string()).await,
            Err(message) => {
                let report = format!("the engine panicked while it ran the execution: {message}");
                self.block(&fence, name, report).await;
            }
        }
    }

    /// Waits for running executions to stop by themselves, until the grace period is over or `abort` completes.
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
                "bodies did not finish within the grace period and are interrupted"
            );
        }
        running.shutdown().await;
    }
}

impl LoopState {
    /// Records a failure of the store. Returns the delay before the next try, or `None` to give up.
    fn store_failed(&mut self, error: &StoreError) -> Option<Duration> {
        if error.kind() == StoreErrorKind::Unsupported {
            return None;
        }
        let (since, before) = self.failing.unwrap_or((Instant::now(), 0));
        self.failing = Some((since, before + 1));
        let is_permanent = error.kind() != StoreErrorKind::Unavailable;
        if is_permanent && since.elapsed() >= ERROR_TIMEOUT {
            return None;
        }
        let pause = delay(before + 1).min(Duration::from_secs(5));
        tracing::warn!(%error, ?pause, "cannot claim executions, retrying");
        Some(pause)
    }
}

fn log_end(fence: &Fence, ended: &Ended) {
    let execution = &fence.execution;
    match ended {
        Ended::Succeeded(_) => tracing::info!(%execution, "succeeded"),
        // The error may be secret. Histories show it to those who may read it.
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
