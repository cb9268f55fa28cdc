//! State that all calls of an open store share.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use durable_core::store::{Capabilities, Fence, Lease, StoreError};
use durable_core::{ExecutionId, Timestamp};

use crate::notifier::Notifier;
use crate::options::LeaseClock;
use crate::schema::Identity;

pub(crate) struct Session {
    /// Servers, database and schema, for error messages.
    pub(crate) location: String,
    /// Name of this process in leases.
    pub(crate) owner: String,
    pub(crate) capabilities: Capabilities,
    pub(crate) notifier: Notifier,
    pub(crate) counters: Counters,
    pub(crate) identity: Option<Identity>,
    lease_clock: LeaseClock,
    /// Leases that were granted and neither released nor lost.
    leases: Mutex<HashMap<ExecutionId, Held>>,
    /// Expired leases, each with its expiry and when it was first seen expired.
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

/// Links of an execution that its end has to update.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Links {
    /// A parent waits for it.
    pub(crate) parent: bool,
    /// It has a queue key, and others of that key may be held.
    pub(crate) keyed: bool,
    /// It counts for a queue's limits.
    pub(crate) queued: bool,
}

/// Lease that this store granted.
#[derive(Debug)]
struct Held {
    token: Token,
    /// Whether the execution has no records yet.
    empty: bool,
    links: Links,
}

impl Session {
    pub(crate) fn new(
        location: String,
        capabilities: Capabilities,
        identity: Option<Identity>,
        lease_clock: LeaseClock,
    ) -> Self {
        Self {
            location,
            owner: format!("{:016x}", fastrand::u64(..)),
            capabilities,
            notifier: Notifier::default(),
            counters: Counters::default(),
            identity,
            lease_clock,
            leases: Mutex::default(),
            expired: Mutex::default(),
        }
    }

    /// The time to compare leases with; `None` for the clock of the database.
    pub(crate) fn lease_time(&self, now: Timestamp, ttl: Duration) -> Option<i64> {
        // The database adds the time to live, which must not overflow.
        let latest = i64::MAX - milliseconds(ttl);
        (self.lease_clock == LeaseClock::Caller).then(|| now.as_millis().min(latest))
    }

    /// Remembers a granted lease. `empty` is for the first lease of an execution, under which there
    /// is nothing to load until something is written.
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

    /// Notes that records are written under a lease.
    pub(crate) fn note_write(&self, id: &ExecutionId) {
        if let Some(held) = self.leases().get_mut(id) {
            held.empty = false;
        }
    }

    /// Whether there is nothing to load under the lease of `token`.
    pub(crate) fn is_empty(&self, id: &ExecutionId, token: Token) -> bool {
        let leases = self.leases();
        let held = leases.get(id).filter(|held| held.token == token);
        held.is_some_and(|held| held.empty)
    }

    /// Links of the execution; `None` if this store did not grant the lease.
    pub(crate) fn links(&self, id: &ExecutionId, token: Token) -> Option<Links> {
        let leases = self.leases();
        let held = leases.get(id).filter(|held| held.token == token)?;
        Some(held.links)
    }

    /// Whether this process holds the lease of the execution.
    pub(crate) fn holds(&self, id: &ExecutionId) -> bool {
        self.leases().contains_key(id)
    }

    /// Forgets the lease of `token`, which was released or lost.
    pub(crate) fn forget(&self, id: &ExecutionId, token: Token) {
        let mut leases = self.leases();
        if leases.get(id).is_some_and(|held| held.token == token) {
            leases.remove(id);
        }
    }

    /// Whether a lease has been seen expired for long enough to be taken over. After an outage of
    /// the database all leases have expired, and their holders need time to renew them.
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

/// Whole milliseconds, capped so that sums do not overflow.
pub(crate) fn milliseconds(time: Duration) -> i64 {
    i64::try_from(time.as_millis())
        .unwrap_or(i64::MAX)
        .min(i64::MAX / 8)
}

/// Fencing token: key of the execution and number of its lease, written `key.number`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Token {
    pub(crate) key: i64,
    pub(crate) number: i64,
}

impl Token {
    /// Parses the token of a fence. Fails for a fence of another kind of store.
    pub(crate) fn of(fence: &Fence) -> Result<Self, StoreError> {
        let parse = || {
            let (key, number) = fence.token.split_once('.')?;
            Some(Self {
                key: key.parse().ok()?,
                number: number.parse().ok()?,
            })
        };
        parse().ok_or_else(|| fence.lost())
    }

    pub(crate) fn fence(self, execution: ExecutionId) -> Fence {
        Fence {
            execution,
            token: format!("{}.{}", self.key, self.number).into(),
        }
    }
}
