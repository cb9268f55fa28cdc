//! The service as a checkpoint store: records become updates, answers become news.

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

use crate::client::{CallError, Class, Client};
use crate::clock::ServiceClock;
use crate::wire::{
    self, Acknowledged, Checkpoint, Known, Operation, Output, Update, Updates, record_of,
};

/// Most updates, and most bytes of them, in one call.
const MOST_UPDATES: usize = 200;
const MOST_BYTES: usize = 750 * 1024;
/// How often a call is repeated that failed for a passing reason.
const ATTEMPTS: u32 = 10;
const FIRST_DELAY: Duration = Duration::from_millis(100);
const LONGEST_DELAY: Duration = Duration::from_secs(5);
/// What is left of an invocation for its answer when repeating calls ends.
const FOR_THE_ANSWER: Duration = Duration::from_millis(500);

/// What the service takes of one execution.
pub(crate) fn capabilities(max_operations: u64) -> Capabilities {
    let mut limits = Capabilities::roomy(Durability::Power);
    limits.max_value = 256 * 1024 - 128;
    limits.max_output = 6 * 1024 * 1024;
    limits.max_batch = MOST_BYTES;
    limits.max_operations = Some(max_operations);
    limits.max_error = 16 * 1024;
    limits.max_input = 1024 * 1024;
    limits.max_written = Some(100_000_000);
    limits.max_timer = Some(Duration::from_secs(31_622_400));
    limits.orchestrates = true;
    limits.keeps_text = true;
    limits.keeps_children = false;
    limits.tenants = true;
    limits
}

/// Why an invocation's store gives up, whatever the handler makes of it.
#[derive(Debug, Clone)]
pub(crate) enum Verdict {
    /// The service takes no more from this invocation; what was sent is kept.
    Withheld,
    /// The invocation fails, and is begun again.
    Invocation(String),
    /// The execution fails.
    Execution(String),
}

/// What calls have to be over by, and what is not the invocation's own.
pub(crate) struct Surroundings {
    pub(crate) client: Arc<Client>,
    pub(crate) arn: String,
    pub(crate) ends_at: Timestamp,
    pub(crate) limits: Capabilities,
    /// What functions handlers are, by their names.
    pub(crate) functions: Arc<HashMap<String, String>>,
}

/// The checkpoints of one execution, for one invocation.
pub(crate) struct LambdaStore {
    around: Surroundings,
    state: Mutex<State>,
}

struct State {
    token: String,
    clock: ServiceClock,
    known: HashMap<OperationId, Known>,
    /// The history, until it is loaded.
    records: Vec<Record>,
    verdict: Option<Verdict>,
}

impl LambdaStore {
    /// The store of an execution with this history.
    pub(crate) fn new(around: Surroundings, token: String) -> Self {
        Self {
            around,
            state: Mutex::new(State {
                token,
                clock: ServiceClock::default(),
                known: HashMap::new(),
                records: Vec::new(),
                verdict: None,
            }),
        }
    }

    /// Takes over the history that the invocation began with, which goes by this clock.
    pub(crate) fn take_over(
        &self,
        operations: Vec<Operation>,
        clock: ServiceClock,
    ) -> Result<(), StoreError> {
        let mut state = self.lock();
        state.clock = clock;
        let now = clock.now();
        state.records.reserve(operations.len());
        for (at, operation) in operations.into_iter().enumerate() {
            let known = Known::of(&operation);
            let record = record_of(operation, at as u64 + 1, now)?;
            state.known.insert(record.id, known);
            state.records.push(record);
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why the store gave up, if it did.
    pub(crate) fn verdict(&self) -> Option<Verdict> {
        self.lock().verdict.clone()
    }

    /// Whether the service begins another invocation some day.
    pub(crate) fn is_awaited(&self) -> bool {
        self.lock().known.values().any(Known::is_awaited)
    }

    /// Whether the body of a step was cut off by the end of the invocation before.
    pub(crate) fn was_cut_off(&self) -> bool {
        let known = &self.lock().known;
        known.values().any(|one| one.is_cut_off(known))
    }

    /// The operation that stands for the execution that goes on in this one's place.
    pub(crate) fn continuation(&self) -> Option<Record> {
        let id = continuation();
        let state = self.lock();
        let last = state.records.iter().rev().find(|record| record.id == id);
        last.cloned()
    }

    async fn write(&self, batch: &Batch) -> Result<Ack, StoreError> {
        let (updates, asks) = self.updates(batch);
        let mut ack = Ack::default();
        if updates.is_empty() && asks {
            self.send(&[], &mut ack).await?;
        }
        let mut rest = &updates[..];
        while !rest.is_empty() {
            let mut bytes = 0;
            let fits = rest.iter().take(MOST_UPDATES).take_while(|update| {
                bytes += update.size();
                bytes <= MOST_BYTES
            });
            let (now, later) = rest.split_at(fits.count().max(1));
            self.send(now, &mut ack).await?;
            rest = later;
        }
        Ok(ack)
    }

    /// The updates that a batch comes to, and whether it is to be sent even without any.
    fn updates(&self, batch: &Batch) -> (Vec<Update>, bool) {
        let mut state = self.lock();
        let children = batch.children.iter();
        let children = children.filter_map(|child| Some((child.parent.as_ref()?.operation, child)));
        let now = state.clock.now();
        let mut updates = Updates {
            known: &mut state.known,
            now,
            children: children.collect(),
            functions: &self.around.functions,
            list: Vec::new(),
        };
        batch.records.iter().for_each(|record| updates.add(record));
        if let Some(ExecutionUpdate::Continue { next }) = &batch.execution {
            let (record, next) = self.go_on(next, updates.now);
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
            list = wire::without_idle_starts(list);
        }
        if let Some(ExecutionUpdate::Succeed { output }) = &batch.execution
            && !Output::holds(&output.data)
        {
            let id = self.around.arn.rsplit('/').next().unwrap_or_default();
            list.push(Update::end(id, wire::to_text(&output.data)));
        }
        let asks = batch.records.is_empty() && batch.execution.is_none();
        (list, asks)
    }

    /// The operation that runs the next execution of a chain: this very function, with another input.
    fn go_on(&self, next: &NewExecution, now: Timestamp) -> (Record, NewExecution) {
        let record = Record::started(
            0,
            continuation(),
            OperationId::ROOT,
            Kind::Invoke,
            "#continue",
            Occurrence::Once,
            now,
        );
        let function = self.around.arn.split("/durable-execution/").next();
        let mut next = next.clone();
        next.handler = function.unwrap_or_default().to_owned();
        (record, next)
    }

    /// One call; the same client token makes its repetitions harmless.
    async fn send(&self, updates: &[Update], ack: &mut Ack) -> Result<(), StoreError> {
        let token = self.lock().token.clone();
        let client_token = format!("{:032x}", fastrand::u128(..));
        let body = Checkpoint {
            checkpoint_token: &token,
            client_token: &client_token,
            updates,
        };
        let arn = &self.around.arn;
        let answer = self
            .repeat(|| self.around.client.checkpoint(arn, &body))
            .await;
        match answer {
            Ok(answer) => self.acknowledged(answer, updates, ack).await,
            Err(error) => {
                if error.class() == Class::Final {
                    self.leave_a_word(updates, &token, &error).await;
                }
                Err(self.give_up(&error))
            }
        }
    }

    /// An outcome was refused for good: a small failure of its operation shows where.
    async fn leave_a_word(&self, updates: &[Update], token: &str, error: &CallError) {
        let refused = updates.iter().find_map(|update| update.refused(error));
        let Some(refused) = refused.filter(|_| error.status.is_some_and(|is| is.as_u16() == 400))
        else {
            return;
        };
        let mut list: Vec<Update> = updates.to_vec();
        list.retain(|update| update.comes_before(&refused));
        list.push(refused);
        let body = Checkpoint {
            checkpoint_token: token,
            client_token: &format!("{:032x}", fastrand::u128(..)),
            updates: &list,
        };
        // The execution fails whether this arrives or not.
        let _ = self.around.client.checkpoint(&self.around.arn, &body).await;
    }

    async fn acknowledged(
        &self,
        answer: Acknowledged,
        updates: &[Update],
        ack: &mut Ack,
    ) -> Result<(), StoreError> {
        let token = answer.checkpoint_token.filter(|token| !token.is_empty());
        let closed = updates.last().is_some_and(Update::is_end);
        let Some(token) = token else {
            if closed {
                return Ok(());
            }
            self.lock().verdict = Some(Verdict::Withheld);
            return Err(StoreError::new(
                StoreErrorKind::FenceLost,
                "the service takes no more checkpoints from this invocation, because the execution is paused or over",
            ));
        };
        self.lock().token.clone_from(&token);
        let mut page = answer.new_execution_state;
        loop {
            let marker = page.marker().map(str::to_owned);
            self.merge(page.operations, ack)?;
            let Some(marker) = marker else {
                return Ok(());
            };
            page = self.page(&token, &marker).await?;
        }
    }

    /// The page of operations behind `marker`.
    pub(crate) async fn page(&self, token: &str, marker: &str) -> Result<wire::State, StoreError> {
        let (client, arn) = (&self.around.client, &self.around.arn);
        let page = self.repeat(|| client.state(arn, token, marker)).await;
        page.map_err(|error| self.give_up(&error))
    }

    /// Takes over what has changed; what only the service can tell is news.
    fn merge(&self, operations: Vec<Operation>, ack: &mut Ack) -> Result<(), StoreError> {
        let mut state = self.lock();
        let now = state.clock.now();
        for operation in operations {
            if operation.kind == wire::Type::Execution {
                continue;
            }
            let known = Known::of(&operation);
            let is_news = known.is_news();
            let record = record_of(operation, 0, now)?;
            state.known.insert(record.id, known);
            if record.id == continuation() {
                state.records.push(record.clone());
            }
            if is_news {
                ack.changed.push(record);
            }
        }
        Ok(())
    }

    /// Calls until there is an answer that stands, or until no time is left.
    async fn repeat<T, F>(&self, call: impl Fn() -> F) -> Result<T, CallError>
    where
        F: Future<Output = Result<T, CallError>>,
    {
        let mut delay = FIRST_DELAY;
        let mut attempt = 1;
        loop {
            let error = match call().await {
                Err(error) if error.class() == Class::Passing => error,
                settled => return settled,
            };
            let jittered = delay.mul_f64(0.5 + fastrand::f64() / 2.0);
            let pause = error.retry_after.unwrap_or(jittered);
            let over = SystemClock.now().after(pause + FOR_THE_ANSWER) > self.around.ends_at;
            if attempt >= ATTEMPTS || over {
                return Err(error);
            }
            tracing::warn!(%error, attempt, "a call to the durable API failed, trying again");
            tokio::time::sleep(pause).await;
            delay = (delay * 2).min(LONGEST_DELAY);
            attempt += 1;
        }
    }

    fn give_up(&self, error: &CallError) -> StoreError {
        let (verdict, kind) = match error.class() {
            Class::Stale => (
                Verdict::Invocation(format!(
                    "another invocation has taken the execution over: {error}"
                )),
                StoreErrorKind::FenceLost,
            ),
            // Not `Unavailable`: it was repeated here for as long as there was time.
            Class::Passing => (
                Verdict::Invocation(format!("the durable API cannot be reached: {error}")),
                StoreErrorKind::Conflict,
            ),
            Class::Final => (
                Verdict::Execution(format!("the durable API refused a call for good: {error}")),
                StoreErrorKind::Conflict,
            ),
        };
        let mut state = self.lock();
        state.verdict.get_or_insert(verdict);
        StoreError::new(kind, error.to_string())
    }
}

/// Identity of the operation that stands for the next execution of a chain.
fn continuation() -> OperationId {
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
        self.around.limits
    }
}
