//! Messages to the execution, and the operations that receive them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::{Decision, Engine, OpIndex};
use crate::Timestamp;
use crate::model::error::{ErrorKind, OperationError};
use crate::model::record::{Kind, Status};
use crate::store::Message;

/// Messages that wait to be received, as far as the store has reported them.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    waiting: BTreeMap<u64, Message>,
    /// Highest number reported so far. `None` until the store has been asked for the first time.
    last: Option<u64>,
    /// Whether an operation waits for the first answer.
    requested: bool,
    /// Whether any operation of this invocation receives messages, so that every write asks for new ones.
    used: bool,
    /// Whether the batch that was sent asks for messages.
    asked: bool,
    /// Operations that wait for a message.
    receivers: BTreeSet<OpIndex>,
    /// Messages received in this invocation that the code has not seen. They wait again if their operation loses a race.
    taken: BTreeMap<OpIndex, Message>,
    /// Operations whose message the code has seen.
    read: BTreeSet<OpIndex>,
    /// What operations wait for, where they have options.
    options: BTreeMap<OpIndex, (Option<String>, Option<Duration>)>,
}

impl Engine {
    /// Returns whether the store has to be asked for messages before anything else can happen.
    pub(crate) fn requests_messages(&self) -> bool {
        self.inbox.requested
    }

    /// Returns what the next batch says in [`Batch::messages_after`](crate::store::Batch::messages_after).
    pub(super) fn messages_after(&mut self) -> Option<u64> {
        self.inbox.requested = false;
        self.inbox.asked = self.inbox.used;
        self.inbox.used.then(|| self.inbox.last.unwrap_or_default())
    }

    /// Takes over messages that the store has reported. Wakes the operations that wait for one.
    pub(super) fn deliver(&mut self, messages: &[Message]) {
        if !self.inbox.asked {
            return;
        }
        let first = self.inbox.last.is_none();
        let last = messages.last().map_or(0, |message| message.number);
        self.inbox.last = Some(self.inbox.last.unwrap_or_default().max(last));
        for message in messages {
            self.inbox.waiting.insert(message.number, message.clone());
        }
        if first || !messages.is_empty() {
            self.updated.extend(&self.inbox.receivers);
        }
    }

    /// Decides a `receive!` that has not ended.
    pub(super) fn receive(&mut self, op: OpIndex, now: Timestamp) -> Decision {
        let now = self.advance_clock(now);
        self.inbox.used = true;
        if self.inbox.last.is_none() {
            self.inbox.requested = true;
            self.inbox.receivers.insert(op);
            return Decision::External(None);
        }
        let given = self
            .inbox
            .options
            .get(&op)
            .and_then(|(name, _)| name.as_deref());
        let name = given.unwrap_or(&self.operations[op.index()].record.name);
        let found = self.inbox.waiting.values().find(|m| m.name == name);
        if let Some(number) = found.map(|message| message.number) {
            return self.take_message(op, number, now);
        }
        self.start_receive(op, now);
        let record = &self.operations[op.index()].record;
        if record.deadline.is_some_and(|deadline| deadline <= now) {
            self.inbox.receivers.remove(&op);
            let message = "no message came in time".to_owned();
            let error = OperationError::new(self.path(op), ErrorKind::TimedOut, message);
            self.fail(op, error, now);
            return Decision::NotDurable;
        }
        self.inbox.receivers.insert(op);
        Decision::External(record.deadline)
    }

    /// Sets the name of the messages that `op` receives, if it is not that of the call site, and how long it waits. The
    /// time counts from when it first finds no message.
    pub(crate) fn receive_with(
        &mut self,
        op: OpIndex,
        name: Option<String>,
        timeout: Option<Duration>,
    ) {
        self.inbox.options.insert(op, (name, timeout));
    }

    /// Records that `op` waits for a message. A START with a timeout is written at once, because the time counts from it.
    fn start_receive(&mut self, op: OpIndex, now: Timestamp) {
        if !self.is_new(op) {
            return;
        }
        let timeout = self
            .inbox
            .options
            .get(&op)
            .and_then(|(_, timeout)| *timeout);
        let record = &mut self.operations[op.index()].record;
        record.started_at = now;
        record.deadline = timeout.map(|timeout| now.after(timeout));
        record.due_at = record.deadline;
        self.enqueue(op, timeout.is_some());
    }

    fn take_message(&mut self, op: OpIndex, number: u64, now: Timestamp) -> Decision {
        self.inbox.receivers.remove(&op);
        let Some(message) = self.inbox.waiting.remove(&number) else {
            return Decision::NotDurable;
        };
        let record = &mut self.operations[op.index()].record;
        if record.seq == 0 {
            record.started_at = now;
        }
        record.handle = Some(number.to_string());
        record.payload = Some(message.payload.clone());
        (record.status, record.ended_at, record.due_at) = (Status::Succeeded, Some(now), None);
        self.inbox.taken.insert(op, message);
        self.enqueue(op, true);
        if self.is_arm_of_race(op) {
            return self.answer(op);
        }
        Decision::NotDurable
    }

    /// Returns whether `op` is directly an arm of a race. The race makes its winner durable before the arm's code runs,
    /// and takes the others back, so such an operation may answer before its record is durable.
    pub(super) fn is_arm_of_race(&self, op: OpIndex) -> bool {
        let scope = self.operations[op.index()].scope;
        self.scope_op(scope)
            .is_some_and(|op| self.operations[op.index()].record.kind == Kind::Race)
    }

    /// Ends a `receive!` whose scope is over. A message that the code has not seen waits again.
    pub(super) fn release_message(&mut self, op: OpIndex, now: Timestamp) {
        self.inbox.receivers.remove(&op);
        let record = &self.operations[op.index()].record;
        let is_unread = record.status == Status::Succeeded && !self.inbox.read.contains(&op);
        let is_waiting = record.status == Status::Started && record.seq != 0;
        if !is_unread && !is_waiting {
            return;
        }
        if let Some(message) = self.inbox.taken.remove(&op) {
            self.inbox.waiting.insert(message.number, message);
            self.updated.extend(&self.inbox.receivers);
        } else if is_unread {
            // The store has it, and reports it once the record says that it was not received.
            self.inbox.last = None;
        }
        let record = &mut self.operations[op.index()].record;
        (record.status, record.payload, record.due_at) = (Status::Cancelled, None, None);
        record.ended_at = Some(now);
        self.enqueue(op, false);
    }

    /// Notes that the code sees the message of `op`.
    pub(super) fn message_read(&mut self, op: OpIndex) {
        self.inbox.taken.remove(&op);
        self.inbox.read.insert(op);
    }
}
