//! In whose name it is written, and what a piece of writing is.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

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
    leases: Mutex<HashMap<i64, Token>>,
}

impl Session {
    pub(crate) fn new(path: PathBuf, owner: Owner) -> Self {
        Self {
            path,
            owner,
            news: News::default(),
            leases: Mutex::default(),
        }
    }

    /// Whether the lease behind `token` is the only one, so that nobody could share a commit.
    pub(crate) fn is_alone(&self, token: Token) -> bool {
        let leases = self.leases();
        leases.len() == 1 && leases.get(&token.key) == Some(&token)
    }

    /// The lease behind `token` was granted.
    pub(crate) fn remember(&self, token: Token) {
        self.leases().insert(token.key, token);
    }

    /// The lease behind `token` was given up or lost.
    pub(crate) fn forget(&self, token: Token) {
        let mut leases = self.leases();
        if leases.get(&token.key) == Some(&token) {
            leases.remove(&token.key);
        }
    }

    fn leases(&self) -> MutexGuard<'_, HashMap<i64, Token>> {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
