//! Store in memory, which is also the reference implementation of the store traits.

mod admin;
mod admission;
mod claims;
mod entries;
mod entry;
mod executions;
mod queues;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use entry::{Entry, Holder};
use executions::Executions;

use super::{
    Ack, AdminStore, Batch, CallbackId, CallbackStore, Capabilities, Change, CheckpointStore,
    ClaimRequest, Claimed, Durability, Execution, ExecutionStore, Fence, Filter, Firing, Lease,
    Message, MessageStore, NewExecution, NewMessage, Page, Queue, QueueState, QueueStore,
    ScheduleEntry, ScheduleStore, Started, StoreError, StoreErrorKind, WorkStore, WorkerFilter,
    unsupported,
};
use crate::model::record::{Completion, Record};
use crate::{BoxFuture, Clock, ExecutionId, SystemClock, Timestamp};

/// Store in memory, for tests and for work that may be lost with the process.
///
/// Clones share their data, but each clone acts as a separate process: when a clone is dropped, its leases end as if
/// its process had been killed. The next claim is then granted at once, with
/// [`was_interrupted`](Lease::was_interrupted) set.
///
/// ```
/// use durable_core::store::{CheckpointStore, Durability, MemoryStore};
///
/// let store = MemoryStore::new();
/// assert_eq!(store.capabilities().durability, Durability::Memory);
/// ```
pub struct MemoryStore {
    shared: Arc<Shared>,
    holder: Arc<Holder>,
}

struct Shared {
    capabilities: Capabilities,
    clock: Arc<dyn Clock>,
    executions: Mutex<Executions>,
}

impl MemoryStore {
    /// Creates an empty store.
    pub fn new() -> Self {
        Self::build(
            Capabilities::unlimited(Durability::Memory)
                .with_messages()
                .with_ordered_fences(),
            Arc::new(SystemClock),
        )
    }

    /// Creates an empty store with other limits, to test what happens when they are reached.
    pub fn with_capabilities(capabilities: Capabilities) -> Self {
        Self::build(capabilities, Arc::new(SystemClock))
    }

    /// Creates an empty store that takes the time of changes from `clock`.
    pub fn with_clock(clock: Arc<dyn Clock>) -> Self {
        Self::build(
            Capabilities::unlimited(Durability::Memory)
                .with_messages()
                .with_ordered_fences(),
            clock,
        )
    }

    fn build(capabilities: Capabilities, clock: Arc<dyn Clock>) -> Self {
        Self {
            shared: Arc::new(Shared {
                capabilities,
                clock,
                executions: Mutex::default(),
            }),
            holder: Arc::new(Holder),
        }
    }

    fn executions(&self) -> MutexGuard<'_, Executions> {
        // Ignoring the poison is sound: no code that can panic runs between changes that belong together.
        self.shared
            .executions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn with_entry<T>(
        &self,
        id: &ExecutionId,
        work: impl FnOnce(&mut Entry) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        work(self.executions().entry(id)?)
    }
}

impl Clone for MemoryStore {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            holder: Arc::new(Holder),
        }
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let executions = self.executions().entries.len();
        write!(f, "MemoryStore({executions} executions)")
    }
}

impl CheckpointStore for MemoryStore {
    fn load<'a>(&'a self, fence: &'a Fence, after: u64) -> BoxFuture<'a, Result<Page, StoreError>> {
        Box::pin(async move {
            self.with_entry(&fence.execution, |entry| {
                let beyond = (std::ops::Bound::Excluded(after), std::ops::Bound::Unbounded);
                let records = entry
                    .records
                    .range(beyond)
                    .map(|(_, record)| record.clone());
                Ok(Page {
                    records: records.collect(),
                    next: None,
                })
            })
        })
    }

    fn checkpoint<'a>(
        &'a self,
        fence: &'a Fence,
        batch: Arc<Batch>,
    ) -> BoxFuture<'a, Result<Ack, StoreError>> {
        Box::pin(async move {
            self.shared.capabilities.admit(&batch)?;
            let now = self.shared.clock.now();
            let mut executions = self.executions();
            let entry = executions.entry(&fence.execution)?;
            let ack = entry.checkpoint(fence, &batch, now)?;
            executions.apply_effects(&fence.execution, &batch, now);
            Ok(ack)
        })
    }

    fn capabilities(&self) -> Capabilities {
        self.shared.capabilities
    }
}

impl ExecutionStore for MemoryStore {
    fn start(&self, new: NewExecution) -> BoxFuture<'_, Result<Started, StoreError>> {
        Box::pin(async move {
            self.shared.capabilities.admit_input(&new.input)?;
            Ok(self.executions().start(new))
        })
    }

    fn claim<'a>(
        &'a self,
        id: &'a ExecutionId,
        now: Timestamp,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<Lease, StoreError>> {
        Box::pin(
            async move { self.with_entry(id, |entry| entry.claim(&self.holder, now, ttl, None)) },
        )
    }

    fn renew<'a>(
        &'a self,
        fence: &'a Fence,
        now: Timestamp,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(
            async move { self.with_entry(&fence.execution, |entry| entry.renew(fence, now, ttl)) },
        )
    }

    fn get<'a>(&'a self, id: &'a ExecutionId) -> BoxFuture<'a, Result<Execution, StoreError>> {
        Box::pin(async move { self.with_entry(id, |entry| Ok(entry.execution.clone())) })
    }

    fn cancel<'a>(
        &'a self,
        id: &'a ExecutionId,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move { self.executions().cancel(id, now) })
    }

    fn changed<'a>(
        &'a self,
        id: &'a ExecutionId,
        seen: u64,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            loop {
                let notifier = self.with_entry(id, |entry| Ok(Arc::clone(&entry.notifier)))?;
                let mut notified = std::pin::pin!(notifier.notified());
                // Subscribes before the counter is read, so that no change is missed in between.
                notified.as_mut().enable();
                let has_changed = |entry: &mut Entry| {
                    let execution = &entry.execution;
                    Ok(execution.changes > seen || execution.status.is_settled())
                };
                if self.with_entry(id, has_changed)? {
                    return Ok(());
                }
                notified.await;
            }
        })
    }
}

impl WorkStore for MemoryStore {
    fn claim_due<'a>(
        &'a self,
        filter: &'a WorkerFilter,
        request: ClaimRequest,
    ) -> BoxFuture<'a, Result<Claimed, StoreError>> {
        Box::pin(async move { Ok(self.executions().claim_due(&self.holder, filter, request)) })
    }

    fn ready(&self, seen: u64) -> BoxFuture<'_, Result<u64, StoreError>> {
        let mut due = self.executions().due.subscribe();
        Box::pin(async move {
            // Answers count from one, so that `seen == 0` returns at once. The sender lives as long as this store, so
            // waiting cannot fail.
            let due = due.wait_for(|count| count + 1 != seen).await;
            Ok(due.map_or(seen, |count| *count + 1))
        })
    }
}

impl CallbackStore for MemoryStore {
    fn complete<'a>(
        &'a self,
        callback: &'a CallbackId,
        outcome: Completion,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            self.shared.capabilities.admit_completion(&outcome)?;
            self.executions().complete(callback, &outcome, now)
        })
    }

    fn heartbeat<'a>(
        &'a self,
        callback: &'a CallbackId,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move { self.executions().heartbeat(callback, now) })
    }
}

impl MessageStore for MemoryStore {
    fn send<'a>(
        &'a self,
        to: &'a ExecutionId,
        message: NewMessage,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            if !self.shared.capabilities.messages {
                return unsupported("messages").await;
            }
            self.shared.capabilities.admit_input(&message.payload)?;
            let mut executions = self.executions();
            if executions.entry(to)?.send(message, now)? {
                executions.notify_workers();
            }
            Ok(())
        })
    }

    fn start_with_message(
        &self,
        new: NewExecution,
        message: NewMessage,
    ) -> BoxFuture<'_, Result<Started, StoreError>> {
        Box::pin(async move {
            let capabilities = &self.shared.capabilities;
            if !capabilities.messages {
                return unsupported("messages").await;
            }
            capabilities.admit_input(&new.input)?;
            capabilities.admit_input(&message.payload)?;
            self.executions().start_with_message(new, message)
        })
    }

    fn messages<'a>(
        &'a self,
        id: &'a ExecutionId,
    ) -> BoxFuture<'a, Result<Vec<Message>, StoreError>> {
        Box::pin(async move { self.with_entry(id, |entry| Ok(entry.messages.clone())) })
    }
}

impl AdminStore for MemoryStore {
    fn list(&self, filter: Filter) -> BoxFuture<'_, Result<Vec<Execution>, StoreError>> {
        Box::pin(async move {
            let executions = self.executions();
            let matching = executions
                .entries
                .values()
                .map(|entry| &entry.execution)
                .filter(|execution| filter.matches(execution));
            let mut found: Vec<_> = matching.cloned().collect();
            filter.sort(&mut found);
            found.truncate(filter.page_size());
            Ok(found)
        })
    }

    fn history<'a>(
        &'a self,
        id: &'a ExecutionId,
    ) -> BoxFuture<'a, Result<Vec<Record>, StoreError>> {
        Box::pin(async move {
            self.with_entry(id, |entry| Ok(entry.records.values().cloned().collect()))
        })
    }

    fn fork(
        &self,
        new: NewExecution,
        records: Vec<Record>,
    ) -> BoxFuture<'_, Result<Started, StoreError>> {
        Box::pin(async move {
            self.shared.capabilities.admit_input(&new.input)?;
            Ok(self.executions().fork(new, records))
        })
    }

    fn change<'a>(
        &'a self,
        id: &'a ExecutionId,
        change: Change,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move { self.executions().change(id, &change, now) })
    }
}

impl QueueStore for MemoryStore {
    fn queues(&self) -> BoxFuture<'_, Result<Vec<QueueState>, StoreError>> {
        Box::pin(async move { Ok(self.executions().queue_states()) })
    }

    fn put_queue(&self, queue: Queue) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let mut executions = self.executions();
            executions.queues.put(queue);
            executions.notify_workers();
            Ok(())
        })
    }

    fn remove_queue<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let mut executions = self.executions();
            executions.queues.remove(name)?;
            executions.notify_workers();
            Ok(())
        })
    }
}

impl ScheduleStore for MemoryStore {
    fn schedules(
        &self,
        due_by: Option<Timestamp>,
    ) -> BoxFuture<'_, Result<Vec<ScheduleEntry>, StoreError>> {
        Box::pin(async move {
            let executions = self.executions();
            let fires = |entry: &&ScheduleEntry| {
                due_by.is_none_or(|by| !entry.paused && entry.next_at.is_some_and(|at| at <= by))
            };
            let schedules = executions.schedules.values().filter(fires);
            Ok(schedules.cloned().collect())
        })
    }

    fn put_schedule(&self, schedule: ScheduleEntry) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            self.shared.capabilities.admit_input(&schedule.input)?;
            self.executions().put_schedule(schedule);
            Ok(())
        })
    }

    fn remove_schedule<'a>(
        &'a self,
        name: &'a ExecutionId,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let removed = self.executions().schedules.remove(name);
            removed.map(drop).ok_or_else(|| {
                let message = format!("no schedule `{name}` in the memory store");
                StoreError::new(StoreErrorKind::NotFound, message)
            })
        })
    }

    fn fire(&self, firing: Firing) -> BoxFuture<'_, Result<bool, StoreError>> {
        Box::pin(async move { Ok(self.executions().fire(firing)) })
    }
}

#[cfg(test)]
mod tests;
