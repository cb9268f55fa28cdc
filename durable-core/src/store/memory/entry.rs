//! One execution in memory: who may write it, and what a checkpoint makes of it.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::Notify;

use crate::Timestamp;
use crate::model::record::Record;
use crate::store::{
    Ack, Batch, Execution, ExecutionStatus, ExecutionUpdate, Fence, Lease, NewExecution,
    StoreError, StoreErrorKind,
};

/// Lives as long as the handle that claims leases in its name.
pub(super) struct Holder;

pub(super) struct Entry {
    pub(super) execution: Execution,
    pub(super) records: BTreeMap<u64, Record>,
    /// The records that the outside has changed, by the number of the last change of each.
    outside: BTreeMap<u64, u64>,
    /// The number of the last such change of a record.
    last_change: HashMap<u64, u64>,
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
    /// Records that were looked at for acknowledgements.
    #[cfg(test)]
    pub(super) visited: std::cell::Cell<usize>,
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
            last_change: HashMap::new(),
            // Should the id be used again after a deletion, no fence of before fits.
            leases: fastrand::u64(..1 << 40),
            lease: None,
            last_batch: None,
            build: None,
            tried: Vec::new(),
            crashes: (0, 0),
            news: Arc::default(),
            #[cfg(test)]
            visited: std::cell::Cell::default(),
        }
    }

    fn token(&self) -> Arc<str> {
        self.leases.to_string().into()
    }

    /// The fence of the newest lease.
    pub(super) fn fence(&self) -> Fence {
        Fence {
            execution: self.execution.id.clone(),
            token: self.token(),
        }
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
        let was_interrupted = self.lease.is_some();
        self.count_crash(was_interrupted);
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
            fence: self.fence(),
            execution: self.execution.clone(),
            was_interrupted,
            crashes: self.crashes.0,
        })
    }

    fn count_crash(&mut self, was_interrupted: bool) {
        let last = self.records.keys().last().copied().unwrap_or(0);
        self.crashes = match self.crashes {
            _ if !was_interrupted => (0, last),
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

    /// Whether a lease of it was granted and not given back.
    pub(super) fn has_lease(&self) -> bool {
        self.lease.is_some()
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
        let unseen = (Bound::Excluded(seen), Bound::Unbounded);
        let news = self.outside.range(unseen);
        Ack {
            fence: None,
            changed_records: news
                .filter_map(|(_, seq)| self.visit(*seq).cloned())
                .collect(),
            changes: self.execution.changes,
            cancel: self.execution.cancel,
            paused: self.execution.paused,
        }
    }

    fn visit(&self, seq: u64) -> Option<&Record> {
        #[cfg(test)]
        self.visited.set(self.visited.get() + 1);
        self.records.get(&seq)
    }

    /// The outside has changed the record `seq`, as the latest of [`Execution::changes`].
    pub(super) fn note(&mut self, seq: u64) {
        let change = self.execution.changes;
        if let Some(before) = self.last_change.insert(seq, change) {
            self.outside.remove(&before);
        }
        self.outside.insert(change, seq);
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
