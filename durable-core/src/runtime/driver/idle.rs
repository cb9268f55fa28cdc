//! Computes how long a pending invocation may sleep: timers, writes, external events.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context as TaskContext, Poll, ready};
use std::time::Duration;

use super::{Driver, Event};
use crate::model::error::OperationError;
use crate::runtime::shared::State;
use crate::{BoxFuture, Timestamp};

/// Time after which the START of a body or a published value is written without waiting for another change.
const WRITE_DELAY: Duration = Duration::from_millis(500);
/// How long a body may be woken without being polled before it counts as abandoned.
const ABANDONED_AFTER: Duration = Duration::from_millis(20);

/// First pause between requests to a service about a timer that is due. The pause doubles after each request.
const REFRESH_PAUSE: Duration = Duration::from_secs(1);
/// Longest pause between such requests.
const MAX_REFRESH_PAUSE: Duration = Duration::from_secs(10);

/// What a pending invocation waits for.
pub(super) enum Idle {
    /// Something runs or is about to run.
    Busy,
    /// This time, which is near enough to stay in memory.
    Until(Timestamp),
    /// This time or an external event, without needing the process.
    Suspend(Option<Timestamp>),
    /// Nothing: the execution is to be cancelled, and nothing runs any more.
    Cancel,
}

pub(super) struct Timer {
    at: Timestamp,
    done: BoxFuture<'static, ()>,
}

impl Driver {
    /// Waits for a time or a wake-up while the handler is pending and nothing can be written.
    pub(super) fn idle(&mut self, cx: &mut TaskContext<'_>) -> Poll<Event> {
        let shared = Arc::clone(&self.shared);
        let now = shared.clock.now();
        let alarm = {
            let mut state = shared.lock();
            let unwritten = state.engine.oldest_unwritten();
            // No other write can start during a write.
            let unwritten = unwritten.filter(|_| self.write.is_none());
            let flush_due = unwritten.map(|since| since.after(WRITE_DELAY));
            let stay_until = match self.idle_state(&state, now) {
                Idle::Cancel if self.write.is_none() => {
                    let error = OperationError::of_cancellation(&shared.info.handler);
                    state.engine.end_execution(error);
                    self.signal.poll_requested.store(true, Ordering::Release);
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Idle::Until(time) if self.write.is_none() => Some(time),
                _ => None,
            };
            // While bodies run, the process is needed anyway, so timers are awaited in memory.
            let timers = state.waiting.values().filter(|waiting| !waiting.woken);
            let timer = timers.filter_map(|waiting| waiting.wake_at).min();
            let timer = timer.filter(|_| !state.bodies.is_empty());
            let service_driven = state.engine.limits().service_driven;
            let timer = if service_driven {
                timer.and_then(|due| self.refresh_at(due))
            } else {
                timer
            };
            let alarm = [flush_due, stay_until, timer].into_iter().flatten().min();
            if alarm.is_some_and(|alarm| alarm <= now) {
                if flush_due.is_some_and(|at| at <= now) {
                    state.engine.flush();
                }
                if !service_driven {
                    wake_due(&mut state, now);
                } else if timer.is_some_and(|at| at <= now) {
                    self.refreshed(now);
                    state.refresh = true;
                }
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            alarm
        };
        self.warn_about_foreign_future();
        if self.listens() && self.poll_external(cx).is_ready() {
            self.shared.lock().refresh = true;
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

    /// Returns when to ask a service whether a timer that is due has ended. `None` during a write, whose
    /// acknowledgement will say so.
    fn refresh_at(&self, due: Timestamp) -> Option<Timestamp> {
        let next = self.next_refresh.map_or(due, |(next, _)| due.max(next));
        self.write.is_none().then_some(next)
    }

    /// Notes that the service is asked now.
    fn refreshed(&mut self, now: Timestamp) {
        let pause = self.next_refresh.map_or(REFRESH_PAUSE, |(_, pause)| pause);
        self.next_refresh = Some((now.after(pause), (pause * 2).min(MAX_REFRESH_PAUSE)));
    }

    /// Whether to listen for external updates. The acknowledgement of a write contains them, and until then only a
    /// running body could use them. Listening begins with a read of the store, which most short executions avoid thus.
    fn listens(&self) -> bool {
        self.write.is_none()
            || self.external_change.is_some()
            || !self.shared.lock().bodies.is_empty()
    }

    /// Waits for external updates.
    fn poll_external(&mut self, cx: &mut TaskContext<'_>) -> Poll<()> {
        let Some(notifier) = &self.notifier else {
            return Poll::Pending;
        };
        let external_change = self.external_change.get_or_insert_with(|| {
            let (store, id) = (Arc::clone(notifier), self.fence.execution.clone());
            let seen = self.shared.lock().engine.seen();
            Box::pin(async move {
                // After an error, the next write fetches the updates.
                if store.changed(&id, seen).await.is_err() {
                    std::future::pending::<()>().await;
                }
            })
        });
        ready!(external_change.as_mut().poll(cx));
        self.external_change = None;
        Poll::Ready(())
    }

    /// Waits until `at`. An earlier timer is kept: setting it again would cost more than one early wake-up.
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

    /// Returns what the invocation waits for.
    pub(super) fn idle_state(&mut self, state: &State, now: Timestamp) -> Idle {
        let mut neglected = false;
        for body in state.bodies.values() {
            if !body.is_neglected() {
                self.abandoned_at = None;
                return Idle::Busy;
            }
            neglected = true;
        }
        let poll_requested = self.signal.poll_requested.load(Ordering::Acquire);
        let writes_awaited = state.waiting.values().any(|waiting| waiting.for_write);
        if poll_requested || writes_awaited || state.waiting.is_empty() {
            self.abandoned_at = None;
            return Idle::Busy;
        }
        if neglected {
            let abandoned_at = *self.abandoned_at.get_or_insert(now.after(ABANDONED_AFTER));
            if now < abandoned_at {
                return Idle::Until(abandoned_at);
            }
        }
        if state.engine.is_cancelling() && state.engine.unwinding().is_none() {
            return Idle::Cancel;
        }
        if state.engine.is_sliced() {
            return Idle::Suspend(Some(now));
        }
        let timers = state.waiting.values();
        let earliest = timers.filter_map(|waiting| waiting.wake_at).min();
        match earliest {
            Some(earliest) if self.is_worth_staying(state, earliest, now) => Idle::Until(earliest),
            earliest => Idle::Suspend(earliest),
        }
    }

    /// Returns whether to wait for a timer in memory: it is short and ends before the invocation has to.
    fn is_worth_staying(&self, state: &State, due: Timestamp, now: Timestamp) -> bool {
        // A future that was woken and still waits is no longer polled.
        let abandoned = state.waiting.values().any(|waiting| waiting.woken);
        !abandoned
            && !state.engine.limits().service_driven
            && due.since(now) <= self.suspend_after
            && state.engine.ends_at().is_none_or(|end| due < end)
    }

    /// Warns once if the handler waits and no durable call does: it awaits a future that replay does not know.
    fn warn_about_foreign_future(&mut self) {
        let state = self.shared.lock();
        let known = !state.waiting.is_empty() || !state.bodies.is_empty() || self.write.is_some();
        if known || self.warned {
            return;
        }
        let location = state.last_site.map_or_else(
            || "before its first durable call".to_owned(),
            |site| format!("after {site}"),
        );
        drop(state);
        self.warned = true;
        let warning = format!(
            "`{}` awaits a future that is not a durable call, {location}: it is awaited again on every \
             replay and prevents suspension; put it into a `step!`",
            self.shared.info.handler
        );
        tracing::warn!(execution = %self.fence.execution, "{warning}");
        self.warnings.push(warning);
    }
}

/// Wakes the futures whose time has come.
fn wake_due(state: &mut State, now: Timestamp) {
    for waiting in state.waiting.values_mut() {
        if waiting.wake_at.is_some_and(|due| due <= now) {
            waiting.woken = true;
            waiting.waker.wake_by_ref();
        }
    }
}
