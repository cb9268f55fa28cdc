//! News of changes, within this process and between processes.
//!
//! A change made through this store is told here as soon as it is committed, and sent to other
//! processes with `NOTIFY` by a task of its own: a notification in the transaction that makes the
//! change would hold a lock of the whole server while it commits, and keep others from sharing the
//! flush. A notification that gets lost with its process costs its listeners one poll. A process
//! whose task is not connected, as in its first moments, sends them itself after the commit.

mod listener;

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use durable_core::ExecutionId;
use tokio::sync::{Notify, watch};

pub(crate) use listener::{attend, send};

/// How often an execution was changed from outside, and whether nothing happens to it any more.
pub(crate) type Changes = (u64, bool);

/// News of one transaction, to be told once it is committed.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    changed: Vec<(ExecutionId, Changes)>,
    due: Due,
}

/// Who has to look for work.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    #[default]
    Nobody,
    /// This process.
    Here,
    /// Every process.
    Everywhere,
}

impl Notes {
    /// An execution was changed so often, or has come to its end.
    pub(crate) fn changed(&mut self, id: &ExecutionId, changes: u64, settled: bool) {
        self.changed.push((id.clone(), (changes, settled)));
    }

    /// Something has become due, or a queue has room for it.
    pub(crate) fn due(&mut self) {
        self.due = Due::Everywhere;
    }

    /// Something will become due at a time that this process knows of.
    pub(crate) fn due_later(&mut self) {
        self.due = self.due.max(Due::Here);
    }

    /// What other processes are told.
    fn messages(self) -> Vec<String> {
        let due = (self.due == Due::Everywhere).then(|| Message::Due.to_string());
        let changed = self.changed.into_iter();
        let changed = changed.map(|(id, changes)| Message::Changed(id, changes).to_string());
        due.into_iter().chain(changed).collect()
    }
}

#[derive(Default)]
pub(crate) struct News {
    /// How often each execution was changed, as far as those who wait have been told.
    waiting: Mutex<HashMap<ExecutionId, watch::Sender<Changes>>>,
    /// Counts what may have made something due.
    due: watch::Sender<u64>,
    /// To be sent to other processes.
    outgoing: Mutex<BTreeSet<String>>,
    filled: Notify,
    /// Whether other processes are told of changes and tell of theirs.
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
        let (changes, settled, id) = (words.next()?, words.next()?, words.next()?);
        let changes = (changes.parse().ok()?, settled == "settled");
        Some(Self::Changed(id.parse().ok()?, changes))
    }
}

impl std::fmt::Display for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Due => f.write_str("due"),
            Self::Changed(id, (changes, settled)) => {
                let state = if *settled { "settled" } else { "goes" };
                write!(f, "{changes} {state} {id}")
            }
        }
    }
}

impl News {
    /// Waits for changes of an execution, from now on.
    pub(crate) fn listen(&self, id: &ExecutionId) -> Listening<'_> {
        let mut waiting = locked(&self.waiting);
        let told = waiting.entry(id.clone()).or_default();
        Listening {
            news: self,
            id: id.clone(),
            told: Some(told.subscribe()),
        }
    }

    /// Waits for something to become due, from now on.
    pub(crate) fn listen_for_work(&self) -> watch::Receiver<u64> {
        self.due.subscribe()
    }

    /// Tells of what was committed. Answers with what the caller has to send to other processes.
    pub(crate) fn tell(&self, notes: Notes) -> Vec<String> {
        if notes.due > Due::Nobody {
            self.bump();
        }
        {
            let waiting = locked(&self.waiting);
            for (id, changes) in &notes.changed {
                if let Some(told) = waiting.get(id) {
                    raise(told, *changes);
                }
            }
        }
        let messages = notes.messages();
        if !self.connected.load(Ordering::Relaxed) {
            return messages;
        }
        if !messages.is_empty() {
            locked(&self.outgoing).extend(messages);
            self.filled.notify_one();
        }
        Vec::new()
    }

    fn bump(&self) {
        self.due.send_modify(|count| *count += 1);
    }

    /// Another process tells of a change.
    fn hear(&self, text: &str) {
        match Message::parse(text) {
            Some(Message::Due) => self.bump(),
            Some(Message::Changed(id, changes)) => self.raise(&id, changes),
            None => tracing::debug!(text, "a notification that is not ours"),
        }
    }

    fn raise(&self, id: &ExecutionId, changes: Changes) {
        if let Some(told) = locked(&self.waiting).get(id) {
            raise(told, changes);
        }
    }

    /// The executions whose changes somebody waits for.
    fn awaited(&self) -> Vec<ExecutionId> {
        locked(&self.waiting).keys().cloned().collect()
    }
}

fn raise(told: &watch::Sender<Changes>, (changes, settled): Changes) {
    told.send_if_modified(|known| {
        let before = *known;
        *known = (changes.max(before.0), settled);
        *known != before
    });
}

/// A call that waits for changes of an execution.
pub(crate) struct Listening<'a> {
    news: &'a News,
    id: ExecutionId,
    /// There until it is dropped.
    told: Option<watch::Receiver<Changes>>,
}

impl Listening<'_> {
    /// Ends once there have been more than `seen` changes, or there will be none.
    pub(crate) async fn more_than(&mut self, seen: u64) {
        if let Some(told) = &mut self.told {
            // The sender stays while somebody listens.
            let _ = told
                .wait_for(|(changes, settled)| *changes > seen || *settled)
                .await;
        }
    }
}

impl Drop for Listening<'_> {
    fn drop(&mut self) {
        let mut waiting = locked(&self.news.waiting);
        self.told = None;
        if waiting
            .get(&self.id)
            .is_some_and(|told| told.receiver_count() == 0)
        {
            waiting.remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_back() {
        for text in ["due", "7 goes a b", "0 settled order-1"] {
            assert_eq!(
                Message::parse(text).map(|message| message.to_string()),
                (!text.ends_with("a b")).then(|| text.to_owned())
            );
        }
        assert!(Message::parse("nonsense").is_none());
    }
}
