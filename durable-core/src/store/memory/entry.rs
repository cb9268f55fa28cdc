//! One execution in memory: who may write it, and what a checkpoint makes of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::Notify;

use crate::Timestamp;
use crate::record::Record;
use crate::store::{Ack, Batch, Execution, Fence, Lease, NewExecution, StoreError, StoreErrorKind};

/// Lives as long as the handle that claims leases in its name.
pub(super) struct Holder;

pub(super) struct Entry {
    pub(super) execution: Execution,
    pub(super) records: BTreeMap<u64, Record>,
    /// The records that the outside has changed, each with the number of its last change.
    outside: BTreeMap<u64, u64>,
    /// Leases granted so far: the number of the newest one is its fence.
    leases: u64,
    lease: Option<Held>,
    /// The last batch under the newest fence, to recognise its repetition once the lease is gone.
    last_batch: Option<u64>,
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
            leases: 0,
            lease: None,
            last_batch: None,
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
    ) -> Result<Lease, StoreError> {
        let id = &self.execution.id;
        if self.execution.status.is_terminal() {
            let message = format!("execution `{id}` has {}", self.execution.status);
            return Err(StoreError::new(StoreErrorKind::Conflict, message));
        }
        if self.lease.as_ref().is_some_and(|lease| lease.is_alive(now)) {
            let message = format!("execution `{id}` is being run by another holder");
            return Err(StoreError::new(StoreErrorKind::Leased, message));
        }
        let unclean = self.lease.is_some();
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
        })
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
