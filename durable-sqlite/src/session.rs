//! Write session: the lease holder, and the [`Write`] trait for queued transactions.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use durable_core::ExecutionId;
use durable_core::store::{Fence, StoreError};
use rusqlite::Connection;

use crate::error::Fault;
use crate::notifier::Notifier;
use crate::owner::Owner;
use crate::reads::ShortHistory;

/// State that all writes of an opened store share.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) path: PathBuf,
    pub(crate) owner: Owner,
    pub(crate) notifier: Notifier,
    /// Leases of this store that were granted and not released, by the key of the execution.
    leases: Mutex<HashMap<i64, HeldLease>>,
    /// Expired leases of holders that are alive, with their expiry and the time they were first seen.
    expired: Mutex<HashMap<Token, (i64, Instant)>>,
    /// Identity of the file that was opened.
    file: Option<FileId>,
}

/// Lease held by this store.
#[derive(Debug)]
struct HeldLease {
    token: Token,
    /// The records that the execution had at the claim, until they are loaded or others are written.
    history: ShortHistory,
}

/// Device and inode number, which differ between files of the same name.
type FileId = (u64, u64);

impl Session {
    pub(crate) fn new(path: PathBuf, owner: Owner) -> Self {
        Self {
            file: file_id(&path),
            expired: Mutex::default(),
            path,
            owner,
            notifier: Notifier::default(),
            leases: Mutex::default(),
        }
    }

    /// Whether this store holds at most one lease, so that no other execution could share a commit and hardly anyone
    /// waits for the thread that commits.
    pub(crate) fn is_quiet(&self) -> bool {
        self.leases().len() <= 1
    }

    /// Adds a lease that was granted. Loading a `history` that was read with it needs no further read.
    pub(crate) fn remember(&self, token: Token, history: ShortHistory) {
        self.leases()
            .insert(token.key, HeldLease { token, history });
    }

    /// Notes that records are written under the lease `token`.
    pub(crate) fn note_write(&self, token: Token) {
        self.take_history(token);
    }

    /// Returns the records that were read when the lease `token` was granted, once.
    pub(crate) fn take_history(&self, token: Token) -> ShortHistory {
        let mut leases = self.leases();
        let held = leases.get_mut(&token.key);
        held.filter(|held| held.token == token)?.history.take()
    }

    /// Removes a lease that was released or lost.
    pub(crate) fn forget(&self, token: Token) {
        let mut leases = self.leases();
        if leases
            .get(&token.key)
            .is_some_and(|held| held.token == token)
        {
            leases.remove(&token.key);
        }
    }

    /// Whether the lease of a holder that is alive has been expired for long enough to be taken over.
    ///
    /// When the clock is set forward, all leases expire at once until their holders renew them.
    pub(crate) fn stays_expired(&self, token: Token, expires_at: i64, ttl: Duration) -> bool {
        let mut expired = self.expired.lock().unwrap_or_else(PoisonError::into_inner);
        expired.retain(|_, (_, since)| since.elapsed() < ttl * 4);
        let first_seen = expired
            .entry(token)
            .or_insert_with(|| (expires_at, Instant::now()));
        if first_seen.0 != expires_at {
            *first_seen = (expires_at, Instant::now());
        }
        first_seen.1.elapsed() >= ttl / 2
    }

    /// Whether the path still names the file that was opened.
    pub(crate) fn is_in_place(&self) -> bool {
        self.file.is_none() || file_id(&self.path) == self.file
    }

    fn leases(&self) -> MutexGuard<'_, HashMap<i64, HeldLease>> {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(unix)]
fn file_id(path: &Path) -> Option<FileId> {
    use std::os::unix::fs::MetadataExt;
    let found = std::fs::metadata(path).ok()?;
    Some((found.dev(), found.ino()))
}

/// On other systems an open file cannot be deleted or replaced.
#[cfg(not(unix))]
fn file_id(_: &Path) -> Option<FileId> {
    None
}

/// Work that is committed in one transaction, possibly together with other writes.
///
/// It may run again after a rollback. It must refuse a request before it writes anything.
pub(crate) trait Write: Send + 'static {
    type Answer: Send + 'static;

    /// Does the work within the current transaction.
    fn run(&self, conn: &Connection, session: &Session) -> Result<Self::Answer, Fault>;

    /// Updates `session` after the write was committed or refused, before the caller gets the answer.
    fn settled(&self, _outcome: &mut Result<Self::Answer, StoreError>, _session: &Session) {}

    /// Whether this counts as a batch in the statistics.
    const IS_BATCH: bool = false;

    /// Size of its values, in bytes.
    fn size(&self) -> usize {
        0
    }

    /// Whether the write must survive power loss before the caller gets the answer.
    ///
    /// False for what only matters while this machine runs: a lease ends with the processes that could hold it.
    fn must_sync(&self) -> bool {
        true
    }
}

/// Fence token: the key of the execution and the number of its lease, written `key.number`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Token {
    pub(crate) key: i64,
    pub(crate) number: i64,
}

impl Token {
    pub(crate) fn of(fence: &Fence) -> Option<Self> {
        let (key, number) = fence.token.split_once('.')?;
        Some(Self {
            key: key.parse().ok()?,
            number: number.parse().ok()?,
        })
    }

    pub(crate) fn fence(self, execution: ExecutionId) -> Fence {
        Fence {
            execution,
            token: format!("{}.{}", self.key, self.number).into(),
        }
    }
}
