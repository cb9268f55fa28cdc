//! State of one execution: its lease, its records and its external changes.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::Notify;

use crate::Timestamp;
use crate::model::record::{Record, Status};
use crate::store::{
    Ack, Batch, Execution, ExecutionStatus, ExecutionUpdate, Fence, Lease, Message, NewMessage,
    StoreError, StoreErrorKind,
};

/// Identity of a store handle. The leases of a handle end when it is dropped.
pub(super) struct Holder;

pub(super) struct Entry {
    pub(super) execution: Execution,
    pub(super) records: BTreeMap<u64, Record>,
    /// Records with external changes, by the number of their last change.
    changed_records: BTreeMap<u64, u64>,
    /// Number of the last external change of each record.
    last_change: HashMap<u64, u64>,
    /// Random text in the tokens of its fences, so that no old fence is valid if the id is reused after a deletion.
    nonce: u64,
    /// Number of the newest lease.
    leases: u64,
    /// Token of the newest fence, which every checkpoint is compared with.
    token: Arc<str>,
    lease: Option<HeldLease>,
    /// Id of the last batch under the newest fence. A repetition is accepted after the lease was released.
    last_batch: Option<u64>,
    /// Build of the worker that claimed it last.
    last_build: Option<String>,
    /// Builds under which it was blocked since it last made progress.
    blocked_builds: Vec<String>,
    /// Number of consecutive interruptions without a new record, and the `seq` of the last record.
    crashes: (u32, u64),
    /// Messages in the order in which they were accepted.
    pub(super) messages: Vec<Message>,
    /// Notified of every external change and every end.
    pub(super) notifier: Arc<Notify>,
    /// Number of records visited for acknowledgements.
    #[cfg(test)]
    pub(super) visited: std::cell::Cell<usize>,
}

struct HeldLease {
    holder: Weak<Holder>,
    expires_at: Timestamp,
}

impl HeldLease {
    fn is_alive(&self, now: Timestamp) -> bool {
        now < self.expires_at && self.holder.strong_count() > 0
    }
}

impl Entry {
    pub(super) fn new(execution: Execution) -> Self {
        let nonce = fastrand::u64(..);
        Self {
            execution,
            records: BTreeMap::new(),
            changed_records: BTreeMap::new(),
            last_change: HashMap::new(),
            nonce,
            leases: 0,
            token: format!("{nonce:x}.0").into(),
            lease: None,
            last_batch: None,
            last_build: None,
            blocked_builds: Vec::new(),
            crashes: (0, 0),
            messages: Vec::new(),
            notifier: Arc::default(),
            #[cfg(test)]
            visited: std::cell::Cell::default(),
        }
    }

    fn next_token(&mut self) {
        self.leases += 1;
        self.token = format!("{:x}.{}", self.nonce, self.leases).into();
    }

    /// Returns the fence of the newest lease.
    pub(super) fn fence(&self) -> Fence {
        Fence {
            execution: self.execution.id.clone(),
            token: Arc::clone(&self.token),
        }
    }

    fn is_current(&self, fence: &Fence) -> bool {
        fence.token == self.token
    }

    pub(super) fn claim(
        &mut self,
        holder: &Arc<Holder>,
        now: Timestamp,
        ttl: Duration,
        build: Option<&str>,
    ) -> Result<Lease, StoreError> {
        let id = &self.execution.id;
        self.execution.ensure_claimable()?;
        if self.lease.as_ref().is_some_and(|lease| lease.is_alive(now)) {
            let message = format!("execution `{id}` is leased to another holder");
            return Err(StoreError::new(StoreErrorKind::Leased, message));
        }
        let was_interrupted = self.lease.is_some();
        self.count_crash(was_interrupted);
        if let Some(build) = build {
            self.last_build = Some(build.to_owned());
        }
        self.lease = Some(HeldLease {
            holder: Arc::downgrade(holder),
            expires_at: now.after(ttl),
        });
        self.next_token();
        self.last_batch = None;
        self.execution.mark_running(now);
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

    /// Returns whether its holder died or let the lease expire.
    pub(super) fn is_abandoned(&self, now: Timestamp) -> bool {
        self.lease
            .as_ref()
            .is_some_and(|lease| !lease.is_alive(now))
    }

    /// Returns whether a lease was granted and not released, even if it has expired.
    pub(super) fn has_lease(&self) -> bool {
        self.lease.is_some()
    }

    pub(super) fn is_leased(&self, now: Timestamp) -> bool {
        self.lease.as_ref().is_some_and(|lease| lease.is_alive(now))
    }

    /// Returns whether it is blocked and has not been tried with this build since.
    pub(super) fn is_untried_by(&self, build: &str) -> bool {
        self.execution.status == ExecutionStatus::Blocked
            && !self.execution.paused
            && !self.blocked_builds.iter().any(|blocked| blocked == build)
    }

    /// Forgets failed attempts, so that every build may try again.
    pub(super) fn reset_attempts(&mut self) {
        self.blocked_builds.clear();
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
            _ => Err(fence.lost()),
        }
    }

    pub(super) fn checkpoint(
        &mut self,
        fence: &Fence,
        batch: &Batch,
        now: Timestamp,
    ) -> Result<Ack, StoreError> {
        if !self.is_current(fence) {
            return Err(fence.lost());
        }
        if self.lease.is_none() {
            return match self.last_batch {
                Some(last) if last == batch.id => Ok(self.ack(batch)),
                _ => Err(fence.lost()),
            };
        }
        for record in &batch.records {
            self.put(record);
            self.mark_message(record);
        }
        self.last_batch = Some(batch.id);
        if let Some(update) = &batch.execution {
            self.execution.apply(update, batch.seen, now);
            self.lease = None;
            match update {
                ExecutionUpdate::Block { .. } => {
                    self.blocked_builds.extend(self.last_build.take());
                }
                _ => self.blocked_builds.clear(),
            }
            self.notifier.notify_waiters();
        }
        Ok(self.ack(batch))
    }

    /// Puts a record, unless an external event has settled it.
    fn put(&mut self, record: &Record) {
        let settled = self
            .records
            .get(&record.seq)
            .is_some_and(|stored| stored.kind.is_external() && stored.status.is_terminal());
        if !settled {
            self.records.insert(record.seq, record.clone());
        }
    }

    fn ack(&self, batch: &Batch) -> Ack {
        let unseen = (Bound::Excluded(batch.seen), Bound::Unbounded);
        let changed = self.changed_records.range(unseen);
        Ack {
            fence: None,
            changed_records: changed
                .filter_map(|(_, seq)| self.visit(*seq).cloned())
                .collect(),
            messages: batch
                .messages_after
                .map(|after| self.waiting_messages(after))
                .unwrap_or_default(),
            changes: self.execution.changes,
            cancel: self.execution.cancel,
            paused: self.execution.paused,
        }
    }

    fn waiting_messages(&self, after: u64) -> Vec<Message> {
        let waiting = |message: &&Message| message.number > after && message.received_by.is_none();
        self.messages.iter().filter(waiting).cloned().collect()
    }

    /// Marks the message of a `receive!` as received, or as not received again.
    fn mark_message(&mut self, record: &Record) {
        let Some(number) = record.received_message() else {
            return;
        };
        let message = self.messages.iter_mut().find(|m| m.number == number);
        if let Some(message) = message {
            message.received_by = (record.status == Status::Succeeded).then_some(record.seq);
        }
    }

    /// Marks the messages as not received again that operations at this position or later have received.
    pub(super) fn unmark_messages(&mut self, first: u64) {
        for message in &mut self.messages {
            message.received_by = message.received_by.filter(|seq| *seq < first);
        }
    }

    /// Accepts a message. Returns whether it is new.
    pub(super) fn send(&mut self, message: NewMessage, now: Timestamp) -> Result<bool, StoreError> {
        let execution = &mut self.execution;
        if self.messages.iter().any(|sent| sent.id == message.id) {
            return Ok(false);
        }
        if execution.status.is_terminal() {
            return Err(Message::refused(
                &message.name,
                &execution.id,
                execution.status,
            ));
        }
        self.messages.push(Message {
            number: self.messages.last().map_or(1, |last| last.number + 1),
            to: execution.id.clone(),
            id: message.id,
            name: message.name,
            payload: message.payload,
            sent_at: now,
            received_by: None,
        });
        execution.note_external_change(now);
        self.notifier.notify_waiters();
        Ok(true)
    }

    fn visit(&self, seq: u64) -> Option<&Record> {
        #[cfg(test)]
        self.visited.set(self.visited.get() + 1);
        self.records.get(&seq)
    }

    /// Notes that the latest external change was to the record `seq`, and notifies waiters.
    pub(super) fn record_changed(&mut self, seq: u64) {
        let change = self.execution.changes;
        if let Some(before) = self.last_change.insert(seq, change) {
            self.changed_records.remove(&before);
        }
        self.changed_records.insert(change, seq);
        self.notifier.notify_waiters();
    }
}
