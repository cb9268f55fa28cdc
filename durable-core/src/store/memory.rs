//! The store that lives and dies with the process, and the reference for all others.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use super::{
    Ack, Batch, Capabilities, CheckpointStore, Durability, Execution, ExecutionStore, Fence,
    Filter, Lease, NewExecution, Page, Started, StoreError, StoreErrorKind,
};
use crate::record::Record;
use crate::{BoxFuture, Clock, ExecutionId, SystemClock, Timestamp};

/// Keeps everything in memory, for tests and for work that may be lost with the process.
///
/// Clones share what is stored. Each clone is a holder of its own: when the clone a lease was
/// claimed through is dropped, the lease ends as if its process had been killed, so that the next
/// claim is granted at once and says [`unclean`](Lease::unclean).
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
    executions: Mutex<BTreeMap<ExecutionId, Entry>>,
}

/// Lives as long as the handle that claims leases in its name.
struct Holder;

struct Entry {
    execution: Execution,
    records: BTreeMap<u64, Record>,
    /// Leases granted so far: the number of the newest one is its fence.
    leases: u64,
    lease: Option<Held>,
    /// The last batch under the newest fence, to recognise its repetition once the lease is gone.
    last_batch: Option<u64>,
}

struct Held {
    holder: Weak<Holder>,
    expires_at: Timestamp,
}

impl Held {
    fn is_alive(&self, now: Timestamp) -> bool {
        now < self.expires_at && self.holder.strong_count() > 0
    }
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::build(
            Capabilities::roomy(Durability::Memory),
            Arc::new(SystemClock),
        )
    }

    /// An empty store with other limits, to see what happens when they are reached.
    pub fn with_capabilities(capabilities: Capabilities) -> Self {
        Self::build(capabilities, Arc::new(SystemClock))
    }

    /// An empty store that dates its changes by `clock`.
    pub fn with_clock(clock: Arc<dyn Clock>) -> Self {
        Self::build(Capabilities::roomy(Durability::Memory), clock)
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

    fn executions(&self) -> MutexGuard<'_, BTreeMap<ExecutionId, Entry>> {
        // Nothing that can panic runs between two changes that belong together.
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
        match self.executions().get_mut(id) {
            Some(entry) => work(entry),
            None => Err(StoreError::new(
                StoreErrorKind::NotFound,
                format!("there is no execution `{id}` in memory"),
            )),
        }
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
        let executions = self.executions().len();
        write!(f, "MemoryStore({executions} executions)")
    }
}

impl Entry {
    fn token(&self) -> Arc<str> {
        self.leases.to_string().into()
    }

    fn is_current(&self, fence: &Fence) -> bool {
        fence.token == self.token()
    }

    fn claim(
        &mut self,
        holder: &Arc<Holder>,
        now: Timestamp,
        ttl: Duration,
    ) -> Result<Lease, StoreError> {
        let id = &self.execution.id;
        if self.execution.status.is_terminal() {
            let message = format!("execution `{id}` has {}", self.execution.status);
            return Err(StoreError::new(StoreErrorKind::Conflict, message));
        }
        if self.lease.as_ref().is_some_and(|lease| lease.is_alive(now)) {
            let message = format!("execution `{id}` is being run by another holder");
            return Err(StoreError::new(StoreErrorKind::Leased, message));
        }
        let unclean = self.lease.is_some();
        self.lease = Some(Held {
            holder: Arc::downgrade(holder),
            expires_at: now.after(ttl),
        });
        self.leases += 1;
        self.last_batch = None;
        self.execution.claimed(now);
        Ok(Lease {
            fence: Fence {
                execution: self.execution.id.clone(),
                token: self.token(),
            },
            execution: self.execution.clone(),
            unclean,
        })
    }

    fn renew(&mut self, fence: &Fence, now: Timestamp, ttl: Duration) -> Result<(), StoreError> {
        let current = self.is_current(fence);
        match &mut self.lease {
            Some(lease) if current => {
                lease.expires_at = now.after(ttl);
                Ok(())
            }
            _ => Err(fence_lost(fence)),
        }
    }

    fn checkpoint(
        &mut self,
        fence: &Fence,
        batch: &Batch,
        now: Timestamp,
    ) -> Result<Ack, StoreError> {
        if !self.is_current(fence) {
            return Err(fence_lost(fence));
        }
        if self.lease.is_none() {
            return match self.last_batch {
                Some(last) if last == batch.id => Ok(Ack::default()),
                _ => Err(fence_lost(fence)),
            };
        }
        for record in &batch.records {
            self.records.insert(record.seq, record.clone());
        }
        self.last_batch = Some(batch.id);
        if let Some(update) = &batch.execution {
            self.execution.apply(update, now);
            self.lease = None;
        }
        Ok(Ack::default())
    }
}

fn fence_lost(fence: &Fence) -> StoreError {
    StoreError::new(
        StoreErrorKind::FenceLost,
        format!(
            "the lease of execution `{}` was given up or taken over",
            fence.execution
        ),
    )
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
            self.with_entry(&fence.execution, |entry| {
                entry.checkpoint(fence, &batch, now)
            })
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
            let mut executions = self.executions();
            if let Some(entry) = executions.get(&new.id) {
                return Ok(Started::Existing(entry.execution.clone()));
            }
            let execution = Execution::queued(new);
            executions.insert(
                execution.id.clone(),
                Entry {
                    execution: execution.clone(),
                    records: BTreeMap::new(),
                    leases: 0,
                    lease: None,
                    last_batch: None,
                },
            );
            Ok(Started::Created(execution))
        })
    }

    fn claim<'a>(
        &'a self,
        id: &'a ExecutionId,
        now: Timestamp,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<Lease, StoreError>> {
        Box::pin(async move { self.with_entry(id, |entry| entry.claim(&self.holder, now, ttl)) })
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

    fn list(&self, filter: Filter) -> BoxFuture<'_, Result<Vec<Execution>, StoreError>> {
        Box::pin(async move {
            let executions = self.executions();
            let wanted = executions
                .values()
                .map(|entry| &entry.execution)
                .filter(|execution| {
                    filter
                        .after
                        .as_ref()
                        .is_none_or(|after| execution.id > *after)
                })
                .filter(|execution| {
                    filter.status.is_empty() || filter.status.contains(&execution.status)
                })
                .filter(|execution| {
                    filter
                        .handler
                        .as_ref()
                        .is_none_or(|name| execution.handler == *name)
                });
            Ok(wanted.take(filter.page()).cloned().collect())
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Payload;

    fn new(id: &str) -> NewExecution {
        NewExecution {
            id: id.parse().unwrap(),
            handler: "etl".to_owned(),
            input: Payload {
                codec: "json".into(),
                data: bytes::Bytes::from_static(b"null"),
            },
            created_at: Timestamp::default(),
        }
    }

    #[tokio::test]
    async fn a_lease_ends_with_the_handle_it_was_claimed_through() {
        let store = MemoryStore::new();
        store.start(new("a")).await.unwrap();
        let (id, hour) = ("a".parse().unwrap(), Duration::from_secs(3600));
        let doomed = store.clone();
        doomed.claim(&id, Timestamp::default(), hour).await.unwrap();
        let refused = store.claim(&id, Timestamp::default(), hour).await;
        assert_eq!(refused.unwrap_err().kind(), StoreErrorKind::Leased);
        drop(doomed);
        let lease = store.claim(&id, Timestamp::default(), hour).await.unwrap();
        assert!(lease.unclean);
    }
}
