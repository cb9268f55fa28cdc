//! Operations that the outside settles, and what else comes from there.

use super::operation::Persistence;
use super::{Decision, Engine, OpIndex, ScopeIndex};
use crate::Timestamp;
use crate::model::error::{ErrorKind, OperationError};
use crate::model::record::{Record, Status};
use crate::store::{Ack, NewExecution};

/// How long a callback may take.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct CallbackTimeouts {
    pub(crate) timeout: Option<std::time::Duration>,
    pub(crate) heartbeat: Option<std::time::Duration>,
}

impl Engine {
    /// Whether nothing is recorded of `op` yet.
    pub(crate) fn is_new(&self, op: OpIndex) -> bool {
        let record = &self.operations[op.index()].record;
        record.seq == 0 && !record.status.is_terminal()
    }

    /// Whether `op` has ended and is answered from its record alone.
    pub(crate) fn has_outcome(&self, op: OpIndex) -> bool {
        let record = &self.operations[op.index()].record;
        record.payload.is_some() || record.status == Status::Failed
    }

    /// Whether `op` has ended.
    pub(crate) fn is_settled(&self, op: OpIndex) -> bool {
        self.operations[op.index()].record.status.is_terminal()
    }

    /// The number the record of `op` has, or will have.
    pub(crate) fn number(&mut self, op: OpIndex) -> u64 {
        self.number_record(op);
        self.operations[op.index()].record.seq
    }

    /// What the outside knows `op` by.
    pub(crate) fn handle(&self, op: OpIndex) -> Option<String> {
        self.operations[op.index()].record.handle.clone()
    }

    /// An operation begins that the outside settles. Its START is written at once.
    pub(crate) fn start_external(
        &mut self,
        op: OpIndex,
        handle: String,
        limits: CallbackTimeouts,
        now: Timestamp,
    ) {
        let now = self.believe(now);
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

    /// The execution that `op` waits for is started together with its record.
    pub(crate) fn start_child(&mut self, op: OpIndex, child: NewExecution, now: Timestamp) {
        if self.is_ending() {
            return;
        }
        self.start_external(op, child.id.to_string(), CallbackTimeouts::default(), now);
        self.queue.children.push((op, child));
    }

    /// Whether the execution that `op` waits for is still to be started: nothing is recorded, or it runs anew after
    /// its child's id was another's.
    pub(crate) fn begins_child(&self, op: OpIndex) -> bool {
        let record = &self.operations[op.index()].record;
        let anew = record.status == Status::Started && record.handle.is_none();
        self.is_new(op) || (anew && !self.limits.service_driven)
    }

    /// `op` fails with this error, and lets go of the execution that has the id of its child.
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
        let now = self.believe(now());
        if now < due {
            return Decision::External(Some(due));
        }
        let record = &self.operations[op.index()].record;
        let message = match (record.deadline, record.heartbeat) {
            (Some(deadline), _) if deadline <= now => "nobody answered in time".to_owned(),
            (_, pause) => format!("no heartbeat came within {:?}", pause.unwrap_or_default()),
        };
        let error = OperationError::new(self.path(op), ErrorKind::TimedOut, message);
        self.fail(op, error, now);
        Decision::NotDurable
    }

    /// Takes over what the outside changed. For what it settles, the store's word counts.
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

    fn adopt(&mut self, op: OpIndex, stored: &Record) {
        let state = &mut self.operations[op.index()];
        if state.record.status.is_terminal() && state.is_durable() {
            return;
        }
        if !stored.status.is_terminal() {
            // A heartbeat has moved its time, or it has come.
            state.record.due_at = stored.due_at;
            if stored.handle.is_some() {
                state.record.handle.clone_from(&stored.handle);
            }
            self.answered.push(op);
            return;
        }
        state.record.status = stored.status;
        state.record.ended_at = stored.ended_at;
        state.record.due_at = None;
        state.record.payload = stored.payload.clone();
        state.record.error = stored.error.clone();
        state.persistence = Persistence::Durable;
        self.answered.push(op);
    }

    /// The execution is to be cancelled, as of the lease.
    pub(crate) fn resume(&mut self, seen: u64, cancel: bool) {
        self.seen = seen;
        self.cancelling = cancel;
    }

    /// Whether the execution is to be cancelled, ends already, or has no room left: nothing is begun
    /// for its sake.
    pub(crate) fn is_ending(&self) -> bool {
        self.cancelling || self.unwinding.is_some() || self.is_full()
    }

    /// The execution ends if `op`, which somebody waits for, is refused for lack of room.
    pub(crate) fn end_if_refused(&mut self, op: OpIndex) {
        if let Some(error) = self.refusal(op) {
            self.end_execution(error);
        }
    }

    /// Whether nothing live may begin because the execution is to be cancelled.
    pub(crate) fn is_cancelling(&self) -> bool {
        self.cancelling
    }

    /// Changes from outside that are known here.
    pub(crate) fn seen(&self) -> u64 {
        self.seen
    }

    /// The scope is over: what is under way in it is never written again, and its timers end.
    pub(crate) fn close(&mut self, scope: ScopeIndex, now: Timestamp) {
        let now = self.believe(now);
        self.scope(scope).closed = true;
        let mut scopes = vec![scope];
        while let Some(scope) = scopes.pop() {
            let inside = self.scope(scope);
            scopes.extend(&inside.scopes);
            for op in std::mem::take(&mut inside.timers) {
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
