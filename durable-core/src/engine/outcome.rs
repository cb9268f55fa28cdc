//! Outcomes of bodies, and what attempts leave for the next.

use std::borrow::Cow;
use std::time::Duration;

use super::{Engine, OpIndex, Outcome};
use crate::Timestamp;
use crate::model::error::{ErrorKind, OperationError};
use crate::model::payload::Payload;
use crate::model::record::Status;

impl Engine {
    /// Ends `op` with a value. A value over the limit fails the operation.
    pub(crate) fn succeed(
        &mut self,
        op: OpIndex,
        payload: Payload,
        value_type: &'static str,
        now: Timestamp,
    ) {
        if let Some(message) = self.too_large(&payload) {
            let record = &self.operations[op.index()].record;
            if record.kind.is_scope() {
                return self.succeed_by_children(op, value_type, now);
            }
            let attempts = record.attempt;
            let error = OperationError::new(self.path(op), ErrorKind::TooLarge, message);
            return self.fail(op, error.with_attempts(attempts), now);
        }
        self.settle(
            op,
            Status::Succeeded,
            Some(Outcome::Value(payload)),
            value_type,
            now,
        );
    }

    /// Returns the message for a value that is over the limit.
    pub(crate) fn too_large(&self, payload: &Payload) -> Option<String> {
        let (limit, whose) = self.room();
        let size = self.limits.stored(payload);
        (size > limit).then(|| {
            format!(
                "its value of {size} bytes is over {whose} of {limit}: return an id \
                 or a summary instead, or use a smaller encoding (`codec = …`)"
            )
        })
    }

    /// Ends the scope `op` with a value that is rebuilt from its children on replay.
    pub(crate) fn succeed_by_children(
        &mut self,
        op: OpIndex,
        value_type: &'static str,
        now: Timestamp,
    ) {
        self.settle(op, Status::Succeeded, None, value_type, now);
    }

    /// Ends `op` with an error.
    pub(crate) fn fail(&mut self, op: OpIndex, error: OperationError, now: Timestamp) {
        let error = error.shortened(self.limits.max_error);
        self.settle(op, Status::Failed, Some(Outcome::Error(error)), "", now);
    }

    fn settle(
        &mut self,
        op: OpIndex,
        status: Status,
        outcome: Option<Outcome>,
        value_type: &'static str,
        now: Timestamp,
    ) {
        let now = self.advance_clock(now);
        let state = &mut self.operations[op.index()];
        let record = &mut state.record;
        // A scope whose value is rebuilt from its children has ended in an earlier invocation.
        if record.status.is_terminal() {
            return;
        }
        record.status = status;
        record.ended_at = Some(now);
        record.due_at = None;
        (record.payload, record.error) = match outcome {
            Some(Outcome::Value(payload)) => (Some(payload), None),
            Some(Outcome::Error(error)) => (None, Some(error)),
            Some(Outcome::Done) | None => (None, None),
        };
        if !value_type.is_empty() {
            record.value_type = Some(Cow::Borrowed(value_type));
        }
        self.hide_children(op);
        self.progressed();
        self.enqueue(op, true);
    }

    /// Records a failed attempt, which is repeated after `delay`. Without room for another one it was the last.
    pub(crate) fn retry(
        &mut self,
        op: OpIndex,
        error: OperationError,
        delay: Duration,
        now: Timestamp,
    ) {
        if !self.may_repeat(op) {
            return self.fail(op, error, now);
        }
        let now = self.advance_clock(now);
        let state = &mut self.operations[op.index()];
        state.record.status = Status::Pending;
        state.record.error = Some(error.shortened(self.limits.max_error));
        state.record.due_at = Some(now.after(self.limits.at_most(delay)));
        self.progressed();
        self.enqueue(op, true);
    }

    /// Sets the type of the state that the checks of `op` pass on.
    pub(crate) fn set_state_type(&mut self, op: OpIndex, state_type: &'static str) {
        let record = &mut self.operations[op.index()].record;
        if record.seq == 0 {
            record.state_type = Some(Cow::Borrowed(state_type));
        }
    }

    /// Records a check that is not satisfied yet. It is repeated after `delay` with this state of this type.
    pub(crate) fn check_again(
        &mut self,
        op: OpIndex,
        (state, state_type): (Payload, &'static str),
        delay: Duration,
        now: Timestamp,
    ) {
        if !self.may_repeat(op) {
            let message = "it is not satisfied, and its execution has used up its operations: check less often, or \
                           continue with a fresh history with `continue_as!`";
            let error = OperationError::new(self.path(op), ErrorKind::TooLarge, message);
            let checks = self.attempt(op);
            return self.fail(op, error.with_attempts(checks), now);
        }
        let now = self.advance_clock(now);
        let record = &mut self.operations[op.index()].record;
        record.status = Status::Pending;
        record.payload = Some(state);
        record.state_type = Some(Cow::Borrowed(state_type));
        record.error = None;
        record.due_at = Some(now.after(self.limits.at_most(delay)));
        self.progressed();
        self.enqueue(op, true);
    }

    /// Returns the state that the last check of `op` left for the next, and when the first began.
    pub(crate) fn poll_state(&self, op: OpIndex) -> (Option<Payload>, Timestamp) {
        let record = &self.operations[op.index()].record;
        (record.payload.clone(), record.started_at)
    }

    /// Returns the end of the batch `op` that begins with item `start`: the recorded one, the batch halved if it was
    /// interrupted, or `planned`.
    pub(crate) fn batch_end(&mut self, op: OpIndex, start: u64, planned: u64) -> u64 {
        let state = &self.operations[op.index()];
        let Some(end) = state.record.extent else {
            return planned;
        };
        if !(self.was_interrupted && state.is_recorded() && state.record.status == Status::Started)
        {
            return end;
        }
        // A service keeps the end that was planned first, so all halvings are applied to it.
        let times = match self.limits.service_driven {
            true => self.recorded_interruptions(op) + 1,
            false => 1,
        };
        let left = end.saturating_sub(start).checked_shr(times);
        start.saturating_add(left.unwrap_or_default().max(1))
    }

    /// Sets the end of the batch `op`: the item after its last.
    pub(crate) fn set_extent(&mut self, op: OpIndex, extent: u64) {
        self.operations[op.index()].record.extent = Some(extent);
    }

    /// Returns how long the finished operation `op` took, and how often it was interrupted.
    pub(crate) fn duration_and_interruptions(&self, op: OpIndex) -> (Duration, u32) {
        let record = &self.operations[op.index()].record;
        let ended = record.ended_at.unwrap_or(record.started_at);
        (ended.since(record.started_at), record.interruptions)
    }

    /// Ends the execution with this error before its handler returns. The first error counts.
    pub(crate) fn end_execution(&mut self, error: OperationError) {
        self.unwinding.get_or_insert(error);
    }

    /// Returns the error that ends the execution before its handler returns, if any.
    pub(crate) fn unwinding(&self) -> Option<&OperationError> {
        self.unwinding.as_ref()
    }

    /// Returns when `op` ended, and the sequence number of its record.
    pub(crate) fn finished(&self, op: OpIndex) -> (Option<Timestamp>, u64) {
        let record = &self.operations[op.index()].record;
        (record.ended_at, record.seq)
    }

    /// Returns the number of the attempt that would begin now.
    pub(crate) fn next_attempt(&self, op: OpIndex) -> u32 {
        let state = &self.operations[op.index()];
        let is_interrupted = state.is_replayed() && state.record.status == Status::Started;
        let next = u32::from(!is_interrupted);
        state.record.attempt.saturating_add(next)
    }

    /// Returns how many attempts of `op` have begun.
    pub(crate) fn attempt(&self, op: OpIndex) -> u32 {
        self.operations[op.index()].record.attempt
    }

    /// Returns whether the store has acknowledged the latest state of `op`.
    pub(crate) fn is_durable(&self, op: OpIndex) -> bool {
        self.operations[op.index()].is_durable()
    }
}
