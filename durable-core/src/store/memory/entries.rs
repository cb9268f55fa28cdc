//! Executions by id, with indexes for claims.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::entry::Entry;
use crate::store::ExecutionStatus;
use crate::{ExecutionId, Timestamp};

/// Executions by id. Indexes let a claim visit only the executions that it may grant.
#[derive(Default)]
pub(super) struct Entries {
    all: BTreeMap<ExecutionId, Entry>,
    /// Executions that may have changed since the indexes below were updated.
    changed: BTreeSet<ExecutionId>,
    /// Time of each execution in `due`.
    due_times: HashMap<ExecutionId, Timestamp>,
    due: BTreeSet<(Timestamp, ExecutionId)>,
    waiting: BTreeSet<ExecutionId>,
    recoverable: BTreeSet<ExecutionId>,
    admitted: BTreeSet<ExecutionId>,
    /// Number of executions visited through an index.
    #[cfg(test)]
    pub(super) visited: std::cell::Cell<usize>,
}

impl Entries {
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn get(&self, id: &ExecutionId) -> Option<&Entry> {
        self.all.get(id)
    }

    pub(super) fn get_mut(&mut self, id: &ExecutionId) -> Option<&mut Entry> {
        let entry = self.all.get_mut(id)?;
        self.changed.insert(id.clone());
        Some(entry)
    }

    pub(super) fn insert(&mut self, id: ExecutionId, entry: Entry) {
        self.changed.insert(id.clone());
        self.all.insert(id, entry);
    }

    pub(super) fn remove(&mut self, id: &ExecutionId) {
        self.changed.insert(id.clone());
        self.all.remove(id);
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &Entry> {
        self.all.values()
    }

    /// Updates the indexes.
    pub(super) fn update_indexes(&mut self) {
        for id in std::mem::take(&mut self.changed) {
            let entry = self.all.get(&id);
            let execution = entry.map(|entry| &entry.execution);
            let due_at = execution.and_then(|execution| execution.due_at());
            let queued = execution.is_some_and(|execution| execution.waits_in_queue());
            let blocked =
                execution.is_some_and(|execution| execution.status == ExecutionStatus::Blocked);
            let recoverable = blocked || entry.is_some_and(Entry::has_lease);
            let admitted = execution.is_some_and(|execution| execution.admitted);
            set_membership(&mut self.waiting, &id, queued && due_at.is_some());
            set_membership(&mut self.recoverable, &id, recoverable);
            set_membership(&mut self.admitted, &id, admitted);
            let due_at = due_at.filter(|_| !queued);
            let before = match due_at {
                Some(at) => self.due_times.insert(id.clone(), at),
                None => self.due_times.remove(&id),
            };
            if before == due_at {
                continue;
            }
            if let Some(before) = before {
                self.due.remove(&(before, id.clone()));
            }
            self.due.extend(due_at.map(|at| (at, id)));
        }
    }

    /// Returns the executions that wait for a time but not in a queue, soonest first.
    pub(super) fn due(&self) -> impl Iterator<Item = (Timestamp, &Entry)> {
        let due = self.due.iter();
        due.filter_map(|(at, id)| Some((*at, self.visit(id)?)))
    }

    /// Returns the executions that wait in a queue.
    pub(super) fn waiting(&self) -> impl Iterator<Item = &Entry> {
        self.waiting.iter().filter_map(|id| self.visit(id))
    }

    /// Returns the leased and the blocked executions, which a worker may have to take over or try again.
    pub(super) fn recoverable(&self) -> impl Iterator<Item = &Entry> {
        self.recoverable.iter().filter_map(|id| self.visit(id))
    }

    /// Returns the executions that count toward the limits of their queues.
    pub(super) fn admitted(&self) -> impl Iterator<Item = &Entry> {
        self.admitted.iter().filter_map(|id| self.visit(id))
    }

    fn visit(&self, id: &ExecutionId) -> Option<&Entry> {
        #[cfg(test)]
        self.visited.set(self.visited.get() + 1);
        self.all.get(id)
    }
}

/// Adds `id` to the index or removes it.
fn set_membership(index: &mut BTreeSet<ExecutionId>, id: &ExecutionId, member: bool) {
    if !member {
        index.remove(id);
    } else if !index.contains(id) {
        index.insert(id.clone());
    }
}
