//! Who waits for changes from outside, and how they hear of them.
//!
//! A change made through this store is told as soon as it is committed. Those of other processes
//! are looked for by the writer thread, while somebody waits: on its connection SQLite counts the
//! commits of others only, so that nothing is read while there are none.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use durable_core::ExecutionId;
use rusqlite::Connection;
use tokio::sync::watch;

use crate::reads::{self, Changes};

/// How often other processes are looked after.
const PACE: Duration = Duration::from_millis(100);

#[derive(Debug, Default)]
pub(crate) struct News {
    /// How often each execution was changed, as far as those who wait have been told.
    waiting: Mutex<HashMap<ExecutionId, watch::Sender<Changes>>>,
    /// Counts what may have made something due.
    due: watch::Sender<u64>,
    /// What the transaction under way changes.
    uncommitted: Mutex<Vec<(ExecutionId, Changes)>>,
    /// Whether it makes something due.
    uncommitted_due: AtomicBool,
    looked: Mutex<Look>,
}

/// The last look after other processes.
#[derive(Debug, Default)]
struct Look {
    at: Option<Instant>,
    /// Differs once another process has committed.
    version: Option<i64>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// The transaction under way brings an execution to so many changes, and perhaps to its end.
    pub(crate) fn note(&self, id: &ExecutionId, changes: u64, settled: bool) {
        locked(&self.uncommitted).push((id.clone(), (changes, settled)));
    }

    /// The transaction under way makes something due, or leaves room for it.
    pub(crate) fn note_due(&self) {
        self.uncommitted_due.store(true, Ordering::Relaxed);
    }

    /// The transaction was committed.
    pub(crate) fn tell(&self) {
        if self.uncommitted_due.swap(false, Ordering::Relaxed) {
            self.due.send_modify(|count| *count += 1);
        }
        let changed = std::mem::take(&mut *locked(&self.uncommitted));
        if changed.is_empty() {
            return;
        }
        let waiting = locked(&self.waiting);
        for (id, changes) in changed {
            if let Some(told) = waiting.get(&id) {
                raise(told, changes);
            }
        }
    }

    /// The transaction was rolled back.
    pub(crate) fn forget(&self) {
        self.uncommitted_due.store(false, Ordering::Relaxed);
        locked(&self.uncommitted).clear();
    }

    /// How long until somebody has to look after other processes; nothing while nobody waits.
    pub(crate) fn next_look(&self) -> Option<Duration> {
        if locked(&self.waiting).is_empty() && self.due.receiver_count() == 0 {
            return None;
        }
        let since = locked(&self.looked).at.map(|at| at.elapsed());
        Some(since.map_or(Duration::ZERO, |since| PACE.saturating_sub(since)))
    }

    /// Looks whether other processes have changed what somebody waits for. Always on the same
    /// connection, outside of transactions.
    pub(crate) fn look(&self, conn: &Connection) {
        if let Err(error) = self.try_look(conn) {
            // The version stays as it was, so that it is looked again.
            tracing::debug!(%error, "changes by other processes cannot be looked for now");
        }
    }

    fn try_look(&self, conn: &Connection) -> rusqlite::Result<()> {
        let mut looked = locked(&self.looked);
        looked.at = Some(Instant::now());
        let mut ask = conn.prepare_cached("PRAGMA data_version")?;
        let version = ask.query_row([], |row| row.get(0)).map(Some)?;
        if looked.version != version {
            self.compare(conn)?;
            self.due.send_modify(|count| *count += 1);
            looked.version = version;
        }
        Ok(())
    }

    fn compare(&self, conn: &Connection) -> rusqlite::Result<()> {
        let ids: Vec<_> = locked(&self.waiting).keys().cloned().collect();
        for id in ids {
            let changes = reads::count_changes(conn, &id)?;
            if let (Some(told), Some(changes)) = (locked(&self.waiting).get(&id), changes) {
                raise(told, changes);
            }
        }
        Ok(())
    }
}

fn raise(told: &watch::Sender<Changes>, (changes, settled): Changes) {
    told.send_if_modified(|known| {
        let before = *known;
        *known = (changes.max(before.0), settled);
        *known != before
    });
}

/// Somebody who waits.
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

    fn id(name: &str) -> ExecutionId {
        name.parse().unwrap()
    }

    #[tokio::test]
    async fn what_is_committed_is_told_at_once() {
        let news = News::default();
        let (mut a, mut b) = (news.listen(&id("a")), news.listen(&id("b")));
        news.note(&id("a"), 1, false);
        news.forget();
        news.note(&id("b"), 2, false);
        news.tell();
        b.more_than(1).await;
        let early = tokio::time::timeout(Duration::from_millis(1), a.more_than(0));
        early.await.unwrap_err();
        news.note(&id("a"), 1, false);
        news.tell();
        a.more_than(0).await;
    }

    #[test]
    fn nobody_looks_while_nobody_waits() {
        let news = News::default();
        assert_eq!(news.next_look(), None);
        let waiting = (news.listen(&id("a")), news.listen(&id("a")));
        assert_eq!(news.next_look(), Some(Duration::ZERO));
        news.look(&Connection::open_in_memory().unwrap());
        assert!(news.next_look().is_some_and(|pause| !pause.is_zero()));
        drop(waiting.0);
        assert_eq!(locked(&news.waiting).len(), 1);
        drop(waiting.1);
        assert_eq!(news.next_look(), None);
    }
}
