//! The store of one process of a test: passes boundaries, and answers for other executions.

use crate::store::forward_store;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::boundaries::{Boundaries, Boundary};
use super::history::path_in;
use super::script::Script;
use crate::model::record::{Completion, Record};
use crate::store::{
    Ack, AdminStore, Batch, CallbackStore, Capabilities, CheckpointStore, ExecutionStore,
    ExecutionUpdate, Fence, MemoryStore, NewExecution, Page, QueueStore, ScheduleStore, StoreError,
    WorkStore,
};
use crate::{BoxFuture, ExecutionId, OperationId};

/// A handle on the store of a test: dropped, its leases are those of a dead process.
pub(super) struct Process {
    store: MemoryStore,
    boundaries: Arc<Boundaries>,
    script: Arc<Script>,
    /// Where the operations stand, as far as this process has written or read them.
    paths: Mutex<HashMap<(ExecutionId, OperationId), String>>,
}

impl Process {
    pub(super) fn new(
        store: MemoryStore,
        boundaries: Arc<Boundaries>,
        script: Arc<Script>,
    ) -> Arc<Self> {
        Arc::new(Self {
            store,
            boundaries,
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
            self.boundaries
                .note_write((execution.clone(), record.id), path);
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
            self.boundaries.pass(before).await;
            let mut ack = self.store.checkpoint(fence, Arc::clone(&batch)).await?;
            if self.script.has_children() && self.answer_children(&batch).await? {
                // The same batch again changes nothing, and hears of what has ended meanwhile.
                ack = self.store.checkpoint(fence, batch).await?;
            }
            self.boundaries.pass(Boundary::AfterCheckpoint(what)).await;
            Ok(ack)
        })
    }

    fn capabilities(&self) -> Capabilities {
        self.store.capabilities()
    }
}

impl ExecutionStore for Process {
    forward_store!(store: start, claim, renew, get, cancel, changed);
}

impl WorkStore for Process {
    forward_store!(store: claim_due, ready);
}

impl CallbackStore for Process {
    forward_store!(store: complete, heartbeat);
}

impl AdminStore for Process {
    forward_store!(store: list, counts, operation_counts, history, change);
}

impl QueueStore for Process {
    forward_store!(store: queues, put_queue, remove_queue);
}

impl ScheduleStore for Process {
    forward_store!(store: schedules, put_schedule, remove_schedule, fire);
}
