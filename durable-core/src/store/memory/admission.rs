//! Admission of executions from queues, within the limits of the queues.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::claims::{Candidate, build_for, set_earlier};
use super::executions::Executions;
use crate::Timestamp;
use crate::store::{ClaimRequest, Queue, QueueEntry, WorkerFilter};

/// Number of admitted executions by queue, in total and for each key.
#[derive(Default)]
struct Running(BTreeMap<(String, Option<String>), u32>);

impl Running {
    fn count(&self, queue: &str, key: Option<&str>) -> u32 {
        let key = (queue.to_owned(), key.map(str::to_owned));
        self.0.get(&key).copied().unwrap_or(0)
    }

    fn add(&mut self, entry: &QueueEntry) {
        let total = (entry.queue.clone(), None);
        *self.0.entry(total).or_default() += 1;
        if let Some(key) = &entry.key {
            let of_key = (entry.queue.clone(), Some(key.clone()));
            *self.0.entry(of_key).or_default() += 1;
        }
    }

    /// Returns whether the concurrency limits of `queue` leave room for `entry`.
    fn has_room(&self, queue: &Queue, entry: &QueueEntry) -> bool {
        let is_below = |limit: Option<u32>, key: Option<&str>| {
            limit.is_none_or(|limit| self.count(&entry.queue, key) < limit)
        };
        let key = entry.key.as_deref();
        is_below(queue.concurrency, None)
            && (key.is_none() || is_below(queue.concurrency_per_key, key))
    }
}

impl Executions {
    /// Returns due executions that their queues let run, highest priority first.
    pub(super) fn admissible(
        &mut self,
        filter: &WorkerFilter,
        request: ClaimRequest,
        next_due: &mut Option<Timestamp>,
    ) -> Vec<Candidate> {
        let mut running = self.running();
        let mut starts = BTreeMap::<String, usize>::new();
        let mut admissible = Vec::new();
        for (entry, candidate) in self.waiting(filter, request.now, next_due) {
            let queue = self.queues.get(&entry.queue);
            if queue.paused || !running.has_room(&queue, &entry) {
                continue;
            }
            let started = starts.entry(entry.queue.clone()).or_default();
            let (capacity, next_start) = self.queues.rate_capacity(&queue, request.now);
            if *started >= capacity {
                set_earlier(next_due, next_start);
                continue;
            }
            if admissible.len() >= request.limit {
                set_earlier(next_due, request.now);
                continue;
            }
            *started += 1;
            running.add(&entry);
            admissible.push(candidate);
        }
        admissible
    }

    /// Returns the due executions that wait in the worker's queues, by priority and then by time.
    fn waiting(
        &self,
        filter: &WorkerFilter,
        now: Timestamp,
        next_due: &mut Option<Timestamp>,
    ) -> Vec<(QueueEntry, Candidate)> {
        let mut waiting = Vec::new();
        for entry in self.entries.waiting() {
            let execution = &entry.execution;
            let (Some(build), Some(at), Some(queue_entry)) = (
                build_for(filter, entry),
                execution.due_at(),
                execution.queue.as_ref(),
            ) else {
                continue;
            };
            if !filter.serves(&queue_entry.queue) {
                continue;
            }
            if at > now {
                set_earlier(next_due, at);
                continue;
            }
            let candidate = (at, execution.id.clone(), build.to_owned());
            waiting.push((queue_entry.clone(), candidate));
        }
        waiting.sort_by(|(a, first), (b, second)| {
            let by_priority = Reverse(a.priority).cmp(&Reverse(b.priority));
            by_priority.then_with(|| first.cmp(second))
        });
        waiting
    }

    fn running(&self) -> Running {
        let mut running = Running::default();
        let admitted = self.entries.admitted();
        for entry in admitted.filter_map(|entry| entry.execution.queue.as_ref()) {
            running.add(entry);
        }
        running
    }
}
