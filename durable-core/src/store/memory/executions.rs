//! All executions in memory: how they start, and how one changes another.

use std::collections::BTreeMap;

use super::entry::Entry;
use crate::record::{Completion, Record};
use crate::store::{
    Batch, CallbackId, ExecutionUpdate, NewExecution, Started, StoreError, StoreErrorKind,
};
use crate::{ExecutionId, Timestamp};

#[derive(Default)]
pub(super) struct Executions(pub(super) BTreeMap<ExecutionId, Entry>);

impl Executions {
    pub(super) fn entry(&mut self, id: &ExecutionId) -> Result<&mut Entry, StoreError> {
        self.0.get_mut(id).ok_or_else(|| {
            let message = format!("there is no execution `{id}` in memory");
            StoreError::new(StoreErrorKind::NotFound, message)
        })
    }

    pub(super) fn start(&mut self, new: NewExecution) -> Started {
        if let Some(entry) = self.0.get(&new.id) {
            return Started::Existing(entry.execution.clone());
        }
        let entry = Entry::queued(new);
        let execution = entry.execution.clone();
        self.0.insert(execution.id.clone(), entry);
        Started::Created(execution)
    }

    /// Starts what an accepted batch starts, and tells the parent of an end.
    pub(super) fn follow_up(&mut self, id: &ExecutionId, batch: &Batch, now: Timestamp) {
        for child in &batch.children {
            self.start(child.clone());
        }
        let parent = self
            .0
            .get(id)
            .and_then(|entry| entry.execution.parent.clone());
        if let Some(ExecutionUpdate::Continue { next }) = &batch.execution {
            let next = next.clone();
            self.start(NewExecution { parent, ..next });
        }
        self.tell_parent(id, now);
    }

    /// Asks for the cancellation of an execution, which ends one that has never run.
    pub(super) fn cancel(&mut self, id: &ExecutionId, now: Timestamp) -> Result<(), StoreError> {
        let entry = self.entry(id)?;
        entry.execution.ask_to_cancel(now);
        entry.news.notify_waiters();
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
        let told = self.0.get(id).and_then(|entry| {
            let parent = entry.execution.parent.clone()?;
            Some((parent, entry.execution.completion()?))
        });
        let Some((parent, outcome)) = told else {
            return;
        };
        let Some(waiting) = self.0.get_mut(&parent.execution) else {
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
        }
    }
}

fn waiting<'a>(entry: &'a mut Entry, callback: &CallbackId) -> Result<&'a mut Record, StoreError> {
    callback.resolve(&entry.execution, entry.records.get_mut(&callback.seq()))
}
