//! Starts, ends and external changes of executions.

use std::collections::BTreeMap;

use tokio::sync::watch;

use super::entries::Entries;
use super::entry::Entry;
use super::queues::Queues;
use crate::model::record::{Completion, Record};
use crate::store::{
    Batch, CallbackId, Execution, ExecutionUpdate, Message, NewExecution, NewMessage,
    ScheduleEntry, Started, StoreError, StoreErrorKind,
};
use crate::{ExecutionId, Timestamp};

#[derive(Default)]
pub(super) struct Executions {
    pub(super) entries: Entries,
    pub(super) queues: Queues,
    pub(super) schedules: BTreeMap<ExecutionId, ScheduleEntry>,
    /// Number of events that may have made an execution due.
    pub(super) due: watch::Sender<u64>,
}

impl Executions {
    pub(super) fn entry(&mut self, id: &ExecutionId) -> Result<&mut Entry, StoreError> {
        self.entries.get_mut(id).ok_or_else(|| {
            let message = format!("no execution `{id}` in the memory store");
            StoreError::new(StoreErrorKind::NotFound, message)
        })
    }

    pub(super) fn start(&mut self, new: NewExecution) -> Started {
        if let Some(entry) = self.entries.get(&new.id) {
            return Started::Existing(entry.execution.clone());
        }
        self.add(Entry::new(Execution::queued(new)))
    }

    /// Starts an execution with a message, unless one with its id exists.
    pub(super) fn start_with_message(
        &mut self,
        new: NewExecution,
        message: NewMessage,
    ) -> Result<Started, StoreError> {
        if let Some(entry) = self.entries.get(&new.id) {
            return Ok(Started::Existing(entry.execution.clone()));
        }
        let now = new.created_at;
        let mut entry = Entry::new(Execution::queued(new));
        entry.send(message, now)?;
        Ok(self.add(entry))
    }

    fn add(&mut self, entry: Entry) -> Started {
        let execution = entry.execution.clone();
        self.entries.insert(execution.id.clone(), entry);
        self.notify_workers();
        Started::Created(execution)
    }

    /// Starts an execution whose history begins with these records.
    pub(super) fn fork(&mut self, new: NewExecution, records: Vec<Record>) -> Started {
        if let Some(entry) = self.entries.get(&new.id) {
            return Started::Existing(entry.execution.clone());
        }
        let mut entry = Entry::new(Execution::forked(new));
        let records = records.into_iter();
        entry.records = records.map(|record| (record.seq, record)).collect();
        self.add(entry)
    }

    /// Notifies workers that an execution may have become due.
    pub(super) fn notify_workers(&self) {
        self.due.send_modify(|count| *count += 1);
    }

    /// Starts the next execution of a chain, which counts toward the queue's limits like the one before.
    fn start_next(&mut self, next: NewExecution) {
        let id = next.id.clone();
        if let Started::Created(execution) = self.start(next)
            && let Some(entry) = self.entries.get_mut(&id)
        {
            entry.execution.admitted = execution.queue.is_some();
        }
    }

    /// Applies the effects of an accepted batch on other executions: starts children and the next one of a chain, and
    /// settles the parent's operation.
    pub(super) fn apply_effects(&mut self, id: &ExecutionId, batch: &Batch, now: Timestamp) {
        for child in &batch.children {
            self.start(child.clone());
        }
        if let (Some(ExecutionUpdate::Continue { next }), Some(entry)) =
            (&batch.execution, self.entries.get(id))
        {
            let next = entry.execution.successor(next);
            let (from, to) = (id.clone(), next.id.clone());
            self.start_next(next);
            self.move_messages(&from, &to);
        }
        if batch.execution.is_some() || !batch.children.is_empty() {
            self.notify_workers();
        }
        self.settle_parent(id, now);
    }

    /// Gives the messages that were not received to the next execution of a chain.
    fn move_messages(&mut self, from: &ExecutionId, to: &ExecutionId) {
        let Some(entry) = self.entries.get_mut(from) else {
            return;
        };
        let waiting = |message: &mut Message| message.received_by.is_none();
        let mut waiting: Vec<Message> = entry.messages.extract_if(.., waiting).collect();
        if let Some(next) = self.entries.get_mut(to) {
            next.messages.append(&mut waiting);
        }
    }

    /// Requests the cancellation of an execution.
    pub(super) fn cancel(&mut self, id: &ExecutionId, now: Timestamp) -> Result<(), StoreError> {
        let entry = self.entry(id)?;
        entry.execution.request_cancel(now);
        entry.notifier.notify_waiters();
        self.notify_workers();
        self.settle_parent(id, now);
        Ok(())
    }

    /// Completes or fails a callback.
    pub(super) fn complete(
        &mut self,
        callback: &CallbackId,
        outcome: &Completion,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let entry = self.entry(callback.execution())?;
        let record = open_callback(entry, callback)?;
        record.settle(outcome, now);
        entry.execution.note_external_change(now);
        entry.record_changed(callback.seq());
        self.notify_workers();
        Ok(())
    }

    /// Restarts the heartbeat timeout of a callback.
    pub(super) fn heartbeat(
        &mut self,
        callback: &CallbackId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let entry = self.entry(callback.execution())?;
        let record = open_callback(entry, callback)?;
        record.beat(now);
        entry.execution.note_heartbeat();
        entry.record_changed(callback.seq());
        Ok(())
    }

    /// Settles the operation that waits for the execution, if it has ended.
    fn settle_parent(&mut self, id: &ExecutionId, now: Timestamp) {
        let ended = self.entries.get(id).and_then(|entry| {
            let parent = entry.execution.parent.clone()?;
            Some((parent, entry.execution.completion()?))
        });
        let Some((parent, outcome)) = ended else {
            return;
        };
        let Some(waiting) = self.entries.get_mut(&parent.execution) else {
            return;
        };
        if waiting.execution.status.is_terminal() {
            return;
        }
        let record = waiting.records.get_mut(&parent.seq);
        if let Some(record) = record.filter(|record| parent.is(record))
            && record.settle(&outcome, now)
        {
            waiting.execution.note_external_change(now);
            waiting.record_changed(parent.seq);
            self.notify_workers();
        }
    }
}

/// Finds the record of a callback that is still open.
fn open_callback<'a>(
    entry: &'a mut Entry,
    callback: &CallbackId,
) -> Result<&'a mut Record, StoreError> {
    callback.resolve(&entry.execution, entry.records.get_mut(&callback.seq()))
}
