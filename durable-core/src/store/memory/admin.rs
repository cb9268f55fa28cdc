//! Operators' view of executions, queues and schedules.

use std::collections::BTreeSet;

use super::executions::Executions;
use crate::store::{Change, Execution, Firing, QueueState, ScheduleEntry, StoreError};
use crate::{ExecutionId, Timestamp};

impl Executions {
    pub(super) fn queue_states(&self) -> Vec<QueueState> {
        let entries = || self.entries.values().map(|entry| &entry.execution);
        let used = entries().filter(|execution| !execution.status.is_terminal());
        let used = used.filter_map(|execution| Some(&execution.queue.as_ref()?.queue));
        let names: BTreeSet<_> = self.queues.names().chain(used).collect();
        let count = |name: &str, admitted| {
            let matching = entries().filter(|execution| {
                let entry = execution.queue.as_ref();
                entry.is_some_and(|entry| entry.queue == name)
                    && execution.admitted == admitted
                    && !execution.status.is_terminal()
            });
            matching.count() as u64
        };
        let oldest = |name: &str| {
            let waiting = entries().filter(|execution| {
                let place = execution.queue.as_ref();
                place.is_some_and(|place| place.queue == name) && execution.waits_in_queue()
            });
            waiting.filter_map(Execution::due_at).min()
        };
        let state = |name: &String| QueueState {
            queue: self.queues.get(name),
            waiting: count(name, false),
            oldest: oldest(name),
            running: count(name, true),
        };
        names.into_iter().map(state).collect()
    }

    pub(super) fn change(
        &mut self,
        id: &ExecutionId,
        change: &Change,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let entry = self.entry(id)?;
        let leased = entry.is_leased(now);
        entry.execution.apply_change(change, leased, now)?;
        match change {
            Change::Delete => {
                self.entries.remove(id);
            }
            Change::Rewind(rewind) => {
                if let Some(first) = rewind.remove_from {
                    entry.records.split_off(&first);
                    entry.unmark_messages(first);
                }
                for record in &rewind.records {
                    entry.records.insert(record.seq, record.clone());
                }
                entry.reset_attempts();
                entry.notifier.notify_waiters();
            }
            Change::Pause | Change::Resume => {
                entry.reset_attempts();
                entry.notifier.notify_waiters();
            }
        }
        self.notify_workers();
        Ok(())
    }

    pub(super) fn put_schedule(&mut self, mut schedule: ScheduleEntry) {
        let before = self.schedules.get(&schedule.name);
        schedule.revision = before.map_or(0, |before| before.revision) + 1;
        self.schedules.insert(schedule.name.clone(), schedule);
        self.notify_workers();
    }

    pub(super) fn fire(&mut self, firing: Firing) -> bool {
        let schedule = self.schedules.get_mut(&firing.schedule);
        let Some(schedule) = schedule.filter(|schedule| schedule.revision == firing.revision)
        else {
            return false;
        };
        schedule.revision += 1;
        (schedule.next_at, schedule.last) = (firing.next_at, firing.last);
        for new in firing.start {
            self.start(new);
        }
        self.notify_workers();
        true
    }
}
