//! What an invocation waits for while its handler is pending.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context as TaskContext, Poll, ready};
use std::time::Duration;

use super::{Driver, Event};
use crate::model::error::OperationError;
use crate::runtime::shared::State;
use crate::{BoxFuture, Timestamp};

/// A START goes alone once its body has run for this long.
const LONE_START: Duration = Duration::from_millis(500);
/// How long a body may stay woken without being polled before it counts as given up.
const SETTLE: Duration = Duration::from_millis(20);

/// After a timer is due that a service has to end, it is asked again after this time, then after twice as
/// long, and so on.
const LOOK: Duration = Duration::from_secs(1);
const LOOK_AT_LEAST: Duration = Duration::from_secs(10);

/// What an invocation waits for.
pub(super) enum Idle {
    /// Something runs or is about to.
    Busy,
    /// A time that is worth staying for.
    Until(Timestamp),
    /// Nothing before this time, or before an event: the process is not needed.
    Suspend(Option<Timestamp>),
    /// The execution is to be cancelled, and nothing runs any more.
    Cancel,
}

pub(super) struct Timer {
    at: Timestamp,
    done: BoxFuture<'static, ()>,
}

impl Driver {
    /// The handler is pending and nothing can be written: waits for a time or a wake-up.
    pub(super) fn idle(&mut self, cx: &mut TaskContext<'_>) -> Poll<Event> {
        let shared = Arc::clone(&self.shared);
        let now = shared.clock.now();
        let alarm = {
            let mut state = shared.lock();
            let start = state.engine.oldest_unwritten_start();
            // While a write is under way none can be started: there is nothing to wake up for.
            let start = start.filter(|_| self.write.is_none());
            let lone_start = start.map(|at| at.after(LONE_START));
            let rest = match self.idle_state(&state, now) {
                Idle::Cancel if self.write.is_none() => {
                    let error = OperationError::of_cancellation(&shared.info.handler);
                    state.engine.end_execution(error);
                    self.signal.wanted.store(true, Ordering::Release);
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Idle::Until(time) if self.write.is_none() => Some(time),
                _ => None,
            };
            // While bodies run the process stays anyway: timers beside them are waited for in place.
            let beside = state.parked.values().filter(|parked| !parked.woken);
            let timer = beside.filter_map(|parked| parked.until).min();
            let timer = timer.filter(|_| !state.bodies.is_empty());
            let orchestrated = state.engine.limits().service_driven;
            let timer = if orchestrated {
                timer.and_then(|due| self.look(due))
            } else {
                timer
            };
            let alarm = [lone_start, rest, timer].into_iter().flatten().min();
            if alarm.is_some_and(|alarm| alarm <= now) {
                if lone_start.is_some_and(|at| at <= now) {
                    state.engine.flush_starts();
                }
                if !orchestrated {
                    wake_due(&mut state, now);
                } else if timer.is_some_and(|at| at <= now) {
                    self.looked(now);
                    state.ask = true;
                }
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            alarm
        };
        self.warn_if_foreign();
        if self.poll_news(cx).is_ready() {
            self.shared.lock().ask = true;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let Some(alarm) = alarm else {
            return Poll::Pending;
        };
        ready!(self.poll_timer(alarm, now, cx));
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// When a service is asked whether a timer that is due then has ended; not while a write is under
    /// way, which will tell.
    fn look(&self, due: Timestamp) -> Option<Timestamp> {
        let next = self.next_look.map_or(due, |(next, _)| due.max(next));
        self.write.is_none().then_some(next)
    }

    fn looked(&mut self, now: Timestamp) {
        let pause = self.next_look.map_or(LOOK, |(_, pause)| pause);
        self.next_look = Some((now.after(pause), (pause * 2).min(LOOK_AT_LEAST)));
    }

    /// Listens for changes from outside while there is nothing else to do.
    fn poll_news(&mut self, cx: &mut TaskContext<'_>) -> Poll<()> {
        let Some(informer) = &self.informer else {
            return Poll::Pending;
        };
        let news = self.news.get_or_insert_with(|| {
            let (store, id) = (Arc::clone(informer), self.fence.execution.clone());
            let seen = self.shared.lock().engine.seen();
            Box::pin(async move {
                // A store that cannot tell now is asked again with the next write.
                if store.changed(&id, seen).await.is_err() {
                    std::future::pending::<()>().await;
                }
            })
        });
        ready!(news.as_mut().poll(cx));
        self.news = None;
        Poll::Ready(())
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
    pub(super) fn idle_state(&mut self, state: &State, now: Timestamp) -> Idle {
        let mut neglected = false;
        for body in state.bodies.values() {
            if !body.is_neglected() {
                self.settling = None;
                return Idle::Busy;
            }
            neglected = true;
        }
        let wanted = self.signal.wanted.load(Ordering::Acquire);
        let writes_awaited = state.parked.values().any(|parked| parked.writing);
        if wanted || writes_awaited || state.parked.is_empty() {
            self.settling = None;
            return Idle::Busy;
        }
        if neglected {
            let settled = *self.settling.get_or_insert(now.after(SETTLE));
            if now < settled {
                return Idle::Until(settled);
            }
        }
        if state.engine.is_cancelling() && state.engine.unwinding().is_none() {
            return Idle::Cancel;
        }
        if state.engine.is_sliced() {
            return Idle::Suspend(Some(now));
        }
        let timers = state.parked.values();
        let earliest = timers.filter_map(|parked| parked.until).min();
        match earliest {
            Some(earliest) if self.is_worth_staying(state, earliest, now) => Idle::Until(earliest),
            earliest => Idle::Suspend(earliest),
        }
    }

    /// Whether a timer is short enough, and ends before the invocation has to.
    fn is_worth_staying(&self, state: &State, due: Timestamp, now: Timestamp) -> bool {
        // A timer that was told and not asked belongs to a future nobody polls any more.
        let told = state.parked.values().any(|parked| parked.woken);
        !told
            && !state.engine.limits().service_driven
            && due.since(now) <= self.suspend_after
            && state.engine.ends_at().is_none_or(|end| due < end)
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
}

fn wake_due(state: &mut State, now: Timestamp) {
    for parked in state.parked.values_mut() {
        if parked.until.is_some_and(|due| due <= now) {
            parked.woken = true;
            parked.waker.wake_by_ref();
        }
    }
}
