//! Store, clock and client shared by the executions of a test.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;

use super::clock::{ExternalEvents, TestClock};
use super::history::{History, path_in};
use super::script::Script;
use crate::model::payload::Payload;
use crate::model::record::{Completion, Kind, Record, Status};
use crate::run::RunError;
use crate::runtime::handler::Durable;
use crate::runtime::handler::HandlerInput;
use crate::store::{
    AdminStore, CallbackStore, Execution, ExecutionStatus, ExecutionStore as _, Filter,
    MemoryStore, MessageStore as _, NewExecution, NewMessage, StoreError,
};
use crate::{Client, Clock as _, ExecutionId, OperationId, Timestamp};

/// Environment of a test: a store in memory, a clock that skips ahead, and a client with which the test acts as
/// external systems and operators.
#[derive(Clone, Debug)]
pub struct World {
    store: MemoryStore,
    clock: TestClock,
}

impl World {
    pub(super) fn new() -> Self {
        let clock = TestClock::new();
        let store = MemoryStore::with_clock(clock.for_engine());
        Self { store, clock }
    }

    /// Returns a client of the store, to complete callbacks and to cancel executions.
    pub fn client(&self) -> Client {
        Client::new(self.store.clone()).clock(self.clock.for_engine())
    }

    /// The clock that the store, the client and the executions use.
    pub fn clock(&self) -> TestClock {
        self.clock.clone()
    }

    /// The store.
    pub fn store(&self) -> MemoryStore {
        self.store.clone()
    }

    /// Starts an execution unless it exists.
    pub(super) async fn start<H: Durable>(
        &self,
        id: &ExecutionId,
        input: &H::Input,
    ) -> Result<(), RunError> {
        let encoded = input.to_json().map_err(|error| {
            let handler = H::NAME;
            RunError::Codec(format!(
                "the input of `{handler}` cannot be encoded: {error}"
            ))
        })?;
        let new = NewExecution::new(
            id.clone(),
            H::NAME,
            Payload::json(encoded),
            self.clock.now(),
        );
        let new = new.with_input_type(std::any::type_name::<H::Input>());
        self.store.start(new).await?;
        Ok(())
    }

    /// The histories of all executions, in the order of their ids.
    pub(super) async fn histories(&self) -> Result<Vec<History>, StoreError> {
        let mut histories = Vec::new();
        for execution in self.executions().await? {
            let records = self.store.history(&execution.id).await?;
            histories.push(History::new(execution, records));
        }
        Ok(histories)
    }

    /// The history of this execution. Empty if it was never started.
    pub(super) async fn history(&self, id: &ExecutionId) -> History {
        let records = self.store.history(id).await.unwrap_or_default();
        let execution = self.store.get(id).await;
        History::new(execution.unwrap_or_else(|_| never_started(id)), records)
    }

    async fn executions(&self) -> Result<Vec<Execution>, StoreError> {
        let mut executions: Vec<Execution> = Vec::new();
        loop {
            let filter = Filter {
                after: executions.last().map(|last| last.id.clone()),
                ..Filter::default()
            };
            let page = self.store.list(filter).await?;
            if page.is_empty() {
                return Ok(executions);
            }
            executions.extend(page);
        }
    }
}

fn never_started(id: &ExecutionId) -> Execution {
    Execution::queued(NewExecution::new(
        id.clone(),
        "",
        Payload::json("null"),
        Timestamp::default(),
    ))
}

/// Completes callbacks with the answers of a script.
pub(super) struct Answers {
    /// The execution under test, which messages are sent to.
    pub(super) id: ExecutionId,
    pub(super) world: World,
    pub(super) script: Arc<Script>,
}

impl ExternalEvents for Answers {
    fn deliver_due(&self, now: Timestamp) -> Result<(), Option<Timestamp>> {
        if !self.script.has_external_events() {
            return Err(None);
        }
        // The store is in memory, so its futures never wait.
        let answered = self.answer(now).now_or_never();
        answered.and_then(Result::ok).unwrap_or(Err(None))
    }
}

impl Answers {
    async fn answer(&self, now: Timestamp) -> Result<Result<(), Option<Timestamp>>, StoreError> {
        let (mut next, mut acted) = (None, false);
        for execution in self.world.executions().await? {
            if execution.status.is_terminal() || execution.status == ExecutionStatus::Queued {
                continue;
            }
            let records = self.world.store.history(&execution.id).await?;
            for (due, callback, outcome) in self.due(&records) {
                if due > now {
                    next = Some(next.map_or(due, |next: Timestamp| next.min(due)));
                } else if let Ok(id) = callback.parse() {
                    let outcome = outcome.clone();
                    acted |= self.world.store.complete(&id, outcome, now).await.is_ok();
                }
            }
        }
        let (sent, due) = self.send_due(now).await?;
        acted |= sent;
        let next = [next, due].into_iter().flatten().min();
        Ok(if acted { Ok(()) } else { Err(next) })
    }

    /// Sends the messages that are due. Returns whether there were any, and when the next one is due.
    async fn send_due(&self, now: Timestamp) -> Result<(bool, Option<Timestamp>), StoreError> {
        let (mut next, mut acted) = (None, false);
        if self.script.messages().is_empty() {
            return Ok((acted, next));
        }
        let store = &self.world.store;
        let mut execution = store.get(&self.id).await?;
        let begun = execution.created_at;
        while let Some(id) = &execution.next {
            execution = store.get(id).await?;
        }
        let sent = store.messages(&execution.id).await?;
        for (number, (name, after, payload)) in self.script.messages().iter().enumerate() {
            let (due, id) = (begun.after(*after), format!("message-{number}"));
            if execution.status.is_terminal() || sent.iter().any(|message| message.id == id) {
                continue;
            }
            if due > now {
                next = Some(next.map_or(due, |next: Timestamp| next.min(due)));
                continue;
            }
            let message = NewMessage::new(id, name, payload.clone())?;
            store.send(&execution.id, message, now).await?;
            acted = true;
        }
        Ok((acted, next))
    }

    /// The open callbacks that the script answers: due time, handle and outcome.
    fn due<'a>(&'a self, records: &'a [Record]) -> Vec<(Timestamp, &'a str, &'a Completion)> {
        let waiting = records
            .iter()
            .filter(|record| record.kind == Kind::Callback && record.status == Status::Started);
        waiting
            .filter_map(|record| {
                let (after, outcome) = self.answer_to(records, record)?;
                let due = record.started_at.after(after);
                Some((due, record.handle.as_deref()?, outcome))
            })
            .collect()
    }
}

impl Answers {
    /// Returns the answer to a callback. A callback with `submit` is also found by the name of its scope.
    fn answer_to(&self, records: &[Record], record: &Record) -> Option<(Duration, &Completion)> {
        self.script.answer(&path_of(records, record)).or_else(|| {
            let scope = records.iter().find(|one| one.id == record.parent)?;
            let submitted = scope.kind == Kind::WaitForCallback;
            submitted.then(|| self.script.answer(&path_of(records, scope)))?
        })
    }
}

pub(super) fn path_of(records: &[Record], record: &Record) -> String {
    let parent = records.iter().find(|one| one.id == record.parent);
    let scope = parent
        .filter(|_| record.parent != OperationId::ROOT)
        .map(|parent| path_of(records, parent));
    path_in(scope.as_deref(), record)
}
