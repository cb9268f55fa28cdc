//! Virtual time that skips ahead while nothing can run.

use std::collections::BTreeMap;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context as TaskContext, Poll, Wake, Waker};
use std::time::Duration;

use super::stall_timeout::StallTimeout;
use crate::{BoxFuture, Clock, Timestamp};

/// Time at which every test begins: 2027-01-15T08:00:00Z.
const BEGINNING: Timestamp = Timestamp::from_millis(1_800_000_000_000);
/// How often other tasks may run before time is skipped.
const YIELDS: u32 = 8;
/// Polls of the future in a row before other tasks may run.
const MAX_POLLS: u32 = 64;

/// Clock of a test. It stands still while something runs, and skips to the next timer when everything waits.
///
/// By default the body of a step takes no virtual time. [`TestRun::takes`] sets how long a body takes, and a
/// body may await [`sleep`](Clock::sleep) of this clock. While a body awaits something real, such as a socket or
/// a thread, time is not skipped for one second of real time. A body that has not finished by then is
/// considered hung, and time is skipped so that its `timeout` can expire.
///
/// [`TestRun::takes`]: super::TestRun::takes
#[derive(Clone)]
pub struct TestClock(Arc<Mutex<Time>>);

struct Time {
    now: Timestamp,
    sleepers: BTreeMap<(Timestamp, u64), Sleeper>,
    /// Number of sleepers so far; distinguishes sleepers that are due at the same time.
    tickets: u64,
    /// Number of running bodies.
    bodies: usize,
    /// The task waiting in [`TestClock::stalled`].
    stalled: Option<Stalled>,
    stall_timeout: StallTimeout,
}

struct Sleeper {
    waker: Waker,
    /// Whether a body sleeps, rather than the engine.
    body: bool,
}

struct Stalled {
    waker: Waker,
    over: bool,
}

/// Source of scripted external events, such as callback completions.
pub(super) trait ExternalEvents: Send + Sync {
    /// Delivers the events that are due. Returns an error with the time of the next event if none was.
    fn deliver_due(&self, now: Timestamp) -> Result<(), Option<Timestamp>>;
}

impl TestClock {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(Time {
            now: BEGINNING,
            sleepers: BTreeMap::new(),
            tickets: 0,
            bodies: 0,
            stalled: None,
            stall_timeout: StallTimeout::default(),
        })))
    }

    fn time(&self) -> MutexGuard<'_, Time> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A handle on this clock for the engine, whose timers do not count as sleeping bodies.
    pub(super) fn for_engine(&self) -> Arc<dyn Clock> {
        Arc::new(EngineClock(self.clone()))
    }

    /// Advances time.
    pub(super) fn advance(&self, by: Duration) {
        let mut time = self.time();
        let now = time.now.after(by);
        time.reach(now);
    }

    /// Sets the time, before anything runs.
    pub(super) fn begin_at(&self, now: Timestamp) {
        self.time().now = now;
    }

    /// Counts a body as running until the returned guard is dropped.
    pub(super) fn start_body(&self) -> Box<dyn Send + Sync> {
        let mut time = self.time();
        time.bodies += 1;
        time.stall_timeout.renew();
        Box::new(RunningBody(self.clone()))
    }

    /// Completes when neither a timer nor an external event is left to wait for.
    pub(super) async fn stalled(&self) {
        std::future::poll_fn(|cx| {
            let mut time = self.time();
            if time.stalled.as_ref().is_some_and(|stalled| stalled.over) {
                time.stalled = None;
                return Poll::Ready(());
            }
            if time.stalled.is_none() {
                time.stall_timeout.renew();
            }
            time.stalled = Some(Stalled {
                waker: cx.waker().clone(),
                over: false,
            });
            Poll::Pending
        })
        .await;
    }

    /// Runs `future`, and skips time whenever everything waits.
    pub(super) async fn run<F: Future>(
        &self,
        external: &dyn ExternalEvents,
        future: F,
    ) -> F::Output {
        let signal = Arc::new(WakeSignal::default());
        let waker = Waker::from(Arc::clone(&signal));
        let mut future = pin!(future);
        let mut yields = 0;
        std::future::poll_fn(|cx| {
            signal.listen(cx.waker());
            for _ in 0..MAX_POLLS {
                if signal.take() {
                    yields = 0;
                    let mut cx = TaskContext::from_waker(&waker);
                    if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
                        return Poll::Ready(output);
                    }
                } else if yields < YIELDS {
                    yields += 1;
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                } else if !self.skip(external, cx.waker()) {
                    return Poll::Pending;
                }
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await
    }

    /// Delivers due external events, or else skips to the next timer. Returns whether a task was woken. If not,
    /// `waker` is woken when the stall timeout expires.
    fn skip(&self, external: &dyn ExternalEvents, waker: &Waker) -> bool {
        let event = match external.deliver_due(self.now()) {
            Ok(()) => return true,
            Err(next) => next,
        };
        let mut time = self.time();
        let timer = time.sleepers.first_key_value().map(|((due, _), _)| *due);
        let sleeping = time.sleepers.values().filter(|one| one.body).count();
        match [timer, event].into_iter().flatten().min() {
            Some(_) if time.bodies > sleeping && !time.stall_timeout.is_over_with_bodies(waker) => {
                false
            }
            Some(next) => {
                time.reach(next);
                true
            }
            None if time.bodies > 0 || time.stalled.is_none() => false,
            None if !time.stall_timeout.is_over(waker) => false,
            None => {
                if let Some(stalled) = &mut time.stalled {
                    stalled.over = true;
                    stalled.waker.wake_by_ref();
                }
                true
            }
        }
    }
}

impl Time {
    /// Sets the time to `now` unless it is later already, and wakes the sleepers that are due.
    fn reach(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        let later = self.sleepers.split_off(&(self.now.after(MILLISECOND), 0));
        for (_, due) in std::mem::replace(&mut self.sleepers, later) {
            due.waker.wake();
        }
    }
}

const MILLISECOND: Duration = Duration::from_millis(1);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        self.time().now
    }

    fn sleep(&self, delay: Duration) -> BoxFuture<'static, ()> {
        Box::pin(Sleep::new(self.clone(), delay, true))
    }
}

impl std::fmt::Debug for TestClock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TestClock({})", self.now())
    }
}

struct EngineClock(TestClock);

impl Clock for EngineClock {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn sleep(&self, delay: Duration) -> BoxFuture<'static, ()> {
        Box::pin(Sleep::new(self.0.clone(), delay, false))
    }
}

struct Sleep {
    clock: TestClock,
    key: (Timestamp, u64),
    body: bool,
}

impl Sleep {
    fn new(clock: TestClock, delay: Duration, body: bool) -> Self {
        let mut time = clock.time();
        time.tickets += 1;
        let key = (time.now.after(delay), time.tickets);
        drop(time);
        Self { clock, key, body }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<()> {
        let mut time = self.clock.time();
        if self.key.0 <= time.now {
            return Poll::Ready(());
        }
        let sleeper = Sleeper {
            waker: cx.waker().clone(),
            body: self.body,
        };
        time.sleepers.insert(self.key, sleeper);
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.clock.time().sleepers.remove(&self.key);
    }
}

/// Counts a body as running until it is dropped.
struct RunningBody(TestClock);
impl Drop for RunningBody {
    fn drop(&mut self) {
        let mut time = self.0.time();
        time.bodies -= 1;
        time.stall_timeout.renew();
    }
}

/// Records that the run was woken, and wakes the task that runs it.
struct WakeSignal {
    woken: AtomicBool,
    task: Mutex<Option<Waker>>,
}

impl Default for WakeSignal {
    fn default() -> Self {
        Self {
            woken: AtomicBool::new(true),
            task: Mutex::default(),
        }
    }
}

impl WakeSignal {
    fn listen(&self, waker: &Waker) {
        let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        *task = Some(waker.clone());
    }

    fn take(&self) -> bool {
        self.woken.swap(false, Ordering::AcqRel)
    }
}

impl Wake for WakeSignal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(waker) = &*task {
            waker.wake_by_ref();
        }
    }
}
