//! All executions by id, and in the order in which they become due.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::entry::Entry;
use crate::store::ExecutionStatus;
use crate::{ExecutionId, Timestamp};

/// Executions with indexes of those that a worker may ask for, so that claiming visits no others.
#[derive(Default)]
pub(super) struct Entries {
    all: BTreeMap<ExecutionId, Entry>,
    /// Executions that may have changed since they were filed in the indexes below.
    touched: BTreeSet<ExecutionId>,
    /// The time under which an execution is filed in `due`.
    filed: HashMap<ExecutionId, Timestamp>,
    due: BTreeSet<(Timestamp, ExecutionId)>,
    waiting: BTreeSet<ExecutionId>,
    watched: BTreeSet<ExecutionId>,
    admitted: BTreeSet<ExecutionId>,
    /// Executions that were looked at by way of an index.
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
        self.touched.insert(id.clone());
        Some(entry)
    }

    pub(super) fn insert(&mut self, id: ExecutionId, entry: Entry) {
        self.touched.insert(id.clone());
        self.all.insert(id, entry);
    }

    pub(super) fn remove(&mut self, id: &ExecutionId) {
        self.touched.insert(id.clone());
        self.all.remove(id);
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &Entry> {
        self.all.values()
    }

    /// Brings the indexes up to date.
    pub(super) fn file(&mut self) {
        for id in std::mem::take(&mut self.touched) {
            let entry = self.all.get(&id);
            let execution = entry.map(|entry| &entry.execution);
            let due_at = execution.and_then(|execution| execution.due_at());
            let queued = execution.is_some_and(|execution| execution.waits_in_queue());
            let blocked = execution.is_some_and(|it| it.status == ExecutionStatus::Blocked);
            let watched = blocked || entry.is_some_and(Entry::has_lease);
            let admitted = execution.is_some_and(|execution| execution.admitted);
            keep(&mut self.waiting, &id, queued && due_at.is_some());
            keep(&mut self.watched, &id, watched);
            keep(&mut self.admitted, &id, admitted);
            let due_at = due_at.filter(|_| !queued);
            let before = match due_at {
                Some(at) => self.filed.insert(id.clone(), at),
                None => self.filed.remove(&id),
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

    /// Those that are due at some time and wait in no queue, soonest first.
    pub(super) fn due(&self) -> impl Iterator<Item = (Timestamp, &Entry)> {
        let due = self.due.iter();
        due.filter_map(|(at, id)| Some((*at, self.visit(id)?)))
    }

    /// Those that wait in a queue.
    pub(super) fn waiting(&self) -> impl Iterator<Item = &Entry> {
        self.waiting.iter().filter_map(|id| self.visit(id))
    }

    /// Those that are leased or blocked: what may have to be taken over.
    pub(super) fn watched(&self) -> impl Iterator<Item = &Entry> {
        self.watched.iter().filter_map(|id| self.visit(id))
    }

    /// Those that a queue has let through.
    pub(super) fn admitted(&self) -> impl Iterator<Item = &Entry> {
        self.admitted.iter().filter_map(|id| self.visit(id))
    }

    fn visit(&self, id: &ExecutionId) -> Option<&Entry> {
        #[cfg(test)]
        self.visited.set(self.visited.get() + 1);
        self.all.get(id)
    }
}

fn keep(index: &mut BTreeSet<ExecutionId>, id: &ExecutionId, wanted: bool) {
    if !wanted {
        index.remove(id);
    } else if !index.contains(id) {
        index.insert(id.clone());
    }
}
