//! Shutdown of the process: every invocation stops at its next durable boundary.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::runtime::signal::InvocationSignal;

/// Makes invocations stop.
#[derive(Default)]
pub(crate) struct Shutdown {
    raised: AtomicBool,
    running: Mutex<Vec<Weak<InvocationSignal>>>,
}

impl Shutdown {
    /// Returns whether the shutdown has begun.
    pub(crate) fn is_raised(&self) -> bool {
        self.raised.load(Ordering::Acquire)
    }

    /// Makes this invocation stop, too, when the shutdown begins.
    pub(crate) fn subscribe(&self, signal: &Arc<InvocationSignal>) {
        {
            let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
            if running.len() == running.capacity() {
                running.retain(|signal| signal.strong_count() > 0);
            }
            running.push(Arc::downgrade(signal));
        }
        // Checked after the entry was made, so that a concurrent shutdown is not missed.
        if self.is_raised() {
            signal.drain();
        }
    }

    /// Begins the shutdown: stops running and future invocations.
    pub(crate) fn raise(&self) {
        self.raised.store(true, Ordering::Release);
        let running =
            std::mem::take(&mut *self.running.lock().unwrap_or_else(PoisonError::into_inner));
        for signal in running.iter().filter_map(Weak::upgrade) {
            signal.drain();
        }
    }
}
