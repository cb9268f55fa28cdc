//! Which executions the queues let run.

use std::collections::{BTreeMap, VecDeque};

use crate::Timestamp;
use crate::store::{Queue, StoreError, StoreErrorKind};

#[derive(Default)]
pub(super) struct Queues {
    set_up: BTreeMap<String, Queue>,
    /// When executions were let run lately, for queues with a rate.
    starts: BTreeMap<String, VecDeque<Timestamp>>,
}

impl Queues {
    pub(super) fn put(&mut self, queue: Queue) {
        self.set_up.insert(queue.name.clone(), queue);
    }

    pub(super) fn remove(&mut self, name: &str) -> Result<(), StoreError> {
        self.starts.remove(name);
        self.set_up.remove(name).map(drop).ok_or_else(|| {
            let message = format!("no queue `{name}` was set up in memory");
            StoreError::new(StoreErrorKind::NotFound, message)
        })
    }

    /// How the queue called `name` is set up.
    pub(super) fn get(&self, name: &str) -> Queue {
        let queue = self.set_up.get(name).cloned();
        queue.unwrap_or_else(|| Queue {
            name: name.to_owned(),
            ..Queue::default()
        })
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &String> {
        self.set_up.keys()
    }

    /// How many more the rate of the queue lets run now, and when the next one.
    pub(super) fn room(&mut self, queue: &Queue, now: Timestamp) -> (usize, Timestamp) {
        let Some(rate) = queue.rate else {
            return (usize::MAX, now);
        };
        let starts = self.starts.entry(queue.name.clone()).or_default();
        // Those in the future are from before the clock was set back.
        starts.retain(|at| *at <= now && at.after(rate.per) > now);
        let room = (rate.starts.max(1) as usize).saturating_sub(starts.len());
        (room, starts.front().unwrap_or(&now).after(rate.per))
    }

    pub(super) fn note_start(&mut self, queue: &Queue, now: Timestamp) {
        if queue.rate.is_some() {
            let starts = self.starts.entry(queue.name.clone()).or_default();
            starts.push_back(now);
        }
    }
}
