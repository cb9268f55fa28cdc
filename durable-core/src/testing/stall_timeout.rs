//! How long real work is waited for before virtual time goes on without it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, OnceLock};
use std::task::Waker;
use std::time::{Duration, Instant};

/// A body that has not come by then hangs.
const WITH_BODIES: Duration = Duration::from_secs(1);
/// An answer that has not come by then, from another thread of the test, does not come.
const WITHOUT: Duration = Duration::from_millis(50);

/// Real time that may pass until somebody moves. Begins anew whenever a body begins or ends.
#[derive(Default)]
pub(super) struct StallTimeout {
    /// The period that has run out last, shared with the thread that waits.
    over: Arc<AtomicU64>,
    period: u64,
    asked: Option<u64>,
}

struct Alarm {
    at: Instant,
    period: u64,
    over: Arc<AtomicU64>,
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
        self.is_over_after(WITHOUT, waker)
    }

    fn is_over_after(&mut self, limit: Duration, waker: &Waker) -> bool {
        // Periods are counted from 1 here, so that none has run out in the beginning.
        let period = self.period + 1;
        if self.over.load(Ordering::Acquire) == period {
            return true;
        }
        if self.asked != Some(period) {
            self.asked = Some(period);
            let alarm = Alarm {
                at: Instant::now() + limit,
                period,
                over: Arc::clone(&self.over),
                waker: waker.clone(),
            };
            // Only a thread that never started does not listen: then nothing is ever given up.
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
        let thread = std::thread::Builder::new().name("durable-test-patience".into());
        if let Err(error) = thread.spawn(move || ring_all(&alarms)) {
            tracing::error!(%error, "no thread to wait for bodies that hang");
        }
        sender
    })
}

fn ring_all(incoming: &Receiver<Alarm>) {
    let mut alarms: Vec<Alarm> = Vec::new();
    loop {
        let now = Instant::now();
        alarms.retain(|alarm| {
            let due = alarm.at <= now;
            if due {
                alarm.over.store(alarm.period, Ordering::Release);
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
