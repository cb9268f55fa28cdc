//! Wake-ups of a running body.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Wake, Waker};

/// Forwards the wake-ups of a body, and remembers one that has not led to a poll yet.
///
/// A combinator may stop polling a body and ignore its wake-ups. Such a body must not prevent suspension forever.
pub(crate) struct BodyWaker {
    woken: AtomicBool,
    outer: Mutex<Option<Waker>>,
}

impl BodyWaker {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            woken: AtomicBool::new(false),
            outer: Mutex::new(None),
        })
    }

    /// Returns whether the body was woken and has not been polled since.
    pub(crate) fn is_neglected(&self) -> bool {
        self.woken.load(Ordering::Acquire)
    }

    /// Notes that the body is about to be polled, and whom its wake-ups go to.
    pub(crate) fn before_poll(&self, waker: &Waker) {
        self.woken.store(false, Ordering::Release);
        let mut outer = self.outer.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *outer {
            Some(known) => known.clone_from(waker),
            None => *outer = Some(waker.clone()),
        }
    }
}

impl Wake for BodyWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        let outer = self.outer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(waker) = &*outer {
            waker.wake_by_ref();
        }
    }
}
