//! Renews leases on a separate thread, so that a body with a long computation does not lose its execution.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

use crate::Clock;
use crate::runtime::signal::InvocationSignal;
use crate::store::{Fence, Store, StoreErrorKind};

/// Lease that is renewed until this is dropped.
pub(crate) struct Kept {
    renewer: &'static Renewer,
    index: usize,
}

#[derive(Default)]
struct Renewer {
    book: Mutex<Book>,
    /// Notified when a renewal is due earlier than the thread expects.
    earlier: Condvar,
}

#[derive(Default)]
struct Book {
    /// Times of renewals, with the number and index of the entry. Those of removed entries are skipped.
    due: BinaryHeap<Reverse<(Instant, u64, usize)>>,
    /// Leases with unique numbers, because indexes are reused.
    entries: Vec<Option<(u64, Arc<Entry>)>>,
    free: Vec<usize>,
    last_number: u64,
}

struct Entry {
    /// Weak, so that an unused lease does not keep the store open.
    store: Weak<dyn Store>,
    fence: Fence,
    clock: Arc<dyn Clock>,
    ttl: Duration,
    signal: Arc<InvocationSignal>,
    runtime: Handle,
}

/// Renews the lease behind `fence` three times per `ttl`.
pub(crate) fn keep(
    store: &Arc<dyn Store>,
    fence: Fence,
    clock: Arc<dyn Clock>,
    ttl: Duration,
    signal: Arc<InvocationSignal>,
) -> Kept {
    static RENEWER: OnceLock<Renewer> = OnceLock::new();
    let mut new = false;
    let renewer = RENEWER.get_or_init(|| {
        new = true;
        Renewer::default()
    });
    if new {
        let thread = std::thread::Builder::new().name("durable-leases".into());
        if let Err(error) = thread.spawn(|| renewer.renew_all()) {
            tracing::error!(%error, "cannot start the thread that renews leases: they will expire");
        }
    }
    let entry = Entry {
        store: Arc::downgrade(store),
        fence,
        clock,
        ttl,
        signal,
        runtime: Handle::current(),
    };
    renewer.add(entry)
}

impl Drop for Kept {
    fn drop(&mut self) {
        let mut book = self.renewer.book();
        book.entries[self.index] = None;
        book.free.push(self.index);
    }
}

impl Renewer {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a lease. Wakes the thread only if it would sleep too long, because leases are added very often.
    fn add(&'static self, entry: Entry) -> Kept {
        let at = Instant::now() + entry.ttl / 3;
        let mut book = self.book();
        let index = book.free.pop().unwrap_or_else(|| {
            book.entries.push(None);
            book.entries.len() - 1
        });
        book.last_number += 1;
        let number = book.last_number;
        book.entries[index] = Some((number, Arc::new(entry)));
        let earlier = book.due.peek().is_none_or(|Reverse((next, ..))| at < *next);
        book.due.push(Reverse((at, number, index)));
        drop(book);
        if earlier {
            self.earlier.notify_one();
        }
        Kept {
            renewer: self,
            index,
        }
    }

    /// Runs the thread.
    fn renew_all(&self) {
        loop {
            let (number, index, entry) = self.next();
            if entry.renew() {
                let at = Instant::now() + entry.ttl / 3;
                self.book().due.push(Reverse((at, number, index)));
            }
        }
    }

    /// Waits until a lease has to be renewed.
    fn next(&self) -> (u64, usize, Arc<Entry>) {
        let mut book = self.book();
        loop {
            let now = Instant::now();
            book = match book.first() {
                None => {
                    let woken = self.earlier.wait(book);
                    woken.unwrap_or_else(PoisonError::into_inner)
                }
                Some((at, ..)) if at > now => {
                    let woken = self.earlier.wait_timeout(book, at - now);
                    woken.unwrap_or_else(PoisonError::into_inner).0
                }
                Some((_, number, index, entry)) => {
                    book.due.pop();
                    return (number, index, entry);
                }
            };
        }
    }
}

impl Book {
    /// Returns the next renewal. Forgets those of removed entries before it, so that the thread does not wake up for
    /// each execution that has long ended.
    fn first(&mut self) -> Option<(Instant, u64, usize, Arc<Entry>)> {
        while let Some(Reverse((at, number, index))) = self.due.peek().copied() {
            match &self.entries[index] {
                Some((kept, entry)) if *kept == number => {
                    return Some((at, number, index, Arc::clone(entry)));
                }
                _ => self.due.pop(),
            };
        }
        None
    }
}

impl Entry {
    /// Renews the lease. Returns whether to keep it.
    fn renew(&self) -> bool {
        let Some(store) = self.store.upgrade() else {
            return false;
        };
        let renewal = store.renew(&self.fence, self.clock.now(), self.ttl);
        match self.runtime.block_on(renewal) {
            Ok(()) => true,
            Err(error) if error.kind() == StoreErrorKind::FenceLost => {
                self.signal.lose_lease();
                false
            }
            Err(error) => {
                tracing::warn!(execution = %self.fence.execution, %error, "lease not renewed, trying again");
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SystemClock;
    use crate::store::MemoryStore;

    #[tokio::test]
    async fn ended_executions_do_not_wake_the_thread() {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        let entry = Arc::new(Entry {
            store: Arc::downgrade(&store),
            fence: Fence {
                execution: "a".parse().unwrap(),
                token: "1".into(),
            },
            clock: Arc::new(SystemClock),
            ttl: Duration::from_secs(30),
            signal: Arc::default(),
            runtime: Handle::current(),
        });
        let soon = Instant::now();
        let later = soon + Duration::from_secs(10);
        let mut book = Book {
            due: [(soon, 1, 0), (soon, 2, 1), (later, 3, 1)]
                .map(Reverse)
                .into(),
            entries: vec![None, Some((3, entry))],
            ..Book::default()
        };
        let first = book
            .first()
            .map(|(at, number, index, _)| (at, number, index));
        assert_eq!(first, Some((later, 3, 1)));
        assert_eq!(book.due.len(), 1);
    }
}
