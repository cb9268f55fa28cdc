//! The decision between a recorded and a live outcome.

use super::{Engine, OpIndex, Unreadable};
use crate::Timestamp;
use crate::model::error::{ErrorKind, OperationError};
use crate::model::payload::Payload;
use crate::model::record::{Kind, Status};

/// How an operation proceeds.
#[derive(Debug, PartialEq)]
pub(crate) enum Decision {
    /// It has ended with this outcome, which is durable where it has to be.
    Recorded(Outcome),
    /// It has ended, but the store has not acknowledged the outcome yet.
    NotDurable,
    /// No outcome is recorded: the body runs. Scopes also run to rebuild their value from their children.
    Run,
    /// It waits until this time.
    Until(Timestamp),
    /// It waits for an external event, or until this time if there is one.
    External(Option<Timestamp>),
    /// The invocation or the scope has ended: the operation never continues.
    Stopped,
}

/// Outcome of an operation that has ended.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Outcome {
    Value(Payload),
    Error(OperationError),
    /// No value: a timer.
    Done,
}

impl Engine {
    /// Decides whether `op` is answered from its record, waits or runs. The only place that does.
    pub(crate) fn decide(&mut self, op: OpIndex, now: impl FnOnce() -> Timestamp) -> Decision {
        if self.stop.is_some() {
            return Decision::Stopped;
        }
        let state = &self.operations[op.index()];
        let (status, due, kind) = (state.record.status, state.record.due_at, state.record.kind);
        let is_undo = kind == Kind::Undo;
        if self.unwinding.is_some() && !is_undo {
            return Decision::Stopped;
        }
        // A timer that was cancelled with its scope never ends, and neither does a `receive!`.
        if status == Status::Cancelled && matches!(kind, Kind::Wait | Kind::Receive) {
            return Decision::Stopped;
        }
        if self.is_cancelled_with(op) {
            return Decision::Stopped;
        }
        if status.is_terminal() {
            let follows = kind == Kind::Wait || kind == Kind::Receive && self.is_arm_of_race(op);
            return if state.is_durable() || follows {
                self.answer(op)
            } else {
                Decision::NotDurable
            };
        }
        let over = self.cancelling || self.is_closed(self.operations[op.index()].scope);
        // A scope that was entered before is entered again, so that its finished steps register their undo
        // bodies. Nothing in it begins.
        let state = &self.operations[op.index()];
        let reentered = kind.is_scope() && (state.is_recorded() || state.is_unrecorded());
        if over && !is_undo && !reentered {
            return Decision::Stopped;
        }
        if let Some(error) = self.refusal(op) {
            return match self.refused(op, error) {
                Some(outcome) => Decision::Recorded(outcome),
                None => Decision::Stopped,
            };
        }
        let awaits_service = kind == Kind::Wait && status == Status::Started
            || status == Status::Pending && due.is_some();
        if self.limits.service_driven && awaits_service {
            return Decision::External(due);
        }
        if kind == Kind::Receive {
            return self.receive(op, now());
        }
        match (status, due) {
            (Status::Started, Some(due)) if kind == Kind::Wait => {
                self.when_due(now(), due, |engine, now| {
                    engine.settle_timer(op, now);
                    Decision::Recorded(Outcome::Done)
                })
            }
            // A timer has no body that could run.
            _ if kind == Kind::Wait => {
                let expected = "a started timer, and the time at which it ends";
                let fault = "a timer that has not ended is started and has an end";
                let remedy = "restore the record from a copy of the store";
                let found = Unreadable::outline("end", expected, fault, remedy);
                self.block_unreadable(op, &found);
                Decision::Stopped
            }
            // Whatever has not ended waits: an external party settles it, and no body could run.
            (_, due) if kind.is_external() => self.await_external(op, due, now),
            (Status::Pending, Some(due)) => self.when_due(now(), due, |_, _| Decision::Run),
            _ => Decision::Run,
        }
    }

    /// Returns whether `op` is an invoked execution that was cancelled together with this one, whose code has not seen that. It
    /// must not: code that handles the error would go on, and end a cancelled execution as succeeded.
    fn is_cancelled_with(&self, op: OpIndex) -> bool {
        let state = &self.operations[op.index()];
        let error = state.record.error.as_ref();
        let is_cancelled = error.is_some_and(|error| error.kind() == ErrorKind::Cancelled);
        self.cancelling
            && state.record.kind == Kind::Invoke
            && is_cancelled
            // What follows it was recorded after its end.
            && self.scopes[state.scope.index()].unregistered == 0
    }

    /// Continues with `then` if `due` has come. Otherwise waits until then.
    fn when_due(
        &mut self,
        now: Timestamp,
        due: Timestamp,
        then: impl FnOnce(&mut Self, Timestamp) -> Decision,
    ) -> Decision {
        let now = self.advance_clock(now);
        if now >= due {
            then(self, now)
        } else {
            Decision::Until(due)
        }
    }

    /// Takes the outcome out of the record of `op`.
    pub(super) fn answer(&mut self, op: OpIndex) -> Decision {
        let state = &mut self.operations[op.index()];
        let (replayed, durable) = (state.is_replayed(), state.is_durable());
        let record = &mut state.record;
        // The value is rebuilt from the children: it was too large, or they are needed on every replay.
        if record.kind.is_scope() && record.status == Status::Succeeded && record.payload.is_none()
        {
            return Decision::Run;
        }
        self.counts.replayed += u64::from(replayed);
        state.hides_children |= record.kind.is_scope() && !record.needs_children();
        // The value of a branch may become part of the result of its `map!` or `parallel!`. A message that an arm of a
        // race received is still to be written.
        let kept = match record.kind {
            Kind::Branch => !self.limits.keeps_children,
            Kind::Receive => !durable,
            _ => false,
        };
        let receives = record.kind == Kind::Receive;
        let payload = match kept {
            true => record.payload.clone(),
            false => record.payload.take(),
        };
        let outcome = match (payload, record.error.take()) {
            (Some(payload), _) => Outcome::Value(payload),
            (None, Some(error)) => Outcome::Error(error),
            (None, None) => Outcome::Done,
        };
        if receives {
            self.message_read(op);
        }
        Decision::Recorded(outcome)
    }
}
