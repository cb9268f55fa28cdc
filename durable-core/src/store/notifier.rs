//! Notification of waiters within one process. Shared code for the authors of stores.
//!
//! A store calls [`Notifier::notify`] and [`Notifier::notify_due`] after each commit, whether the
//! commit was its own or another process reported it. The futures of
//! [`ExecutionStore::changed`](super::ExecutionStore::changed) and of `ready` wait on the
//! subscriptions.
//!
//! ```
//! use durable_core::ExecutionId;
//! use durable_core::store::notifier::{Changes, Notifier};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let notifier = Notifier::default();
//! let id: ExecutionId = "order-1".parse()?;
//! let mut subscription = notifier.subscribe(&id);
//! notifier.notify(&id, Changes { count: 3, settled: false });
//! subscription.more_than(2).await;
//! # Ok(()) }
//! ```

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::ExecutionId;

/// Number of external events of an execution, and whether there can be any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Changes {
    /// Number of external events so far, as in [`Execution::changes`](super::Execution::changes).
    pub count: u64,
    /// Whether the execution is settled: nothing will change it until an operator does.
    pub settled: bool,
}

impl Changes {
    /// Whether a waiter that has seen `seen` events has nothing left to wait for.
    pub fn is_beyond(self, seen: u64) -> bool {
        self.count > seen || self.settled
    }
}

/// Wakes the calls of one process that wait for external events or for due work.
#[derive(Debug, Default)]
pub struct Notifier {
    /// Executions that have subscribers, with what the subscribers were last notified of.
    subscribers: Mutex<HashMap<ExecutionId, watch::Sender<Changes>>>,
    /// Number of notifications of due work.
    due: watch::Sender<u64>,
}

impl Notifier {
    /// Subscribes to the external events of an execution.
    ///
    /// Subscribe before you read the current number of events, so that none is missed in between.
    pub fn subscribe(&self, id: &ExecutionId) -> Subscription<'_> {
        let mut subscribers = self.subscribers();
        let sender = subscribers.entry(id.clone()).or_default();
        Subscription {
            notifier: self,
            id: id.clone(),
            receiver: Some(sender.subscribe()),
        }
    }

    /// Subscribes to due work.
    pub fn subscribe_to_due(&self) -> DueSubscription {
        DueSubscription(self.due.subscribe())
    }

    /// Notifies the subscribers of an execution. Counts that arrive out of order are ignored.
    pub fn notify(&self, id: &ExecutionId, changes: Changes) {
        if let Some(sender) = self.subscribers().get(id) {
            sender.send_if_modified(|known| {
                let before = *known;
                known.count = known.count.max(changes.count);
                known.settled = changes.settled;
                *known != before
            });
        }
    }

    /// Notifies the subscribers to due work: an execution may have become due.
    pub fn notify_due(&self) {
        self.due.send_modify(|count| *count += 1);
    }

    /// The executions that have subscribers.
    pub fn awaited(&self) -> Vec<ExecutionId> {
        self.subscribers().keys().cloned().collect()
    }

    /// Whether there are subscribers to due work.
    pub fn is_due_awaited(&self) -> bool {
        self.due.receiver_count() > 0
    }

    /// Whether there are any subscribers.
    pub fn has_subscribers(&self) -> bool {
        self.is_due_awaited() || !self.subscribers().is_empty()
    }

    fn subscribers(&self) -> MutexGuard<'_, HashMap<ExecutionId, watch::Sender<Changes>>> {
        self.subscribers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Subscription to the external events of one execution.
#[derive(Debug)]
pub struct Subscription<'a> {
    notifier: &'a Notifier,
    id: ExecutionId,
    /// `Some` until the drop.
    receiver: Option<watch::Receiver<Changes>>,
}

impl Subscription<'_> {
    /// Returns once the execution has had more than `seen` events, or is settled.
    pub async fn more_than(&mut self, seen: u64) {
        if let Some(receiver) = &mut self.receiver {
            // The sender lives as long as it has a subscriber, so this cannot fail.
            let _ = receiver.wait_for(|changes| changes.is_beyond(seen)).await;
        }
    }
}

impl Drop for Subscription<'_> {
    fn drop(&mut self) {
        let mut subscribers = self.notifier.subscribers();
        self.receiver = None;
        if subscribers
            .get(&self.id)
            .is_some_and(|sender| sender.receiver_count() == 0)
        {
            subscribers.remove(&self.id);
        }
    }
}

/// Subscription to due work.
#[derive(Debug)]
pub struct DueSubscription(watch::Receiver<u64>);

impl DueSubscription {
    /// Returns the number of the newest notification once it differs from `seen`.
    ///
    /// Numbers start at 1, so that 0 stands for "none seen" and returns at once.
    pub async fn newer_than(mut self, seen: u64) -> u64 {
        // Fails only when the notifier is gone, and then there is nothing left to report.
        let newest = self.0.wait_for(|count| count + 1 != seen).await;
        newest.map_or(seen, |count| *count + 1)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn id(name: &str) -> ExecutionId {
        name.parse().unwrap()
    }

    fn events(count: u64) -> Changes {
        Changes {
            count,
            settled: false,
        }
    }

    #[tokio::test]
    async fn notifies_only_the_listeners_of_the_execution() {
        let notifier = Notifier::default();
        let (mut a, mut b) = (notifier.subscribe(&id("a")), notifier.subscribe(&id("b")));
        notifier.notify(&id("b"), events(2));
        b.more_than(1).await;
        let early = tokio::time::timeout(Duration::from_millis(1), a.more_than(0));
        early.await.unwrap_err();
        notifier.notify(&id("a"), events(1));
        a.more_than(0).await;
    }

    #[tokio::test]
    async fn ignores_counts_that_arrive_out_of_order() {
        let notifier = Notifier::default();
        let mut subscription = notifier.subscribe(&id("a"));
        notifier.notify(&id("a"), events(5));
        notifier.notify(&id("a"), events(4));
        subscription.more_than(4).await;
    }

    #[tokio::test]
    async fn a_settled_execution_ends_every_wait() {
        let notifier = Notifier::default();
        let mut subscription = notifier.subscribe(&id("a"));
        let settled = Changes {
            count: 1,
            settled: true,
        };
        notifier.notify(&id("a"), settled);
        subscription.more_than(7).await;
    }

    #[test]
    fn forgets_an_execution_with_its_last_listener() {
        let notifier = Notifier::default();
        assert!(!notifier.has_subscribers());
        let (first, second) = (notifier.subscribe(&id("a")), notifier.subscribe(&id("a")));
        drop(first);
        assert_eq!(notifier.awaited(), [id("a")]);
        drop(second);
        assert!(!notifier.has_subscribers());
    }

    #[tokio::test]
    async fn due_work_is_numbered_from_one() {
        let notifier = Notifier::default();
        assert_eq!(notifier.subscribe_to_due().newer_than(0).await, 1);
        notifier.notify_due();
        assert_eq!(notifier.subscribe_to_due().newer_than(1).await, 2);
    }
}
