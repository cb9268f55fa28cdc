//! Allocations per step. Runs of two lengths are subtracted, so the start and the end do not count.

use durable::prelude::BoxError;

use crate::steps;

const STEPS: u32 = 1_000;

/// Returns the allocations of a live step in memory, its body and its value included.
pub fn live() -> Result<f64, BoxError> {
    Ok((count(2 * STEPS, 0)? - count(STEPS, 0)?) / f64::from(STEPS))
}

/// Returns the allocations of a replayed step, its value included.
pub fn replayed() -> Result<f64, BoxError> {
    let replays = 2;
    Ok((count(STEPS, 1 + replays)? - count(STEPS, 1)?) / f64::from(STEPS * replays))
}

/// Runs on a thread of its own, because the calling one is inside a runtime.
fn count(steps: u32, replays: u32) -> Result<f64, BoxError> {
    let counted = std::thread::spawn(move || {
        let mut result = Ok(());
        let counted = allocation_counter::measure(|| result = steps::run(steps, replays));
        result.map(|()| counted.count_total as f64)
    });
    counted.join().map_err(|_| "the counted run panicked")?
}
