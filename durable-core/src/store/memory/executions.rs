//! All executions in memory: how they start, and how one changes another.

use std::collections::BTreeMap;

use tokio::sync::watch;

use super::entries::Entries;
use super::entry::Entry;
use super::queues::Queues;
use crate::model::record::{Completion, Record};
use crate::store::{
    Batch, CallbackId, ExecutionUpdate, NewExecution, ScheduleEntry, Started, StoreError,
    StoreErrorKind,
};
use crate::{ExecutionId, Timestamp};

#[derive(Default)]
pub(super) struct Executions {
    pub(super) entries: Entries,
    pub(super) queues: Queues,
    pub(super) schedules: BTreeMap<ExecutionId, ScheduleEntry>,
    /// Counts what may have made something due.
    pub(super) due: watch::Sender<u64>,
}

impl Executions {
    pub(super) fn entry(&mut self, id: &ExecutionId) -> Result<&mut Entry, StoreError> {
        self.entries.get_mut(id).ok_or_else(|| {
            let message = format!("there is no execution `{id}` in memory");
            StoreError::new(StoreErrorKind::NotFound, message)
        })
    }

    pub(super) fn start(&mut self, new: NewExecution) -> Started {
        if let Some(entry) = self.entries.get(&new.id) {
            return Started::Existing(entry.execution.clone());
        }
        let entry = Entry::queued(new);
        let execution = entry.execution.clone();
        self.entries.insert(execution.id.clone(), entry);
        self.tell();
        Started::Created(execution)
    }

    /// Something may be due that was not.
    pub(super) fn tell(&self) {
        self.due.send_modify(|count| *count += 1);
    }

    /// Starts what goes on in the place of another, with its place in the queue.
    fn go_on(&mut self, next: NewExecution) {
        let id = next.id.clone();
        if let Started::Created(execution) = self.start(next)
            && let Some(entry) = self.entries.get_mut(&id)
        {
            entry.execution.admitted = execution.queue.is_some();
        }
    }

    /// Starts what an accepted batch starts, and tells the parent of an end.
    pub(super) fn follow_up(&mut self, id: &ExecutionId, batch: &Batch, now: Timestamp) {
        for child in &batch.children {
            self.start(child.clone());
        }
        if let (Some(ExecutionUpdate::Continue { next }), Some(entry)) =
            (&batch.execution, self.entries.get(id))
        {
            let next = entry.execution.successor(next);
            self.go_on(next);
        }
        if batch.execution.is_some() || !batch.children.is_empty() {
            self.tell();
        }
        self.tell_parent(id, now);
    }

    /// Asks for the cancellation of an execution, which ends one that has never run.
    pub(super) fn cancel(&mut self, id: &ExecutionId, now: Timestamp) -> Result<(), StoreError> {
        let entry = self.entry(id)?;
        entry.execution.ask_to_cancel(now);
        entry.news.notify_waiters();
        self.tell();
        self.tell_parent(id, now);
        Ok(())
    }

    /// Settles a callback.
    pub(super) fn complete(
        &mut self,
        callback: &CallbackId,
        outcome: &Completion,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let entry = self.entry(callback.execution())?;
        let record = waiting(entry, callback)?;
        record.settle(outcome, now);
        entry.execution.changed(now);
        entry.note(callback.seq());
        self.tell();
        Ok(())
    }

    /// Moves the time at which a callback is given up.
    pub(super) fn heartbeat(
        &mut self,
        callback: &CallbackId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let entry = self.entry(callback.execution())?;
        let record = waiting(entry, callback)?;
        record.beat(now);
        entry.execution.kept_alive();
        entry.note(callback.seq());
        Ok(())
    }

    /// If the execution has ended for good, settles the operation that waits for it.
    fn tell_parent(&mut self, id: &ExecutionId, now: Timestamp) {
        let told = self.entries.get(id).and_then(|entry| {
            let parent = entry.execution.parent.clone()?;
            Some((parent, entry.execution.completion()?))
        });
        let Some((parent, outcome)) = told else {
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
            waiting.execution.changed(now);
            waiting.note(parent.seq);
            self.tell();
        }
    }
}

fn waiting<'a>(entry: &'a mut Entry, callback: &CallbackId) -> Result<&'a mut Record, StoreError> {
    callback.resolve(&entry.execution, entry.records.get_mut(&callback.seq()))
}
