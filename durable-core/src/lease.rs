//! Keeps leases alive from a thread of its own, so that a body that computes for long does not
//! lose its execution.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

use crate::Clock;
use crate::driver::Attention;
use crate::store::{ExecutionStore, Fence, StoreErrorKind};

/// A lease that is renewed for as long as this lives.
pub(crate) struct Kept(#[expect(dead_code, reason = "held for its weak count")] Arc<()>);

struct Entry {
    alive: Weak<()>,
    /// Not kept open for the sake of a lease that nobody holds any more.
    store: Weak<dyn ExecutionStore>,
    fence: Fence,
    clock: Arc<dyn Clock>,
    ttl: Duration,
    attention: Arc<Attention>,
    runtime: Handle,
}

/// Renews the lease behind `fence` three times per `ttl`.
pub(crate) fn keep(
    store: &Arc<dyn ExecutionStore>,
    fence: Fence,
    clock: Arc<dyn Clock>,
    ttl: Duration,
    attention: Arc<Attention>,
) -> Kept {
    static RENEWER: OnceLock<Sender<Entry>> = OnceLock::new();
    let renewer = RENEWER.get_or_init(|| {
        let (sender, entries) = channel();
        let thread = std::thread::Builder::new().name("durable-leases".into());
        if let Err(error) = thread.spawn(move || renew_all(&entries)) {
            tracing::error!(%error, "no thread for lease renewal: leases will expire");
        }
        sender
    });
    let alive = Arc::new(());
    let entry = Entry {
        alive: Arc::downgrade(&alive),
        store: Arc::downgrade(store),
        fence,
        clock,
        ttl,
        attention,
        runtime: Handle::current(),
    };
    // Only a thread that never started does not listen; that was reported.
    let _ = renewer.send(entry);
    Kept(alive)
}

fn renew_all(incoming: &Receiver<Entry>) {
    let mut due: BinaryHeap<Reverse<(Instant, usize)>> = BinaryHeap::new();
    let mut entries: Vec<Option<Entry>> = Vec::new();
    let mut free: Vec<usize> = Vec::new();
    loop {
        let pause = due
            .peek()
            .map_or(Duration::from_secs(3600), |Reverse((at, _))| {
                at.saturating_duration_since(Instant::now())
            });
        match incoming.recv_timeout(pause) {
            Ok(entry) => {
                let at = Instant::now() + entry.ttl / 3;
                let index = free.pop().unwrap_or_else(|| {
                    entries.push(None);
                    entries.len() - 1
                });
                entries[index] = Some(entry);
                due.push(Reverse((at, index)));
            }
            Err(RecvTimeoutError::Disconnected) => return,
            Err(RecvTimeoutError::Timeout) => {
                let Some(Reverse((_, index))) = due.pop() else {
                    continue;
                };
                match &entries[index] {
                    Some(entry) if entry.renew() => {
                        due.push(Reverse((Instant::now() + entry.ttl / 3, index)));
                    }
                    _ => {
                        entries[index] = None;
                        free.push(index);
                    }
                }
            }
        }
    }
}

impl Entry {
    /// Whether the lease is still to be kept.
    fn renew(&self) -> bool {
        let (Some(_alive), Some(store)) = (self.alive.upgrade(), self.store.upgrade()) else {
            return false;
        };
        let renewal = store.renew(&self.fence, self.clock.now(), self.ttl);
        match self.runtime.block_on(renewal) {
            Ok(()) => true,
            Err(error) if error.kind() == StoreErrorKind::FenceLost => {
                self.attention.lose_lease();
                false
            }
            Err(error) => {
                tracing::warn!(execution = %self.fence.execution, %error, "lease not renewed, trying again");
                true
            }
        }
    }
}
