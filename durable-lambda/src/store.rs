//! Checkpoint store backed by the durable API: sends records as updates and returns the operations that the service
//! changed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use durable_core::store::{
    Ack, Batch, Capabilities, CheckpointStore, Durability, ExecutionUpdate, Fence, NewExecution,
    Page, StoreError, StoreErrorKind,
};
use durable_core::{
    BoxFuture, Clock as _, Kind, Occurrence, OperationId, Record, SystemClock, Timestamp,
};

use crate::client::{CallError, Client, ErrorClass};
use crate::clock::ServiceClock;
use crate::wire::{
    self, Checkpoint, CheckpointResponse, KnownOperation, Operation, Output, Update, UpdateBuilder,
    to_record,
};

/// Most updates in one call.
const MAX_UPDATES: usize = 200;
/// Most bytes of updates in one call.
const MAX_UPDATE_BYTES: usize = 750 * 1024;
/// Attempts of one call that fails with transient errors.
const MAX_ATTEMPTS: u32 = 10;
const FIRST_DELAY: Duration = Duration::from_millis(100);
const MAX_DELAY: Duration = Duration::from_secs(5);
/// Time before the invocation's deadline at which retries stop, to leave room for its response.
const RESPONSE_RESERVE: Duration = Duration::from_millis(500);

/// Limits of the service for one execution.
pub(crate) fn capabilities(max_operations: u64) -> Capabilities {
    let mut limits = Capabilities::unlimited(Durability::Power);
    limits.max_value = 256 * 1024 - 128;
    limits.max_output = 6 * 1024 * 1024;
    limits.max_batch = MAX_UPDATE_BYTES;
    limits.max_operations = Some(max_operations);
    limits.max_error = 16 * 1024;
    limits.max_input = 1024 * 1024;
    limits.max_total_bytes = Some(100_000_000);
    limits.max_timer = Some(Duration::from_secs(31_622_400));
    limits.service_driven = true;
    limits.text_only = true;
    limits.keeps_children = false;
    limits.tenants = true;
    limits
}

/// Reason why the store stopped writing. It decides the invocation's response, whatever the handler returns.
#[derive(Debug, Clone)]
pub(crate) enum StopReason {
    /// The service accepts no more checkpoints from this invocation. Checkpoints sent before are kept.
    TokenWithheld,
    /// The invocation fails with this message, and the service retries it.
    InvocationFailed(String),
    /// The execution fails with this message.
    ExecutionFailed(String),
}

/// Execution, connection and limits of a [`LambdaStore`].
pub(crate) struct StoreConfig {
    pub(crate) client: Arc<Client>,
    /// ARN of the execution.
    pub(crate) arn: String,
    /// Deadline of the invocation, by the system clock.
    pub(crate) deadline: Timestamp,
    pub(crate) limits: Capabilities,
    /// Function ARNs by handler name.
    pub(crate) functions: Arc<HashMap<String, String>>,
}

/// Checkpoint store of one execution during one invocation.
pub(crate) struct LambdaStore {
    config: StoreConfig,
    state: Mutex<State>,
}

struct State {
    /// Checkpoint token for the next call.
    token: String,
    clock: ServiceClock,
    known: HashMap<OperationId, KnownOperation>,
    /// The history, until it is loaded.
    records: Vec<Record>,
    stop_reason: Option<StopReason>,
}

impl LambdaStore {
    /// Creates a store without history.
    pub(crate) fn new(config: StoreConfig, token: String) -> Self {
        Self {
            config,
            state: Mutex::new(State {
                token,
                clock: ServiceClock::default(),
                known: HashMap::new(),
                records: Vec::new(),
                stop_reason: None,
            }),
        }
    }

    /// Sets the history that the invocation received, and the clock synchronized with it.
    pub(crate) fn set_history(
        &self,
        operations: Vec<Operation>,
        clock: ServiceClock,
    ) -> Result<(), StoreError> {
        let mut state = self.lock();
        state.clock = clock;
        let now = clock.now();
        state.records.reserve(operations.len());
        for (at, operation) in operations.into_iter().enumerate() {
            let known = KnownOperation::from(&operation);
            let record = to_record(operation, at as u64 + 1, now)?;
            state.known.insert(record.id, known);
            state.records.push(record);
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns why the store stopped writing, if it did.
    pub(crate) fn stop_reason(&self) -> Option<StopReason> {
        self.lock().stop_reason.clone()
    }

    /// Whether a pending operation will make the service invoke the function again.
    pub(crate) fn will_resume(&self) -> bool {
        self.lock().known.values().any(KnownOperation::will_resume)
    }

    /// Whether the end of the previous invocation interrupted a step body.
    pub(crate) fn has_interrupted_step(&self) -> bool {
        let known = &self.lock().known;
        known
            .values()
            .any(|operation| operation.is_interrupted(known))
    }

    /// Returns the record of the invoke that runs the next execution of a `continue_as!` chain.
    pub(crate) fn continuation(&self) -> Option<Record> {
        let id = continuation_id();
        let state = self.lock();
        let last = state.records.iter().rev().find(|record| record.id == id);
        last.cloned()
    }

    async fn write(&self, batch: &Batch) -> Result<Ack, StoreError> {
        let (updates, is_poll) = self.updates(batch);
        let mut ack = Ack::default();
        if updates.is_empty() && is_poll {
            self.send(&[], &mut ack).await?;
        }
        let mut rest = &updates[..];
        while !rest.is_empty() {
            let mut bytes = 0;
            let fits = rest.iter().take(MAX_UPDATES).take_while(|update| {
                bytes += update.size();
                bytes <= MAX_UPDATE_BYTES
            });
            let (now, later) = rest.split_at(fits.count().max(1));
            self.send(now, &mut ack).await?;
            rest = later;
        }
        Ok(ack)
    }

    /// Converts a batch to updates. The flag tells whether to call the service even without updates.
    fn updates(&self, batch: &Batch) -> (Vec<Update>, bool) {
        let mut state = self.lock();
        let children = batch.children.iter();
        let children = children.filter_map(|child| Some((child.parent.as_ref()?.operation, child)));
        let now = state.clock.now();
        let mut updates = UpdateBuilder {
            known: &mut state.known,
            now,
            children: children.collect(),
            functions: &self.config.functions,
            list: Vec::new(),
        };
        batch.records.iter().for_each(|record| updates.add(record));
        if let Some(ExecutionUpdate::Continue { next }) = &batch.execution {
            let (record, next) = self.continuation_invoke(next, updates.now);
            updates.children.insert(record.id, &next);
            updates.add(&record);
            return (updates.list, false);
        }
        let mut list = updates.list;
        if batch
            .execution
            .as_ref()
            .is_some_and(ExecutionUpdate::is_end)
        {
            list = wire::without_unneeded_starts(list);
        }
        if let Some(ExecutionUpdate::Succeed { output }) = &batch.execution
            && !Output::fits(&output.data)
        {
            let id = self.config.arn.rsplit('/').next().unwrap_or_default();
            list.push(Update::execution_result(id, wire::to_text(&output.data)));
        }
        let is_poll = batch.records.is_empty() && batch.execution.is_none();
        (list, is_poll)
    }

    /// Builds the invoke that runs the next execution of a chain: the same function with another input.
    fn continuation_invoke(&self, next: &NewExecution, now: Timestamp) -> (Record, NewExecution) {
        let record = Record::started(
            0,
            continuation_id(),
            OperationId::ROOT,
            Kind::Invoke,
            "#continue",
            Occurrence::Once,
            now,
        );
        let function = self.config.arn.split("/durable-execution/").next();
        let mut next = next.clone();
        next.handler = function.unwrap_or_default().to_owned();
        (record, next)
    }

    /// Makes one checkpoint call. Its retries share a client token, so that they have no further effect.
    async fn send(&self, updates: &[Update], ack: &mut Ack) -> Result<(), StoreError> {
        let token = self.lock().token.clone();
        let client_token = format!("{:032x}", fastrand::u128(..));
        let body = Checkpoint {
            checkpoint_token: &token,
            client_token: &client_token,
            updates,
        };
        let arn = &self.config.arn;
        let response = self
            .with_retries(|| self.config.client.checkpoint(arn, &body))
            .await;
        match response {
            Ok(response) => self.apply_response(response, updates, ack).await,
            Err(error) => {
                if error.class() == ErrorClass::Permanent {
                    self.record_rejection(updates, &token, &error).await;
                }
                Err(self.stop(&error))
            }
        }
    }

    /// Records a rejected outcome as a short failure of its operation, so that the history shows where it happened.
    async fn record_rejection(&self, updates: &[Update], token: &str, error: &CallError) {
        let failure = updates.iter().find_map(|update| update.to_failure(error));
        let Some(failure) =
            failure.filter(|_| error.status.is_some_and(|status| status.as_u16() == 400))
        else {
            return;
        };
        let mut list: Vec<Update> = updates.to_vec();
        list.retain(|update| update.is_required_by(&failure));
        list.push(failure);
        let body = Checkpoint {
            checkpoint_token: token,
            client_token: &format!("{:032x}", fastrand::u128(..)),
            updates: &list,
        };
        // The execution fails even if this call fails.
        let _ = self.config.client.checkpoint(&self.config.arn, &body).await;
    }

    async fn apply_response(
        &self,
        response: CheckpointResponse,
        updates: &[Update],
        ack: &mut Ack,
    ) -> Result<(), StoreError> {
        let token = response.checkpoint_token.filter(|token| !token.is_empty());
        let ends_execution = updates.last().is_some_and(Update::ends_execution);
        let Some(token) = token else {
            if ends_execution {
                return Ok(());
            }
            self.lock().stop_reason = Some(StopReason::TokenWithheld);
            return Err(StoreError::new(
                StoreErrorKind::FenceLost,
                "the service accepts no more checkpoints from this invocation: the execution is paused or has ended",
            ));
        };
        self.lock().token.clone_from(&token);
        let mut page = response.new_execution_state;
        loop {
            let marker = page.marker().map(str::to_owned);
            self.merge(page.operations, ack)?;
            let Some(marker) = marker else {
                return Ok(());
            };
            page = self.page(&token, &marker).await?;
        }
    }

    /// Fetches the page of operations that starts at `marker`.
    pub(crate) async fn page(
        &self,
        token: &str,
        marker: &str,
    ) -> Result<wire::OperationPage, StoreError> {
        let (client, arn) = (&self.config.client, &self.config.arn);
        let page = self.with_retries(|| client.state(arn, token, marker)).await;
        page.map_err(|error| self.stop(&error))
    }

    /// Stores the returned operations, and adds those that the service itself changes to `ack`.
    fn merge(&self, operations: Vec<Operation>, ack: &mut Ack) -> Result<(), StoreError> {
        let mut state = self.lock();
        let now = state.clock.now();
        for operation in operations {
            if operation.kind == wire::Type::Execution {
                continue;
            }
            let known = KnownOperation::from(&operation);
            let is_external = known.is_external();
            let record = to_record(operation, 0, now)?;
            state.known.insert(record.id, known);
            if record.id == continuation_id() {
                state.records.push(record.clone());
            }
            if is_external {
                ack.changed_records.push(record);
            }
        }
        Ok(())
    }

    /// Retries `call` while it fails with transient errors, attempts remain and the deadline allows.
    async fn with_retries<T, F>(&self, call: impl Fn() -> F) -> Result<T, CallError>
    where
        F: Future<Output = Result<T, CallError>>,
    {
        let mut delay = FIRST_DELAY;
        let mut attempt = 1;
        loop {
            let error = match call().await {
                Err(error) if error.class() == ErrorClass::Transient => error,
                settled => return settled,
            };
            let jittered = delay.mul_f64(0.5 + fastrand::f64() / 2.0);
            let pause = error.retry_after.unwrap_or(jittered);
            let too_late = SystemClock.now().after(pause + RESPONSE_RESERVE) > self.config.deadline;
            if attempt >= MAX_ATTEMPTS || too_late {
                return Err(error);
            }
            tracing::warn!(%error, attempt, "call to the durable API failed, retrying");
            tokio::time::sleep(pause).await;
            delay = (delay * 2).min(MAX_DELAY);
            attempt += 1;
        }
    }

    /// Records why the store stops, and returns the error for the engine.
    fn stop(&self, error: &CallError) -> StoreError {
        let (reason, kind) = match error.class() {
            ErrorClass::StaleToken => (
                StopReason::InvocationFailed(format!(
                    "another invocation has taken over the execution: {error}"
                )),
                StoreErrorKind::FenceLost,
            ),
            // Not `Unavailable`, which the engine would retry: the retries here have used up the time.
            ErrorClass::Transient => (
                StopReason::InvocationFailed(format!("the durable API is unavailable: {error}")),
                StoreErrorKind::Conflict,
            ),
            ErrorClass::Permanent => (
                StopReason::ExecutionFailed(format!("the durable API rejected a call: {error}")),
                StoreErrorKind::Conflict,
            ),
        };
        let mut state = self.lock();
        state.stop_reason.get_or_insert(reason);
        StoreError::new(kind, error.to_string())
    }
}

/// Id of the invoke that runs the next execution of a chain.
fn continuation_id() -> OperationId {
    OperationId::of(OperationId::ROOT, "#continue", &Occurrence::Once)
}

impl CheckpointStore for LambdaStore {
    fn load<'a>(&'a self, _: &'a Fence, _: u64) -> BoxFuture<'a, Result<Page, StoreError>> {
        let records = std::mem::take(&mut self.lock().records);
        Box::pin(std::future::ready(Ok(Page {
            records,
            next: None,
        })))
    }

    fn checkpoint<'a>(
        &'a self,
        _: &'a Fence,
        batch: Arc<Batch>,
    ) -> BoxFuture<'a, Result<Ack, StoreError>> {
        Box::pin(async move { self.write(&batch).await })
    }

    fn capabilities(&self) -> Capabilities {
        self.config.limits
    }
}
