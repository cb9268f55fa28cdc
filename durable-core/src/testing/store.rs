//! The store of one process of a test: passes boundaries, and answers for other executions.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::boundaries::{Boundary, Watch};
use super::history::path_in;
use super::script::Script;
use crate::model::record::{Completion, Record};
use crate::store::{
    Ack, Batch, CallbackId, Capabilities, Change, CheckpointStore, ClaimRequest, Claimed,
    Execution, ExecutionStore, ExecutionUpdate, Fence, Filter, Firing, Lease, MemoryStore,
    NewExecution, Page, Queue, QueueState, ScheduleEntry, Started, StoreError, WorkerFilter,
};
use crate::{BoxFuture, ExecutionId, OperationId, Timestamp};

/// A handle on the store of a test: dropped, its leases are those of a dead process.
pub(super) struct Process {
    store: MemoryStore,
    watch: Arc<Watch>,
    script: Arc<Script>,
    /// Where the operations stand, as far as this process has written or read them.
    paths: Mutex<HashMap<(ExecutionId, OperationId), String>>,
}

impl Process {
    pub(super) fn new(store: MemoryStore, watch: Arc<Watch>, script: Arc<Script>) -> Arc<Self> {
        Arc::new(Self {
            store,
            watch,
            script,
            paths: Mutex::default(),
        })
    }

    /// The path of each record, its scopes being known from earlier batches or from this one.
    fn learn(&self, execution: &ExecutionId, records: &[Record]) -> Vec<String> {
        let mut paths = self.paths.lock().unwrap_or_else(PoisonError::into_inner);
        let path = |record: &Record| {
            let parent = paths.get(&(execution.clone(), record.parent));
            let path = path_in(parent.map(String::as_str), record);
            paths.insert((execution.clone(), record.id), path.clone());
            path
        };
        records.iter().map(path).collect()
    }

    /// What the batch does, in words.
    fn describe(&self, execution: &ExecutionId, batch: &Batch) -> String {
        let paths = self.learn(execution, &batch.records);
        for (record, path) in batch.records.iter().zip(&paths) {
            self.watch.writes((execution.clone(), record.id), path);
        }
        let written = batch.records.iter().zip(paths);
        let mut parts: Vec<String> = written
            .map(|(record, path)| format!("`{path}` ({})", record.status))
            .collect();
        parts.extend(batch.execution.as_ref().map(|update| {
            let what = match update {
                ExecutionUpdate::Suspend { .. } => "is suspended",
                ExecutionUpdate::Succeed { .. } => "succeeds",
                ExecutionUpdate::Fail { .. } => "fails",
                ExecutionUpdate::Block { .. } => "is blocked",
                ExecutionUpdate::Cancel { .. } => "is cancelled",
                ExecutionUpdate::Continue { .. } => "goes on as another",
            };
            format!("the execution {what}")
        }));
        if parts.is_empty() {
            return "nothing, to hear of changes".to_owned();
        }
        parts.join(", ")
    }

    /// Runs the executions of the batch that the test answers for. Answers with whether there were
    /// any.
    async fn answer_children(&self, batch: &Batch) -> Result<bool, StoreError> {
        let mut answered = false;
        for child in &batch.children {
            let path = child.parent.as_ref().and_then(|parent| {
                let paths = self.paths.lock().unwrap_or_else(PoisonError::into_inner);
                let key = (parent.execution.clone(), parent.operation);
                paths.get(&key).cloned()
            });
            let path = path.unwrap_or_default();
            if let Some(outcome) = self.script.child(&path, &child.handler, &child.input) {
                self.end(child, outcome).await?;
                answered = true;
            }
        }
        Ok(answered)
    }

    async fn end(&self, child: &NewExecution, outcome: Completion) -> Result<(), StoreError> {
        let now = child.created_at;
        let lease = self.store.claim(&child.id, now, Duration::MAX).await?;
        let update = match outcome {
            Completion::Succeed(output) => ExecutionUpdate::Succeed { output },
            Completion::Fail(error) => ExecutionUpdate::Fail { error },
        };
        let batch = Batch {
            id: 1,
            execution: Some(update),
            ..Batch::default()
        };
        self.store.checkpoint(&lease.fence, Arc::new(batch)).await?;
        Ok(())
    }
}

impl CheckpointStore for Process {
    fn load<'a>(&'a self, fence: &'a Fence, after: u64) -> BoxFuture<'a, Result<Page, StoreError>> {
        Box::pin(async move {
            let page = self.store.load(fence, after).await?;
            self.learn(&fence.execution, &page.records);
            Ok(page)
        })
    }

    fn checkpoint<'a>(
        &'a self,
        fence: &'a Fence,
        batch: Arc<Batch>,
    ) -> BoxFuture<'a, Result<Ack, StoreError>> {
        Box::pin(async move {
            let what = self.describe(&fence.execution, &batch);
            let before = Boundary::BeforeCheckpoint(what.clone());
            self.watch.pass(before).await;
            let mut ack = self.store.checkpoint(fence, Arc::clone(&batch)).await?;
            if self.script.has_children() && self.answer_children(&batch).await? {
                // The same batch again changes nothing, and hears of what has ended meanwhile.
                ack = self.store.checkpoint(fence, batch).await?;
            }
            self.watch.pass(Boundary::AfterCheckpoint(what)).await;
            Ok(ack)
        })
    }

    fn capabilities(&self) -> Capabilities {
        self.store.capabilities()
    }
}

impl ExecutionStore for Process {
    fn start(&self, new: NewExecution) -> BoxFuture<'_, Result<Started, StoreError>> {
        self.store.start(new)
    }

    fn claim<'a>(
        &'a self,
        id: &'a ExecutionId,
        now: Timestamp,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<Lease, StoreError>> {
        self.store.claim(id, now, ttl)
    }

    fn renew<'a>(
        &'a self,
        fence: &'a Fence,
        now: Timestamp,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        self.store.renew(fence, now, ttl)
    }

    fn get<'a>(&'a self, id: &'a ExecutionId) -> BoxFuture<'a, Result<Execution, StoreError>> {
        self.store.get(id)
    }

    fn list(&self, filter: Filter) -> BoxFuture<'_, Result<Vec<Execution>, StoreError>> {
        self.store.list(filter)
    }

    fn complete<'a>(
        &'a self,
        callback: &'a CallbackId,
        outcome: Completion,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        self.store.complete(callback, outcome, now)
    }

    fn heartbeat<'a>(
        &'a self,
        callback: &'a CallbackId,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        self.store.heartbeat(callback, now)
    }

    fn cancel<'a>(
        &'a self,
        id: &'a ExecutionId,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        self.store.cancel(id, now)
    }

    fn changed<'a>(
        &'a self,
        id: &'a ExecutionId,
        seen: u64,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        self.store.changed(id, seen)
    }

    fn history<'a>(
        &'a self,
        id: &'a ExecutionId,
    ) -> BoxFuture<'a, Result<Vec<Record>, StoreError>> {
        self.store.history(id)
    }

    fn claim_due<'a>(
        &'a self,
        wanted: &'a WorkerFilter,
        how: ClaimRequest,
    ) -> BoxFuture<'a, Result<Claimed, StoreError>> {
        self.store.claim_due(wanted, how)
    }

    fn ready(&self, seen: u64) -> BoxFuture<'_, Result<u64, StoreError>> {
        self.store.ready(seen)
    }

    fn change<'a>(
        &'a self,
        id: &'a ExecutionId,
        change: Change,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        self.store.change(id, change, now)
    }

    fn queues(&self) -> BoxFuture<'_, Result<Vec<QueueState>, StoreError>> {
        self.store.queues()
    }

    fn put_queue(&self, queue: Queue) -> BoxFuture<'_, Result<(), StoreError>> {
        self.store.put_queue(queue)
    }

    fn remove_queue<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        self.store.remove_queue(name)
    }

    fn schedules(
        &self,
        due_by: Option<Timestamp>,
    ) -> BoxFuture<'_, Result<Vec<ScheduleEntry>, StoreError>> {
        self.store.schedules(due_by)
    }

    fn put_schedule(&self, schedule: ScheduleEntry) -> BoxFuture<'_, Result<(), StoreError>> {
        self.store.put_schedule(schedule)
    }

    fn remove_schedule<'a>(
        &'a self,
        name: &'a ExecutionId,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        self.store.remove_schedule(name)
    }

    fn fire(&self, firing: Firing) -> BoxFuture<'_, Result<bool, StoreError>> {
        self.store.fire(firing)
    }
}
