//! `wait!`: a durable timer.

use std::time::Duration;

use crate::Timestamp;
use crate::runtime::registered::{Answer, Operation};

/// A timer that ends `delay` after it was first evaluated. Zero ends at once.
pub fn wait(operation: Operation<'_>, delay: Duration) -> impl Future<Output = ()> + Send {
    let now = operation.lock().engine.believe(operation.now());
    timer(operation, now.after(delay))
}

/// A timer that ends at `time`; at once when that has passed.
pub fn wait_until(operation: Operation<'_>, time: Timestamp) -> impl Future<Output = ()> + Send {
    timer(operation, time)
}

/// The timer's START is queued right here, not at the first poll.
fn timer(operation: Operation<'_>, due: Timestamp) -> impl Future<Output = ()> + Send {
    operation
        .lock()
        .engine
        .start_timer(operation.op, due, operation.now());
    async move {
        match operation.decide().await {
            Answer::Recorded(_) => {}
            // A timer has no body; only a stopped invocation leaves it without an outcome.
            Answer::Run => std::future::pending().await,
        }
    }
}
