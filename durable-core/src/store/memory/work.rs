//! What workers and operators ask of the executions in memory.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::entry::{Entry, Holder};
use super::executions::Executions;
use crate::store::{
    Change, ClaimRequest, Claimed, Firing, HandlerBuild, Lease, QueueState, ScheduleEntry,
    StoreError, WorkerFilter,
};
use crate::{ExecutionId, Timestamp};

/// How many executions of a queue run, in all and of each key.
type Running = BTreeMap<(String, Option<String>), u32>;

impl Executions {
    pub(super) fn claim_due(
        &mut self,
        holder: &Arc<Holder>,
        wanted: &WorkerFilter,
        how: ClaimRequest,
    ) -> Claimed {
        self.entries.file();
        let mut claimed = Claimed {
            next_firing: self.next_firing(),
            ..Claimed::default()
        };
        let mut due = self.due(wanted, how, &mut claimed.next_due);
        due.extend(self.let_through(wanted, how, &mut claimed.next_due));
        for (at, id, build) in due {
            if claimed.leases.len() >= how.limit {
                earlier(&mut claimed.next_due, at);
                continue;
            }
            claimed.leases.extend(self.grant(holder, &id, &build, how));
        }
        claimed
    }

    fn grant(
        &mut self,
        holder: &Arc<Holder>,
        id: &ExecutionId,
        build: &str,
        how: ClaimRequest,
    ) -> Option<Lease> {
        let entry = self.entries.get_mut(id)?;
        let waited = entry.execution.waits_in_queue();
        let lease = entry.claim(holder, how.now, how.ttl, Some(build)).ok()?;
        if let Some(place) = lease.execution.queue.as_ref().filter(|_| waited) {
            let queue = self.queues.get(&place.queue);
            self.queues.note_start(&queue, how.now);
        }
        Some(lease)
    }

    /// What is due and waits in no queue, soonest first.
    fn due(
        &self,
        wanted: &WorkerFilter,
        how: ClaimRequest,
        next_due: &mut Option<Timestamp>,
    ) -> Vec<(Timestamp, ExecutionId, String)> {
        let mut due = Vec::new();
        if how.look_after {
            for entry in self.entries.watched() {
                let Some(build) = known(wanted, entry) else {
                    continue;
                };
                let left_over =
                    entry.is_abandoned(how.now) && entry.execution.may_be_claimed().is_ok();
                if left_over || entry.is_new_to(build) {
                    due.push((how.now, entry.execution.id.clone(), build.to_owned()));
                }
            }
        }
        let mut found = 0;
        for (at, entry) in self.entries.due() {
            let Some(build) = known(wanted, entry) else {
                continue;
            };
            if at > how.now || found == how.limit {
                earlier(next_due, at);
                break;
            }
            found += 1;
            due.push((at, entry.execution.id.clone(), build.to_owned()));
        }
        due.sort();
        due
    }

    /// What waits in queues that let it run, highest priority first.
    fn let_through(
        &mut self,
        wanted: &WorkerFilter,
        how: ClaimRequest,
        next_due: &mut Option<Timestamp>,
    ) -> Vec<(Timestamp, ExecutionId, String)> {
        let mut waiting = Vec::new();
        for entry in self.entries.waiting() {
            let (Some(build), Some(at)) = (known(wanted, entry), entry.execution.due_at()) else {
                continue;
            };
            let place = entry.execution.queue.as_ref();
            let Some(place) = place.filter(|_| entry.execution.waits_in_queue()) else {
                continue;
            };
            if !wanted.serves(&place.queue) {
                continue;
            }
            if at > how.now {
                earlier(next_due, at);
                continue;
            }
            let id = entry.execution.id.clone();
            waiting.push((
                Reverse(place.priority),
                at,
                id,
                place.clone(),
                build.to_owned(),
            ));
        }
        waiting.sort_by(|a, b| (a.0, a.1, &a.2).cmp(&(b.0, b.1, &b.2)));
        let mut running = self.running();
        let mut through = Vec::new();
        let mut starts = BTreeMap::<String, usize>::new();
        for (_, at, id, place, build) in waiting {
            let queue = self.queues.get(&place.queue);
            let all = (place.queue.clone(), None);
            let of_key = place
                .key
                .clone()
                .map(|key| (place.queue.clone(), Some(key)));
            let full = |running: &Running, of: &(String, Option<String>), limit: Option<u32>| {
                limit.is_some_and(|limit| running.get(of).copied().unwrap_or(0) >= limit)
            };
            let key_full = of_key
                .as_ref()
                .is_some_and(|key| full(&running, key, queue.concurrency_per_key));
            if queue.paused || full(&running, &all, queue.concurrency) || key_full {
                continue;
            }
            let begun = starts.entry(place.queue.clone()).or_default();
            let (room, opens) = self.queues.room(&queue, how.now);
            if *begun >= room {
                earlier(next_due, opens);
                continue;
            }
            if through.len() >= how.limit {
                earlier(next_due, how.now);
                continue;
            }
            *begun += 1;
            *running.entry(all).or_default() += 1;
            if let Some(key) = of_key {
                *running.entry(key).or_default() += 1;
            }
            through.push((at, id, build));
        }
        through
    }

    fn running(&self) -> Running {
        let mut running = Running::new();
        let admitted = self.entries.admitted();
        for place in admitted.filter_map(|entry| entry.execution.queue.as_ref()) {
            let name = &place.queue;
            *running.entry((name.clone(), None)).or_default() += 1;
            if let Some(key) = &place.key {
                *running
                    .entry((name.clone(), Some(key.clone())))
                    .or_default() += 1;
            }
        }
        running
    }

    pub(super) fn queue_states(&self) -> Vec<QueueState> {
        let entries = || self.entries.values().map(|entry| &entry.execution);
        let used = entries().filter(|execution| !execution.status.is_terminal());
        let used = used.filter_map(|execution| Some(&execution.queue.as_ref()?.queue));
        let names: BTreeSet<_> = self.queues.names().chain(used).collect();
        let count = |name: &str, admitted| {
            let inside = entries().filter(|execution| {
                let place = execution.queue.as_ref();
                place.is_some_and(|place| place.queue == name)
                    && execution.admitted == admitted
                    && !execution.status.is_terminal()
            });
            inside.count() as u64
        };
        let state = |name: &String| QueueState {
            queue: self.queues.get(name),
            waiting: count(name, false),
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
        entry.execution.change(change, leased, now)?;
        match change {
            Change::Delete => {
                self.entries.remove(id);
            }
            Change::Rewind(rewind) => {
                if let Some(first) = rewind.remove_from {
                    entry.records.split_off(&first);
                }
                for record in &rewind.records {
                    entry.records.insert(record.seq, record.clone());
                }
                entry.forget_blocks();
                entry.news.notify_waiters();
            }
            Change::Pause | Change::Resume => {
                entry.forget_blocks();
                entry.news.notify_waiters();
            }
        }
        self.tell();
        Ok(())
    }

    pub(super) fn put_schedule(&mut self, mut schedule: ScheduleEntry) {
        let before = self.schedules.get(&schedule.name);
        schedule.revision = before.map_or(0, |before| before.revision) + 1;
        self.schedules.insert(schedule.name.clone(), schedule);
        self.tell();
    }

    pub(super) fn fire(&mut self, firing: Firing) -> bool {
        let schedule = self.schedules.get_mut(&firing.schedule);
        let Some(schedule) = schedule.filter(|known| known.revision == firing.revision) else {
            return false;
        };
        schedule.revision += 1;
        (schedule.next_at, schedule.last) = (firing.next_at, firing.last);
        for new in firing.start {
            self.start(new);
        }
        self.tell();
        true
    }

    fn next_firing(&self) -> Option<Timestamp> {
        let active = self.schedules.values().filter(|schedule| !schedule.paused);
        active.filter_map(|schedule| schedule.next_at).min()
    }
}

/// The build that would run the entry, if any would.
fn known<'a>(wanted: &'a WorkerFilter, entry: &Entry) -> Option<&'a str> {
    let name = &entry.execution.handler;
    let handlers = wanted.handlers.iter();
    let mut of_name = handlers.filter(|HandlerBuild { name: known, .. }| known == name);
    of_name.next().map(|handler| handler.build.as_str())
}

fn earlier(next_due: &mut Option<Timestamp>, at: Timestamp) {
    *next_due = Some(next_due.map_or(at, |known| known.min(at)));
}
