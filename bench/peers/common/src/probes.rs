//! What workflows and step bodies report to the benchmark. Statics, because workflows of the peers have no state.

use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::Notify;

use crate::point::Point;

/// Times at which the steps of a workflow returned.
pub static LAPS: Laps = Laps(Mutex::new(Vec::new()));

/// Last point that a workflow has reached.
pub static POINT: Point = Point::new();

/// Delays of wake-ups.
pub static WAKE_UPS: WakeUps = WakeUps {
    delays: Mutex::new(Vec::new()),
    signal: Notify::const_new(),
};

/// Series of times.
pub struct Laps(Mutex<Vec<Instant>>);

impl Laps {
    /// Records the current time.
    pub fn lap(&self) {
        if let Ok(mut laps) = self.0.lock() {
            laps.push(Instant::now());
        }
    }

    /// Removes the times and returns the differences between them.
    pub fn take(&self) -> Vec<Duration> {
        let laps = self.0.lock().map(|mut laps| std::mem::take(&mut *laps));
        let laps = laps.unwrap_or_default();
        laps.windows(2).map(|pair| pair[1] - pair[0]).collect()
    }
}

/// Delay of each wake-up in milliseconds.
pub struct WakeUps {
    delays: Mutex<Vec<i64>>,
    signal: Notify,
}

impl WakeUps {
    /// Records the delay of a wake-up that was due at `until`.
    pub fn record(&self, until: i64) {
        if let Ok(mut delays) = self.delays.lock() {
            delays.push(now_ms() - until);
        }
        self.signal.notify_one();
    }

    /// Waits for `total` wake-ups, then removes and returns their delays.
    pub async fn take(&self, total: u32) -> Vec<i64> {
        loop {
            if let Ok(mut delays) = self.delays.lock()
                && delays.len() >= total as usize
            {
                return std::mem::take(&mut *delays);
            }
            self.signal.notified().await;
        }
    }
}

/// Returns the milliseconds since 1970.
pub fn now_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    i64::try_from(now.unwrap_or_default().as_millis()).unwrap_or(i64::MAX)
}

/// Returns the time until a number of milliseconds since 1970.
pub fn time_until(until: i64) -> Duration {
    Duration::from_millis(u64::try_from(until - now_ms()).unwrap_or(0))
}
