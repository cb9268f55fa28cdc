//! Notifies waiters of external changes to executions.
//!
//! Changes made through this store are published as soon as they are committed. The writer thread
//! polls for the changes of other processes while there are waiters. `PRAGMA data_version` on its
//! connection changes only when another connection commits, so an idle poll reads no table.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use durable_core::ExecutionId;
use durable_core::store::notifier::{self, Changes, DueSubscription, Subscription};
use rusqlite::Connection;

use crate::reads;

/// Interval between polls for the changes of other processes.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// Notifies waiters of changes to executions and of new work.
#[derive(Debug, Default)]
pub(crate) struct Notifier {
    /// Waiters of this process.
    process: notifier::Notifier,
    /// Changes made by the current transaction.
    uncommitted: Mutex<Vec<(ExecutionId, Changes)>>,
    /// Whether the current transaction makes an execution due.
    uncommitted_due: AtomicBool,
    last_poll: Mutex<LastPoll>,
}

/// Last poll for the changes of other processes.
#[derive(Debug, Default)]
struct LastPoll {
    at: Option<Instant>,
    /// `PRAGMA data_version` at that time: it changes when another process commits.
    data_version: Option<i64>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Notifier {
    /// Subscribes to the changes of an execution from now on.
    pub(crate) fn subscribe(&self, id: &ExecutionId) -> Subscription<'_> {
        self.process.subscribe(id)
    }

    /// Subscribes to executions that become due from now on.
    pub(crate) fn subscribe_to_due(&self) -> DueSubscription {
        self.process.subscribe_to_due()
    }

    /// Notes that the current transaction sets the change counter of an execution, and whether the
    /// execution is settled after it.
    pub(crate) fn note(&self, id: &ExecutionId, count: u64, settled: bool) {
        let changes = Changes { count, settled };
        locked(&self.uncommitted).push((id.clone(), changes));
    }

    /// Notes that the current transaction makes an execution due, or frees a place in a queue.
    pub(crate) fn note_due(&self) {
        self.uncommitted_due.store(true, Ordering::Relaxed);
    }

    /// Publishes the changes of the transaction that was committed.
    pub(crate) fn publish(&self) {
        if self.uncommitted_due.swap(false, Ordering::Relaxed) {
            self.process.notify_due();
        }
        for (id, changes) in std::mem::take(&mut *locked(&self.uncommitted)) {
            self.process.notify(&id, changes);
        }
    }

    /// Discards the changes of the transaction that was rolled back.
    pub(crate) fn discard(&self) {
        self.uncommitted_due.store(false, Ordering::Relaxed);
        locked(&self.uncommitted).clear();
    }

    /// Time until the next poll for the changes of other processes; `None` without subscribers.
    pub(crate) fn next_poll(&self) -> Option<Duration> {
        if !self.process.has_subscribers() {
            return None;
        }
        let since = locked(&self.last_poll).at.map(|at| at.elapsed());
        Some(since.map_or(Duration::ZERO, |since| POLL_INTERVAL.saturating_sub(since)))
    }

    /// Publishes the changes of other processes. Must be called on the same connection each time,
    /// outside transactions.
    pub(crate) fn poll(&self, conn: &Connection) {
        if let Err(error) = self.try_poll(conn) {
            // The data version stays as it was, so the next poll tries again.
            tracing::debug!(%error, "cannot check for changes by other processes");
        }
    }

    fn try_poll(&self, conn: &Connection) -> rusqlite::Result<()> {
        let mut last_poll = locked(&self.last_poll);
        last_poll.at = Some(Instant::now());
        let mut pragma = conn.prepare_cached("PRAGMA data_version")?;
        let version = pragma.query_row([], |row| row.get(0)).map(Some)?;
        if last_poll.data_version != version {
            self.publish_current(conn)?;
            self.process.notify_due();
            last_poll.data_version = version;
        }
        Ok(())
    }

    /// Publishes the stored state of every execution that has a subscriber.
    fn publish_current(&self, conn: &Connection) -> rusqlite::Result<()> {
        for id in self.process.awaited() {
            if let Some(changes) = reads::count_changes(conn, &id)? {
                self.process.notify(&id, changes);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(name: &str) -> ExecutionId {
        name.parse().unwrap()
    }

    #[tokio::test]
    async fn committed_changes_are_published_and_rolled_back_ones_discarded() {
        let notifier = Notifier::default();
        let (mut a, mut b) = (notifier.subscribe(&id("a")), notifier.subscribe(&id("b")));
        notifier.note(&id("a"), 1, false);
        notifier.discard();
        notifier.note(&id("b"), 2, false);
        notifier.publish();
        b.more_than(1).await;
        let early = tokio::time::timeout(Duration::from_millis(1), a.more_than(0));
        early.await.unwrap_err();
        notifier.note(&id("a"), 1, false);
        notifier.publish();
        a.more_than(0).await;
    }

    #[test]
    fn without_subscribers_there_are_no_polls() {
        let notifier = Notifier::default();
        assert_eq!(notifier.next_poll(), None);
        let subscriptions = (notifier.subscribe(&id("a")), notifier.subscribe(&id("a")));
        assert_eq!(notifier.next_poll(), Some(Duration::ZERO));
        notifier.poll(&Connection::open_in_memory().unwrap());
        assert!(notifier.next_poll().is_some_and(|pause| !pause.is_zero()));
        drop(subscriptions.0);
        assert_eq!(notifier.process.awaited().len(), 1);
        drop(subscriptions.1);
        assert_eq!(notifier.next_poll(), None);
    }
}
