//! `wait!`: a durable timer.

use std::time::Duration;

use crate::Timestamp;
use crate::runtime::registered::{Answer, Operation};

/// Starts a timer that ends `delay` after it was first evaluated. A delay of zero ends immediately.
pub fn wait(operation: Operation<'_>, delay: Duration) -> impl Future<Output = ()> + Send {
    let now = operation.lock().engine.advance_clock(operation.now());
    timer(operation, now.after(delay))
}

/// Starts a timer that ends at `time`, or immediately if that has passed.
pub fn wait_until(operation: Operation<'_>, time: Timestamp) -> impl Future<Output = ()> + Send {
    timer(operation, time)
}

/// Queues the START of a timer now, not at the first poll.
fn timer(operation: Operation<'_>, due: Timestamp) -> impl Future<Output = ()> + Send {
    operation
        .lock()
        .engine
        .start_timer(operation.op, due, operation.now());
    async move {
        match operation.decide().await {
            Answer::Recorded(_) => {}
            // A timer has no body. Only a stopped invocation leaves it without an outcome.
            Answer::Run => std::future::pending().await,
        }
    }
}
