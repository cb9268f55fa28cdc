//! Store of one simulated process: passes the durable boundaries and runs the scripted children.

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
    ExecutionUpdate, Fence, MemoryStore, MessageStore, NewExecution, Page, QueueStore,
    ScheduleStore, StoreError, WorkStore,
};
use crate::{BoxFuture, ExecutionId, OperationId};

/// Handle of a simulated process on the store of a test. When it is dropped, its leases end like those of a dead process.
pub(super) struct Process {
    store: MemoryStore,
    boundaries: Arc<Boundaries>,
    script: Arc<Script>,
    /// Paths of the operations that this process has written or read.
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

    /// Returns the path of each record. Its scope comes earlier in `records` or in a batch before.
    fn note_paths(&self, execution: &ExecutionId, records: &[Record]) -> Vec<String> {
        let mut paths = self.paths.lock().unwrap_or_else(PoisonError::into_inner);
        let path = |record: &Record| {
            let parent = paths.get(&(execution.clone(), record.parent));
            let path = path_in(parent.map(String::as_str), record);
            paths.insert((execution.clone(), record.id), path.clone());
            path
        };
        records.iter().map(path).collect()
    }

    /// Describes the batch for reports.
    fn describe(&self, execution: &ExecutionId, batch: &Batch) -> String {
        let paths = self.note_paths(execution, &batch.records);
        let written = batch.records.iter().zip(&paths);
        // Published values are no operations of the code.
        for (record, path) in written.filter(|(record, _)| record.published_name().is_none()) {
            self.boundaries
                .note_write((execution.clone(), record.id), path);
        }
        let written = batch.records.iter().zip(paths);
        let mut parts: Vec<String> = written
            .map(|(record, path)| match record.published_name() {
                Some(name) => format!("the published `{name}`"),
                None => format!("`{path}` ({})", record.status),
            })
            .collect();
        parts.extend(batch.execution.as_ref().map(|update| {
            let change = match update {
                ExecutionUpdate::Suspend { .. } => "is suspended",
                ExecutionUpdate::Succeed { .. } => "succeeds",
                ExecutionUpdate::Fail { .. } => "fails",
                ExecutionUpdate::Block { .. } => "is blocked",
                ExecutionUpdate::Cancel { .. } => "is cancelled",
                ExecutionUpdate::Continue { .. } => "continues as another",
            };
            format!("the execution {change}")
        }));
        if parts.is_empty() {
            return "nothing, to read external changes".to_owned();
        }
        parts.join(", ")
    }

    /// Ends the children in the batch for which the test has scripted an outcome. Returns whether there were any.
    async fn end_scripted_children(&self, batch: &Batch) -> Result<bool, StoreError> {
        let mut any = false;
        for child in &batch.children {
            let path = child.parent.as_ref().and_then(|parent| {
                let paths = self.paths.lock().unwrap_or_else(PoisonError::into_inner);
                let key = (parent.execution.clone(), parent.operation);
                paths.get(&key).cloned()
            });
            let path = path.unwrap_or_default();
            if let Some(outcome) = self.script.child(&path, &child.handler, &child.input) {
                self.end(child, outcome).await?;
                any = true;
            }
        }
        Ok(any)
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
            self.note_paths(&fence.execution, &page.records);
            Ok(page)
        })
    }

    fn checkpoint<'a>(
        &'a self,
        fence: &'a Fence,
        batch: Arc<Batch>,
    ) -> BoxFuture<'a, Result<Ack, StoreError>> {
        Box::pin(async move {
            let description = self.describe(&fence.execution, &batch);
            let before = Boundary::BeforeCheckpoint(description.clone());
            self.boundaries.pass(before).await;
            let mut ack = self.store.checkpoint(fence, Arc::clone(&batch)).await?;
            if self.script.has_children() && self.end_scripted_children(&batch).await? {
                // Repeating the batch changes nothing, but the answer contains the ends of the children.
                ack = self.store.checkpoint(fence, batch).await?;
            }
            self.boundaries
                .pass(Boundary::AfterCheckpoint(description))
                .await;
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
    forward_store!(store: list, counts, operation_counts, history, published, fork, change);
}

impl MessageStore for Process {
    forward_store!(store: send, start_with_message, messages);
}

impl QueueStore for Process {
    forward_store!(store: queues, put_queue, remove_queue);
}

impl ScheduleStore for Process {
    forward_store!(store: schedules, put_schedule, remove_schedule, fire);
}
