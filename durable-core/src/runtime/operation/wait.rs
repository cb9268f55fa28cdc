//! `wait!`: a durable timer.

use std::time::Duration;

use crate::Timestamp;
use crate::runtime::context::{Answer, Claim};

/// A timer that ends `delay` after it was first evaluated. Zero ends at once.
pub fn wait(claim: Claim<'_>, delay: Duration) -> impl Future<Output = ()> + Send {
    let now = claim.lock().engine.believe(claim.now());
    timer(claim, now.after(delay))
}

/// A timer that ends at `time`; at once when that has passed.
pub fn wait_until(claim: Claim<'_>, time: Timestamp) -> impl Future<Output = ()> + Send {
    timer(claim, time)
}

/// The timer's START is queued right here, not at the first poll.
fn timer(claim: Claim<'_>, due: Timestamp) -> impl Future<Output = ()> + Send {
    claim.lock().engine.start_timer(claim.op, due, claim.now());
    async move {
        match claim.decide().await {
            Answer::Recorded(_) => {}
            // A timer has no body; only a stopped invocation leaves it without an outcome.
            Answer::Run => std::future::pending().await,
        }
    }
}
