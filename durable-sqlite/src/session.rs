//! In whose name it is written, and what a piece of writing is.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use durable_core::ExecutionId;
use durable_core::store::{Fence, StoreError, StoreErrorKind};
use rusqlite::Connection;

use crate::error::Fault;
use crate::news::News;
use crate::owner::Owner;

/// Where it is written, and in whose name.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) path: PathBuf,
    pub(crate) owner: Owner,
    pub(crate) news: News,
    /// Leases that were granted and not given up, by the key of the execution.
    leases: Mutex<HashMap<i64, Held>>,
    /// Expired leases of living holders, with their expiry and when they were first seen.
    expired: Mutex<HashMap<Token, (i64, Instant)>>,
    /// The file as it was opened.
    file: Option<FileId>,
}

/// A lease that was granted.
#[derive(Debug)]
struct Held {
    token: Token,
    /// Whether nothing was ever recorded of the execution.
    blank: bool,
}

/// What tells a file from another of the same name.
type FileId = (u64, u64);

impl Session {
    pub(crate) fn new(path: PathBuf, owner: Owner) -> Self {
        Self {
            file: file_id(&path),
            expired: Mutex::default(),
            path,
            owner,
            news: News::default(),
            leases: Mutex::default(),
        }
    }

    /// Whether the lease behind `token` is the only one, so that nobody could share a commit.
    pub(crate) fn is_alone(&self, token: Token) -> bool {
        let leases = self.leases();
        leases.len() == 1
            && leases
                .get(&token.key)
                .is_some_and(|held| held.token == token)
    }

    /// The lease behind `token` was granted. If it is the execution's first one, there is nothing
    /// to read under it before something is written.
    pub(crate) fn remember(&self, token: Token, blank: bool) {
        self.leases().insert(token.key, Held { token, blank });
    }

    /// Something is written under the lease behind `token`.
    pub(crate) fn note_write(&self, token: Token) {
        if let Some(held) = self.leases().get_mut(&token.key) {
            held.blank = false;
        }
    }

    /// Whether there is nothing to read under the lease behind `token`.
    pub(crate) fn is_blank(&self, token: Token) -> bool {
        let leases = self.leases();
        leases
            .get(&token.key)
            .is_some_and(|held| held.token == token && held.blank)
    }

    /// The lease behind `token` was given up or lost.
    pub(crate) fn forget(&self, token: Token) {
        let mut leases = self.leases();
        if leases
            .get(&token.key)
            .is_some_and(|held| held.token == token)
        {
            leases.remove(&token.key);
        }
    }

    /// Whether the lease of a living holder has been seen expired for long enough to be taken
    /// over: a clock that was set forward expires all leases at once, until they are renewed.
    pub(crate) fn stays_expired(&self, token: Token, expires_at: i64, ttl: Duration) -> bool {
        let mut expired = self.expired.lock().unwrap_or_else(PoisonError::into_inner);
        expired.retain(|_, (_, since)| since.elapsed() < ttl * 4);
        let seen = expired
            .entry(token)
            .or_insert_with(|| (expires_at, Instant::now()));
        if seen.0 != expires_at {
            *seen = (expires_at, Instant::now());
        }
        seen.1.elapsed() >= ttl / 2
    }

    /// Whether the path still leads to the file that was opened.
    pub(crate) fn is_in_place(&self) -> bool {
        self.file.is_none() || file_id(&self.path) == self.file
    }

    fn leases(&self) -> MutexGuard<'_, HashMap<i64, Held>> {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(unix)]
fn file_id(path: &Path) -> Option<FileId> {
    use std::os::unix::fs::MetadataExt;
    let found = std::fs::metadata(path).ok()?;
    Some((found.dev(), found.ino()))
}

/// Elsewhere a file that is open is neither deleted nor replaced.
#[cfg(not(unix))]
fn file_id(_: &Path) -> Option<FileId> {
    None
}

/// A piece of work that is committed whole, perhaps together with others, or not at all.
///
/// It may run again after a rollback, and refuses before it writes anything.
pub(crate) trait Write: Send + 'static {
    type Answer: Send + 'static;

    fn run(&self, conn: &Connection, session: &Session) -> Result<Self::Answer, Fault>;

    /// Notes in `session` what was committed or refused, before anyone goes on because of it.
    fn settled(&self, _outcome: &Result<Self::Answer, StoreError>, _session: &Session) {}

    /// Whether this counts as a batch.
    const IS_BATCH: bool = false;
}

/// What a token of ours says: `key.number` of the execution and of its lease.
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

pub(crate) fn fence_lost(fence: &Fence) -> StoreError {
    StoreError::new(
        StoreErrorKind::FenceLost,
        format!(
            "the lease of execution `{}` was given up or taken over",
            fence.execution
        ),
    )
}
