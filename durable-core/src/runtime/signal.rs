//! Wake-up flag shared by the driver and its wakers.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Wake, Waker};

/// Flags of an invocation. Setting one wakes the task that runs the invocation.
#[derive(Default)]
pub(crate) struct InvocationSignal {
    /// Whether the handler is to be polled.
    pub(crate) poll_requested: AtomicBool,
    /// Whether the lease was lost.
    pub(crate) lease_lost: AtomicBool,
    /// Whether the process shuts down.
    pub(crate) draining: AtomicBool,
    task: Mutex<Option<Waker>>,
}

impl InvocationSignal {
    /// Sets the waker of the task that runs the invocation.
    pub(crate) fn listen(&self, waker: &Waker) {
        let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *task {
            Some(known) => known.clone_from(waker),
            None => *task = Some(waker.clone()),
        }
    }

    /// Notes that the lease was lost: another process may run the execution, so nothing more runs here.
    pub(crate) fn lose_lease(self: &Arc<Self>) {
        self.lease_lost.store(true, Ordering::Release);
        self.wake_by_ref();
    }

    /// Stops the invocation at its next durable boundary.
    pub(crate) fn drain(self: &Arc<Self>) {
        self.draining.store(true, Ordering::Release);
        // Cleared, so that the wake-up reaches the driver even if a poll is requested already.
        self.poll_requested.store(false, Ordering::Release);
        self.wake_by_ref();
    }
}

impl Wake for InvocationSignal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.poll_requested.swap(true, Ordering::AcqRel) {
            let task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(waker) = &*task {
                waker.wake_by_ref();
            }
        }
    }
}
