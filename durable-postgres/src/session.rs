//! State that all calls of one opened store share.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use durable_core::store::{Capabilities, Fence, Lease, StoreError, StoreErrorKind};
use durable_core::{ExecutionId, Timestamp};

use crate::notifier::Notifier;
use crate::options::LeaseClock;

pub(crate) struct Session {
    /// Servers, database and schema, for messages.
    pub(crate) location: String,
    /// What leases name this process by.
    pub(crate) owner: String,
    pub(crate) capabilities: Capabilities,
    pub(crate) notifier: Notifier,
    pub(crate) counters: Counters,
    lease_clock: LeaseClock,
    /// Leases that were granted and not given up.
    leases: Mutex<HashMap<ExecutionId, Held>>,
    /// Expired leases with their expiry and when they were first seen.
    expired: Mutex<HashMap<Token, (i64, Instant)>>,
}

#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) commits: AtomicU64,
    pub(crate) batches: AtomicU64,
    pub(crate) reads: AtomicU64,
    pub(crate) retries: AtomicU64,
}

impl Counters {
    pub(crate) fn add(counter: &AtomicU64, by: usize) {
        counter.fetch_add(by as u64, Ordering::Relaxed);
    }
}

/// What the end of an execution has to do besides ending it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Links {
    /// Another execution waits for it.
    pub(crate) parent: bool,
    /// Others of its key may wait in its queue.
    pub(crate) keyed: bool,
    /// It takes up room in a queue.
    pub(crate) queued: bool,
}

/// A lease that was granted.
#[derive(Debug)]
struct Held {
    token: Token,
    /// Whether nothing was ever recorded of the execution.
    empty: bool,
    links: Links,
}

impl Session {
    pub(crate) fn new(
        location: String,
        capabilities: Capabilities,
        lease_clock: LeaseClock,
    ) -> Self {
        Self {
            location,
            owner: format!("{:016x}", fastrand::u64(..)),
            capabilities,
            notifier: Notifier::default(),
            counters: Counters::default(),
            lease_clock,
            leases: Mutex::default(),
            expired: Mutex::default(),
        }
    }

    /// The time to compare leases with, where it is not the database's.
    pub(crate) fn lease_time(&self, now: Timestamp, ttl: Duration) -> Option<i64> {
        // Far from the end of numbers, as the time to live is added by the database.
        let latest = i64::MAX - milliseconds(ttl);
        (self.lease_clock == LeaseClock::Caller).then(|| now.as_millis().min(latest))
    }

    /// A lease was granted. If it is the execution's first one, there is nothing to read under it
    /// before something is written.
    pub(crate) fn remember(&self, token: Token, lease: &Lease, empty: bool) {
        let execution = &lease.execution;
        let key = execution.queue.as_ref().map(|entry| entry.key.is_some());
        let held = Held {
            token,
            empty,
            links: Links {
                parent: execution.parent.is_some(),
                keyed: key == Some(true),
                queued: key.is_some(),
            },
        };
        self.leases().insert(execution.id.clone(), held);
    }

    /// Something is written under a lease.
    pub(crate) fn note_write(&self, id: &ExecutionId) {
        if let Some(held) = self.leases().get_mut(id) {
            held.empty = false;
        }
    }

    /// Whether there is nothing to read under the lease behind `token`.
    pub(crate) fn is_empty(&self, id: &ExecutionId, token: Token) -> bool {
        let leases = self.leases();
        let held = leases.get(id).filter(|held| held.token == token);
        held.is_some_and(|held| held.empty)
    }

    /// What the end of the execution touches; `None` when this store did not grant the lease.
    pub(crate) fn links(&self, id: &ExecutionId, token: Token) -> Option<Links> {
        let leases = self.leases();
        let held = leases.get(id).filter(|held| held.token == token)?;
        Some(held.links)
    }

    /// Whether the execution is run by this process.
    pub(crate) fn holds(&self, id: &ExecutionId) -> bool {
        self.leases().contains_key(id)
    }

    /// The lease behind `token` was given up or lost.
    pub(crate) fn forget(&self, id: &ExecutionId, token: Token) {
        let mut leases = self.leases();
        if leases.get(id).is_some_and(|held| held.token == token) {
            leases.remove(id);
        }
    }

    /// Whether an expired lease has been seen for long enough to be taken over. After an outage of
    /// the database all leases have expired, and their holders are about to renew them.
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

    fn leases(&self) -> MutexGuard<'_, HashMap<ExecutionId, Held>> {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whole milliseconds, at most an eighth of all there are.
pub(crate) fn milliseconds(time: Duration) -> i64 {
    i64::try_from(time.as_millis())
        .unwrap_or(i64::MAX)
        .min(i64::MAX / 8)
}

/// What a token of ours says: `key.number` of the execution and of its lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Token {
    pub(crate) key: i64,
    pub(crate) number: i64,
}

impl Token {
    /// The token of a fence, which must be one of this kind of store.
    pub(crate) fn of(fence: &Fence) -> Result<Self, StoreError> {
        let parse = || {
            let (key, number) = fence.token.split_once('.')?;
            Some(Self {
                key: key.parse().ok()?,
                number: number.parse().ok()?,
            })
        };
        parse().ok_or_else(|| fence_lost(fence))
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
