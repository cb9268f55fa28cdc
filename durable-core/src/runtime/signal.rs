//! Who wants the driver to look again.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Wake, Waker};

/// Notes that the handler or the lease wants signal, and wakes whoever runs the invocation.
#[derive(Default)]
pub(crate) struct InvocationSignal {
    pub(crate) wanted: AtomicBool,
    pub(crate) lease_lost: AtomicBool,
    pub(crate) draining: AtomicBool,
    task: Mutex<Option<Waker>>,
}

impl InvocationSignal {
    pub(crate) fn listen(&self, waker: &Waker) {
        let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *task {
            Some(known) => known.clone_from(waker),
            None => *task = Some(waker.clone()),
        }
    }

    /// Another process has the execution now: nothing more may be run.
    pub(crate) fn lose_lease(self: &Arc<Self>) {
        self.lease_lost.store(true, Ordering::Release);
        self.wake_by_ref();
    }

    /// The process is to end: the invocation stops at its next durable boundary.
    pub(crate) fn drain(self: &Arc<Self>) {
        self.draining.store(true, Ordering::Release);
        // Whether or not the handler wants a poll, the driver has to look.
        self.wanted.store(false, Ordering::Release);
        self.wake_by_ref();
    }
}

impl Wake for InvocationSignal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.wanted.swap(true, Ordering::AcqRel) {
            let task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(waker) = &*task {
                waker.wake_by_ref();
            }
        }
    }
}
