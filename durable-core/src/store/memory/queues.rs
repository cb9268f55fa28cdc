//! Settings and rate limits of queues.

use std::collections::{BTreeMap, VecDeque};

use crate::Timestamp;
use crate::store::{Queue, StoreError, StoreErrorKind};

#[derive(Default)]
pub(super) struct Queues {
    settings: BTreeMap<String, Queue>,
    /// Times of recent first claims, for queues with a rate.
    starts: BTreeMap<String, VecDeque<Timestamp>>,
}

impl Queues {
    pub(super) fn put(&mut self, queue: Queue) {
        self.settings.insert(queue.name.clone(), queue);
    }

    pub(super) fn remove(&mut self, name: &str) -> Result<(), StoreError> {
        self.starts.remove(name);
        self.settings.remove(name).map(drop).ok_or_else(|| {
            let message = format!("queue `{name}` has no settings in the memory store");
            StoreError::new(StoreErrorKind::NotFound, message)
        })
    }

    /// Returns the settings of a queue. By default it has no limits.
    pub(super) fn get(&self, name: &str) -> Queue {
        let queue = self.settings.get(name).cloned();
        queue.unwrap_or_else(|| Queue {
            name: name.to_owned(),
            ..Queue::default()
        })
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &String> {
        self.settings.keys()
    }

    /// Returns how many executions the rate of the queue lets start now, and when it lets another one start.
    pub(super) fn rate_capacity(&mut self, queue: &Queue, now: Timestamp) -> (usize, Timestamp) {
        let Some(rate) = queue.rate else {
            return (usize::MAX, now);
        };
        let starts = self.starts.entry(queue.name.clone()).or_default();
        // Times in the future are from before the clock was set back.
        starts.retain(|at| *at <= now && at.after(rate.per) > now);
        let capacity = (rate.starts.max(1) as usize).saturating_sub(starts.len());
        (capacity, starts.front().unwrap_or(&now).after(rate.per))
    }

    pub(super) fn note_start(&mut self, queue: &Queue, now: Timestamp) {
        if queue.rate.is_some() {
            let starts = self.starts.entry(queue.name.clone()).or_default();
            starts.push_back(now);
        }
    }
}
