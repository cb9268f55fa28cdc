//! Time that skips ahead while nothing runs.

use std::collections::BTreeMap;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context as TaskContext, Poll, Wake, Waker};
use std::time::Duration;

use super::stall_timeout::StallTimeout;
use crate::{BoxFuture, Clock, Timestamp};

/// When every test begins: 2027-01-15T08:00:00Z.
const BEGINNING: Timestamp = Timestamp::from_millis(1_800_000_000_000);
/// How often other tasks get their turn before time is skipped.
const YIELDS: u32 = 8;
/// Polls between two turns of other tasks.
const TURNS: u32 = 64;

/// The clock of a test: it stands still while something runs, and skips to the next timer when all
/// that there is to do is to wait.
///
/// A body that takes no virtual time of its own takes none at all: [`TestRun::takes`] says how long
/// one is to take, and a body may await [`sleep`](Clock::sleep) of this clock. While a body awaits
/// something real (a socket, a thread), time is not skipped, for a second: a body that has not come
/// by then is taken to hang, so that its `timeout` passes.
///
/// [`TestRun::takes`]: super::TestRun::takes
#[derive(Clone)]
pub struct TestClock(Arc<Mutex<Time>>);

struct Time {
    now: Timestamp,
    sleepers: BTreeMap<(Timestamp, u64), Sleeper>,
    /// Sleepers so far, which tells them apart.
    tickets: u64,
    /// Bodies that run.
    bodies: usize,
    /// Who waits for nothing to be left to wait for.
    stalled: Option<Stalled>,
    patience: StallTimeout,
}

struct Sleeper {
    waker: Waker,
    /// Whether a body sleeps, and nothing of the engine's.
    body: bool,
}

struct Stalled {
    waker: Waker,
    over: bool,
}

/// What is to happen outside while everybody waits.
pub(super) trait Outside: Send + Sync {
    /// Does what is due. Answers with whether anything was, else with when something will be.
    fn act(&self, now: Timestamp) -> Result<(), Option<Timestamp>>;
}

impl TestClock {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(Time {
            now: BEGINNING,
            sleepers: BTreeMap::new(),
            tickets: 0,
            bodies: 0,
            stalled: None,
            patience: StallTimeout::default(),
        })))
    }

    fn time(&self) -> MutexGuard<'_, Time> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same clock for the engine, whose timers are no body's.
    pub(super) fn for_engine(&self) -> Arc<dyn Clock> {
        Arc::new(EngineClock(self.clone()))
    }

    /// Moves time on.
    pub(super) fn advance(&self, by: Duration) {
        let mut time = self.time();
        let now = time.now.after(by);
        time.reach(now);
    }

    /// Sets the time, before anything runs.
    pub(super) fn begin_at(&self, now: Timestamp) {
        self.time().now = now;
    }

    /// A body runs for as long as the answer is kept.
    pub(super) fn hold(&self) -> Box<dyn Send + Sync> {
        let mut time = self.time();
        time.bodies += 1;
        time.patience.renew();
        Box::new(Held(self.clone()))
    }

    /// Ends when there is nothing left that could happen.
    pub(super) async fn stalled(&self) {
        std::future::poll_fn(|cx| {
            let mut time = self.time();
            if time.stalled.as_ref().is_some_and(|stalled| stalled.over) {
                time.stalled = None;
                return Poll::Ready(());
            }
            if time.stalled.is_none() {
                time.patience.renew();
            }
            time.stalled = Some(Stalled {
                waker: cx.waker().clone(),
                over: false,
            });
            Poll::Pending
        })
        .await;
    }

    /// Runs `future`, and skips time whenever it can do nothing but wait.
    pub(super) async fn run<F: Future>(&self, outside: &dyn Outside, future: F) -> F::Output {
        let signal = Arc::new(Signal::default());
        let waker = Waker::from(Arc::clone(&signal));
        let mut future = pin!(future);
        let mut quiet = 0;
        std::future::poll_fn(|cx| {
            signal.listen(cx.waker());
            for _ in 0..TURNS {
                if signal.take() {
                    quiet = 0;
                    let mut inside = TaskContext::from_waker(&waker);
                    if let Poll::Ready(output) = future.as_mut().poll(&mut inside) {
                        return Poll::Ready(output);
                    }
                } else if quiet < YIELDS {
                    quiet += 1;
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                } else if !self.skip(outside, cx.waker()) {
                    return Poll::Pending;
                }
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await
    }

    /// Everybody waits: lets the outside act, or goes on to the next timer. Answers with whether
    /// somebody was woken; if not, `waker` is woken when patience has run out.
    fn skip(&self, outside: &dyn Outside, waker: &Waker) -> bool {
        let event = match outside.act(self.now()) {
            Ok(()) => return true,
            Err(next) => next,
        };
        let mut time = self.time();
        let timer = time.sleepers.first_key_value().map(|((due, _), _)| *due);
        let sleeping = time.sleepers.values().filter(|one| one.body).count();
        match [timer, event].into_iter().flatten().min() {
            Some(_) if time.bodies > sleeping && !time.patience.is_over_with_bodies(waker) => false,
            Some(next) => {
                time.reach(next);
                true
            }
            None if time.bodies > 0 || time.stalled.is_none() => false,
            None if !time.patience.is_over(waker) => false,
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
    /// It is `now`, or later: wakes whose time has come.
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

struct Held(TestClock);

impl Drop for Held {
    fn drop(&mut self) {
        let mut time = self.0.time();
        time.bodies -= 1;
        time.patience.renew();
    }
}

/// Notes that the run was woken, and wakes who runs it.
struct Signal {
    woken: AtomicBool,
    task: Mutex<Option<Waker>>,
}

impl Default for Signal {
    fn default() -> Self {
        Self {
            woken: AtomicBool::new(true),
            task: Mutex::default(),
        }
    }
}

impl Signal {
    fn listen(&self, waker: &Waker) {
        let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        *task = Some(waker.clone());
    }

    fn take(&self) -> bool {
        self.woken.swap(false, Ordering::AcqRel)
    }
}

impl Wake for Signal {
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
