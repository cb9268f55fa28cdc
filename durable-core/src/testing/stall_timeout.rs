//! Real-time limit on how long virtual time stands still for work that does not finish.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, OnceLock};
use std::task::Waker;
use std::time::{Duration, Instant};

/// A body that has not finished by then is considered hung.
const WITH_BODIES: Duration = Duration::from_secs(1);
/// An external answer that has not come by then, for example from another thread of the test, is not expected.
const WITHOUT_BODIES: Duration = Duration::from_millis(50);

/// Real time that may pass without progress. Starts again whenever a body begins or ends.
#[derive(Default)]
pub(super) struct StallTimeout {
    /// The period that expired last, shared with the alarm thread.
    expired: Arc<AtomicU64>,
    period: u64,
    alarm_set: Option<u64>,
}

struct Alarm {
    at: Instant,
    period: u64,
    expired: Arc<AtomicU64>,
    waker: Waker,
}

impl StallTimeout {
    pub(super) fn renew(&mut self) {
        self.period += 1;
    }

    pub(super) fn is_over_with_bodies(&mut self, waker: &Waker) -> bool {
        self.is_over_after(WITH_BODIES, waker)
    }

    pub(super) fn is_over(&mut self, waker: &Waker) -> bool {
        self.is_over_after(WITHOUT_BODIES, waker)
    }

    fn is_over_after(&mut self, limit: Duration, waker: &Waker) -> bool {
        // Periods count from 1 here, because 0 means that none has expired.
        let period = self.period + 1;
        if self.expired.load(Ordering::Acquire) == period {
            return true;
        }
        if self.alarm_set != Some(period) {
            self.alarm_set = Some(period);
            let alarm = Alarm {
                at: Instant::now() + limit,
                period,
                expired: Arc::clone(&self.expired),
                waker: waker.clone(),
            };
            // Sending fails only if the thread could not be started. Then no limit ever expires.
            let _ = alarms().send(alarm);
        }
        false
    }
}

/// One thread for all tests of the process.
fn alarms() -> &'static Sender<Alarm> {
    static ALARMS: OnceLock<Sender<Alarm>> = OnceLock::new();
    ALARMS.get_or_init(|| {
        let (sender, alarms) = channel();
        let thread = std::thread::Builder::new().name("durable-test-stall".into());
        if let Err(error) = thread.spawn(move || ring_alarms(&alarms)) {
            tracing::error!(%error, "cannot start the thread that detects hung bodies");
        }
        sender
    })
}

fn ring_alarms(incoming: &Receiver<Alarm>) {
    let mut alarms: Vec<Alarm> = Vec::new();
    loop {
        let now = Instant::now();
        alarms.retain(|alarm| {
            let due = alarm.at <= now;
            if due {
                alarm.expired.store(alarm.period, Ordering::Release);
                alarm.waker.wake_by_ref();
            }
            !due
        });
        let pause = alarms.iter().map(|alarm| alarm.at - now).min();
        match incoming.recv_timeout(pause.unwrap_or(Duration::from_secs(3600))) {
            Ok(alarm) => alarms.push(alarm),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}
