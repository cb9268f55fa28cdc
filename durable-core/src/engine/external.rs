//! Operations that external parties complete, and other external updates.

use super::operation::Persistence;
use super::{Decision, Engine, OpIndex, ScopeIndex};
use crate::Timestamp;
use crate::model::error::{ErrorKind, OperationError};
use crate::model::record::{Kind, Record, Status};
use crate::store::{Ack, NewExecution};

/// Limits on how long a callback may take.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct CallbackTimeouts {
    pub(crate) timeout: Option<std::time::Duration>,
    pub(crate) heartbeat: Option<std::time::Duration>,
}

impl Engine {
    /// Returns whether `op` has no record yet.
    pub(crate) fn is_new(&self, op: OpIndex) -> bool {
        let record = &self.operations[op.index()].record;
        record.seq == 0 && !record.status.is_terminal()
    }

    /// Returns whether `op` has ended with an outcome of its own, which needs none of its children.
    pub(crate) fn has_outcome(&self, op: OpIndex) -> bool {
        let record = &self.operations[op.index()].record;
        record.payload.is_some() || record.status == Status::Failed
    }

    /// Returns whether `op` has ended.
    pub(crate) fn is_settled(&self, op: OpIndex) -> bool {
        self.operations[op.index()].record.status.is_terminal()
    }

    /// Returns the sequence number of the record of `op`. Assigns one if it has none.
    pub(crate) fn number(&mut self, op: OpIndex) -> u64 {
        self.number_record(op);
        self.operations[op.index()].record.seq
    }

    /// Returns the id that external parties know `op` by.
    pub(crate) fn handle(&self, op: OpIndex) -> Option<String> {
        self.operations[op.index()].record.handle.clone()
    }

    /// Starts an operation that an external party completes. Its START is written without delay.
    pub(crate) fn start_external(
        &mut self,
        op: OpIndex,
        handle: String,
        limits: CallbackTimeouts,
        now: Timestamp,
    ) {
        let now = self.advance_clock(now);
        if self.is_ending() {
            return;
        }
        let record = &mut self.operations[op.index()].record;
        record.started_at = now;
        record.handle = (!self.limits.service_driven).then_some(handle);
        record.heartbeat = limits.heartbeat;
        record.deadline = limits.timeout.map(|limit| now.after(limit));
        record.beat(now);
        self.enqueue(op, true);
    }

    /// Starts `op`, and with its record the execution it waits for.
    pub(crate) fn start_child(&mut self, op: OpIndex, child: NewExecution, now: Timestamp) {
        if self.is_ending() {
            return;
        }
        self.start_external(op, child.id.to_string(), CallbackTimeouts::default(), now);
        self.queue.children.push((op, child));
    }

    /// Returns whether the execution that `op` waits for has to be started: nothing is recorded, or the id of the
    /// child belonged to another execution the last time.
    pub(crate) fn must_start_child(&self, op: OpIndex) -> bool {
        let record = &self.operations[op.index()].record;
        let anew = record.status == Status::Started && record.handle.is_none();
        self.is_new(op) || (anew && !self.limits.service_driven)
    }

    /// Fails `op` with this error and forgets the id of its child, which belongs to another execution.
    pub(crate) fn disown_child(&mut self, op: OpIndex, error: OperationError, now: Timestamp) {
        self.operations[op.index()].record.handle = None;
        self.fail(op, error, now);
    }

    pub(super) fn await_external(
        &mut self,
        op: OpIndex,
        due: Option<Timestamp>,
        now: impl FnOnce() -> Timestamp,
    ) -> Decision {
        let Some(due) = due else {
            return Decision::External(None);
        };
        if self.limits.service_driven {
            return Decision::External(Some(due));
        }
        let now = self.advance_clock(now());
        if now < due {
            return Decision::External(Some(due));
        }
        let record = &self.operations[op.index()].record;
        let message = match (record.deadline, record.heartbeat) {
            (Some(deadline), _) if deadline <= now => "it was not completed in time".to_owned(),
            (_, pause) => format!("no heartbeat came within {:?}", pause.unwrap_or_default()),
        };
        let error = OperationError::new(self.path(op), ErrorKind::TimedOut, message);
        self.fail(op, error, now);
        Decision::NotDurable
    }

    /// Applies the external updates that came with an acknowledgement.
    pub(super) fn merge(&mut self, ack: &Ack) {
        self.seen = self.seen.max(ack.changes);
        self.cancelling |= ack.cancel;
        for record in &ack.changed_records {
            let id = record.id;
            let Some(op) = self.index().get(&id).copied() else {
                continue;
            };
            self.adopt(op, record);
        }
    }

    /// Takes over the state that the store has of `op`.
    fn adopt(&mut self, op: OpIndex, stored: &Record) {
        let state = &mut self.operations[op.index()];
        if state.record.status.is_terminal() && state.is_durable() {
            return;
        }
        if !stored.status.is_terminal() {
            // A heartbeat has moved the time, or the time has come.
            state.record.due_at = stored.due_at;
            if stored.handle.is_some() {
                state.record.handle.clone_from(&stored.handle);
            }
            self.updated.push(op);
            return;
        }
        state.record.status = stored.status;
        state.record.ended_at = stored.ended_at;
        state.record.due_at = None;
        state.record.payload = stored.payload.clone();
        state.record.error = stored.error.clone();
        state.persistence = Persistence::Durable;
        self.updated.push(op);
    }

    /// Sets what the lease says about external updates and cancellation.
    pub(crate) fn resume(&mut self, seen: u64, cancel: bool) {
        self.seen = seen;
        self.cancelling = cancel;
    }

    /// Returns whether nothing may begin: the execution is to be cancelled, is ending, or has no room left.
    pub(crate) fn is_ending(&self) -> bool {
        self.cancelling || self.unwinding.is_some() || self.is_full()
    }

    /// Ends the execution if `op` cannot begin for lack of room. For operations that have no error of their own.
    pub(crate) fn end_if_refused(&mut self, op: OpIndex) {
        if let Some(error) = self.refusal(op) {
            self.end_execution(error);
        }
    }

    /// Returns whether the execution is to be cancelled.
    pub(crate) fn is_cancelling(&self) -> bool {
        self.cancelling
    }

    /// Returns the number of external updates this invocation knows of.
    pub(crate) fn seen(&self) -> u64 {
        self.seen
    }

    /// Closes a scope: what runs in it is no longer recorded, and its timers are cancelled.
    pub(crate) fn close(&mut self, scope: ScopeIndex, now: Timestamp) {
        let now = self.advance_clock(now);
        self.scope(scope).closed = true;
        let mut scopes = vec![scope];
        while let Some(scope) = scopes.pop() {
            let inner = self.scope(scope);
            scopes.extend(&inner.scopes);
            for op in std::mem::take(&mut inner.timers) {
                if self.operations[op.index()].record.kind == Kind::Receive {
                    self.release_message(op, now);
                    continue;
                }
                let record = &mut self.operations[op.index()].record;
                if record.status == Status::Started && record.seq != 0 {
                    record.status = Status::Cancelled;
                    record.ended_at = Some(now);
                    self.enqueue(op, false);
                }
            }
        }
    }
}
