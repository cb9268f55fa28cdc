//! One execution in memory: who may write it, and what a checkpoint makes of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::Notify;

use crate::Timestamp;
use crate::record::Record;
use crate::store::{
    Ack, Batch, Execution, ExecutionStatus, ExecutionUpdate, Fence, Lease, NewExecution,
    StoreError, StoreErrorKind,
};

/// Lives as long as the handle that claims leases in its name.
pub(super) struct Holder;

pub(super) struct Entry {
    pub(super) execution: Execution,
    pub(super) records: BTreeMap<u64, Record>,
    /// The records that the outside has changed, each with the number of its last change.
    outside: BTreeMap<u64, u64>,
    /// Grows with each lease: the number of the newest one is its fence.
    leases: u64,
    lease: Option<Held>,
    /// The last batch under the newest fence, to recognise its repetition once the lease is gone.
    last_batch: Option<u64>,
    /// The build that claimed it last.
    build: Option<String>,
    /// The builds it was blocked under since it last went on.
    tried: Vec<String>,
    /// How often in a row its holder ended uncleanly while its last record was the same one.
    crashes: (u32, u64),
    /// Told of every change from outside.
    pub(super) news: Arc<Notify>,
}

struct Held {
    holder: Weak<Holder>,
    expires_at: Timestamp,
}

impl Held {
    fn is_alive(&self, now: Timestamp) -> bool {
        now < self.expires_at && self.holder.strong_count() > 0
    }
}

impl Entry {
    pub(super) fn queued(new: NewExecution) -> Self {
        Self {
            execution: Execution::queued(new),
            records: BTreeMap::new(),
            outside: BTreeMap::new(),
            // Should the id be used again after a deletion, no fence of before fits.
            leases: fastrand::u64(..1 << 40),
            lease: None,
            last_batch: None,
            build: None,
            tried: Vec::new(),
            crashes: (0, 0),
            news: Arc::default(),
        }
    }

    fn token(&self) -> Arc<str> {
        self.leases.to_string().into()
    }

    fn is_current(&self, fence: &Fence) -> bool {
        fence.token == self.token()
    }

    pub(super) fn claim(
        &mut self,
        holder: &Arc<Holder>,
        now: Timestamp,
        ttl: Duration,
        build: Option<&str>,
    ) -> Result<Lease, StoreError> {
        let id = &self.execution.id;
        self.execution.may_be_claimed()?;
        if self.lease.as_ref().is_some_and(|lease| lease.is_alive(now)) {
            let message = format!("execution `{id}` is being run by another holder");
            return Err(StoreError::new(StoreErrorKind::Leased, message));
        }
        let unclean = self.lease.is_some();
        self.count_crash(unclean);
        if let Some(build) = build {
            self.build = Some(build.to_owned());
        }
        self.lease = Some(Held {
            holder: Arc::downgrade(holder),
            expires_at: now.after(ttl),
        });
        self.leases += 1;
        self.last_batch = None;
        self.execution.claimed(now);
        Ok(Lease {
            fence: Fence {
                execution: self.execution.id.clone(),
                token: self.token(),
            },
            execution: self.execution.clone(),
            unclean,
            crashes: self.crashes.0,
        })
    }

    fn count_crash(&mut self, unclean: bool) {
        let last = self.records.keys().last().copied().unwrap_or(0);
        self.crashes = match self.crashes {
            _ if !unclean => (0, last),
            (before, at) if at == last => (before + 1, last),
            _ => (1, last),
        };
    }

    /// Whether it was left behind by a holder that is gone.
    pub(super) fn is_abandoned(&self, now: Timestamp) -> bool {
        self.lease
            .as_ref()
            .is_some_and(|lease| !lease.is_alive(now))
    }

    pub(super) fn is_leased(&self, now: Timestamp) -> bool {
        self.lease.as_ref().is_some_and(|lease| lease.is_alive(now))
    }

    /// Whether it is blocked, and was never tried by this build since.
    pub(super) fn is_new_to(&self, build: &str) -> bool {
        self.execution.status == ExecutionStatus::Blocked
            && !self.execution.paused
            && !self.tried.iter().any(|tried| tried == build)
    }

    /// It begins anew: builds that could not go on may try again.
    pub(super) fn forget_blocks(&mut self) {
        self.tried.clear();
        self.crashes = (0, 0);
    }

    pub(super) fn renew(
        &mut self,
        fence: &Fence,
        now: Timestamp,
        ttl: Duration,
    ) -> Result<(), StoreError> {
        let current = self.is_current(fence);
        match &mut self.lease {
            Some(lease) if current => {
                lease.expires_at = now.after(ttl);
                Ok(())
            }
            _ => Err(fence_lost(fence)),
        }
    }

    pub(super) fn checkpoint(
        &mut self,
        fence: &Fence,
        batch: &Batch,
        now: Timestamp,
    ) -> Result<Ack, StoreError> {
        if !self.is_current(fence) {
            return Err(fence_lost(fence));
        }
        if self.lease.is_none() {
            return match self.last_batch {
                Some(last) if last == batch.id => Ok(self.ack(batch.seen)),
                _ => Err(fence_lost(fence)),
            };
        }
        for record in &batch.records {
            self.put(record);
        }
        self.last_batch = Some(batch.id);
        if let Some(update) = &batch.execution {
            self.execution.apply(update, batch.seen, now);
            self.lease = None;
            match update {
                ExecutionUpdate::Block { .. } => self.tried.extend(self.build.take()),
                _ => self.tried.clear(),
            }
            self.news.notify_waiters();
        }
        Ok(self.ack(batch.seen))
    }

    /// What the outside settles keeps its first outcome.
    fn put(&mut self, record: &Record) {
        let settled = self
            .records
            .get(&record.seq)
            .is_some_and(|stored| stored.kind.is_external() && stored.status.is_terminal());
        if !settled {
            self.records.insert(record.seq, record.clone());
        }
    }

    fn ack(&self, seen: u64) -> Ack {
        let news = self.outside.iter().filter(|(_, change)| **change > seen);
        Ack {
            fence: None,
            changed: news
                .filter_map(|(seq, _)| self.records.get(seq).cloned())
                .collect(),
            changes: self.execution.changes,
            cancel: self.execution.cancel,
            paused: self.execution.paused,
        }
    }

    /// The outside has changed the record `seq`, as the latest of [`Execution::changes`].
    pub(super) fn note(&mut self, seq: u64) {
        self.outside.insert(seq, self.execution.changes);
        self.news.notify_waiters();
    }
}

fn fence_lost(fence: &Fence) -> StoreError {
    StoreError::new(
        StoreErrorKind::FenceLost,
        format!(
            "the lease of execution `{}` was given up or taken over",
            fence.execution
        ),
    )
}
