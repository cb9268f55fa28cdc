//! The process is to end: every invocation stops at its next durable boundary.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::runtime::signal::InvocationSignal;

/// Tells invocations to stop.
#[derive(Default)]
pub(crate) struct Shutdown {
    raised: AtomicBool,
    running: Mutex<Vec<Weak<InvocationSignal>>>,
}

impl Shutdown {
    /// Whether it was told.
    pub(crate) fn is_raised(&self) -> bool {
        self.raised.load(Ordering::Acquire)
    }

    /// From now on this invocation is told, too.
    pub(crate) fn tell(&self, signal: &Arc<InvocationSignal>) {
        {
            let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
            if running.len() == running.capacity() {
                running.retain(|signal| signal.strong_count() > 0);
            }
            running.push(Arc::downgrade(signal));
        }
        // Looked at after the entry was made, so that nothing falls in between.
        if self.is_raised() {
            signal.drain();
        }
    }

    /// Tells all that run and all that will.
    pub(crate) fn raise(&self) {
        self.raised.store(true, Ordering::Release);
        let running =
            std::mem::take(&mut *self.running.lock().unwrap_or_else(PoisonError::into_inner));
        for signal in running.iter().filter_map(Weak::upgrade) {
            signal.drain();
        }
    }
}
