//! Notifies waiters of external events and of due work, in this process and in others.
//!
//! Events of a transaction are published once it is committed: to waiters of this process at once,
//! and to other processes with `NOTIFY` by a separate task. A `NOTIFY` inside the transaction would
//! hold a lock of the whole server during the commit and prevent group commit. A notification
//! that is lost with its process costs the subscribers one poll. While the task is not connected, as
//! in the first moments of a process, the caller sends the notifications itself after the commit.

mod exchange;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use durable_core::ExecutionId;
use durable_core::store::notifier::{self, Changes, DueSubscription, Subscription};
use tokio::sync::Notify;

pub(crate) use exchange::{exchange, send};

/// Events of one transaction, published once it is committed.
#[derive(Debug, Default)]
pub(crate) struct Events {
    changed: Vec<(ExecutionId, Changes)>,
    due: DueScope,
}

/// Processes whose workers may have something to claim.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum DueScope {
    #[default]
    None,
    ThisProcess,
    AllProcesses,
}

impl Events {
    /// Records an external event of an execution, or its end.
    pub(crate) fn record(&mut self, id: &ExecutionId, count: u64, settled: bool) {
        self.changed.push((id.clone(), Changes { count, settled }));
    }

    /// Records that something has become due, or that a queue has room.
    pub(crate) fn record_due(&mut self) {
        self.due = DueScope::AllProcesses;
    }

    /// Records that something becomes due later. Only the workers of this process need to know the
    /// time, as they will claim it.
    pub(crate) fn record_due_later(&mut self) {
        self.due = self.due.max(DueScope::ThisProcess);
    }

    /// Messages for other processes.
    pub(crate) fn into_messages(self) -> Vec<String> {
        let due = (self.due == DueScope::AllProcesses).then(|| Message::Due.to_string());
        let changed = self.changed.into_iter();
        let changed = changed.map(|(id, changes)| Message::Changed(id, changes).to_string());
        due.into_iter().chain(changed).collect()
    }
}

#[derive(Default)]
pub(crate) struct Notifier {
    process: notifier::Notifier,
    /// Messages for other processes, not yet sent.
    outgoing: Mutex<BTreeSet<String>>,
    /// Wakes the exchange task when there are messages.
    filled: Notify,
    /// Whether the exchange task is connected.
    connected: AtomicBool,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A message between processes.
enum Message {
    Due,
    Changed(ExecutionId, Changes),
}

impl Message {
    fn parse(text: &str) -> Option<Self> {
        if text == "due" {
            return Some(Self::Due);
        }
        let mut words = text.splitn(3, ' ');
        let (count, state, id) = (words.next()?, words.next()?, words.next()?);
        let changes = Changes {
            count: count.parse().ok()?,
            settled: state == "settled",
        };
        Some(Self::Changed(id.parse().ok()?, changes))
    }
}

impl std::fmt::Display for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Due => f.write_str("due"),
            Self::Changed(id, Changes { count, settled }) => {
                let state = if *settled { "settled" } else { "goes" };
                write!(f, "{count} {state} {id}")
            }
        }
    }
}

impl Notifier {
    /// Subscribes to the external events of an execution.
    pub(crate) fn subscribe(&self, id: &ExecutionId) -> Subscription<'_> {
        self.process.subscribe(id)
    }

    /// Subscribes to due work.
    pub(crate) fn subscribe_to_due(&self) -> DueSubscription {
        self.process.subscribe_to_due()
    }

    /// Publishes committed events. Returns the messages that the caller has to send to other
    /// processes.
    pub(crate) fn publish(&self, events: Events) -> Vec<String> {
        if events.due > DueScope::None {
            self.process.notify_due();
        }
        for (id, changes) in &events.changed {
            self.process.notify(id, *changes);
        }
        let messages = events.into_messages();
        if !self.connected.load(Ordering::Relaxed) {
            return messages;
        }
        if !messages.is_empty() {
            locked(&self.outgoing).extend(messages);
            self.filled.notify_one();
        }
        Vec::new()
    }

    /// Handles a message from another process.
    fn receive(&self, text: &str) {
        match Message::parse(text) {
            Some(Message::Due) => self.process.notify_due(),
            Some(Message::Changed(id, changes)) => self.process.notify(&id, changes),
            None => tracing::debug!(text, "ignoring a notification in an unknown format"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_round_trip() {
        for text in ["due", "7 goes a b", "0 settled order-1"] {
            assert_eq!(
                Message::parse(text).map(|message| message.to_string()),
                (!text.ends_with("a b")).then(|| text.to_owned())
            );
        }
        assert!(Message::parse("nonsense").is_none());
    }
}
