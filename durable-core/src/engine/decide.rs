//! The decision between a recorded and a live outcome.

use super::{Engine, OpIndex};
use crate::Timestamp;
use crate::model::error::OperationError;
use crate::model::payload::Payload;
use crate::model::record::{Kind, Status};

/// Answer to "recorded or live?".
#[derive(Debug, PartialEq)]
pub(crate) enum Decision {
    /// The outcome is settled, and durable where it has to be.
    Recorded(Outcome),
    /// Settled, but not acknowledged by the store yet.
    NotDurable,
    /// Nothing is recorded: the body runs. For scopes also when only the children are recorded.
    Run,
    /// Nothing to do before this time.
    Until(Timestamp),
    /// Nothing to do before the outside settles it, or before this time if there is one.
    External(Option<Timestamp>),
    /// The invocation is over; nothing goes on.
    Stopped,
}

/// A settled outcome.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Outcome {
    Value(Payload),
    Error(OperationError),
    /// Ended without a value: a timer.
    Done,
}

impl Engine {
    /// Decides whether `op` is answered from its record or runs. The only place that does.
    pub(crate) fn decide(&mut self, op: OpIndex, now: impl FnOnce() -> Timestamp) -> Decision {
        if self.stop.is_some() {
            return Decision::Stopped;
        }
        let state = &self.operations[op.index()];
        let (status, due, kind) = (state.record.status, state.record.due_at, state.record.kind);
        let takes_back = kind == Kind::Undo;
        if self.unwinding.is_some() && !takes_back {
            return Decision::Stopped;
        }
        // A timer that was given up with its scope never ends.
        if status == Status::Cancelled && kind == Kind::Wait {
            return Decision::Stopped;
        }
        if status.is_terminal() {
            return if state.is_durable() || kind == Kind::Wait {
                self.answer(op)
            } else {
                Decision::NotDurable
            };
        }
        let over = self.cancelling || self.is_closed(self.operations[op.index()].scope);
        // A scope that was entered before is entered again: what has finished in it registers its
        // undo bodies, and nothing in it begins.
        let state = &self.operations[op.index()];
        let reentered = kind.is_scope() && (state.is_recorded() || state.is_unrecorded());
        if over && !takes_back && !reentered {
            return Decision::Stopped;
        }
        if let Some(error) = self.refusal(op) {
            return match self.refused(op, error) {
                Some(outcome) => Decision::Recorded(outcome),
                None => Decision::Stopped,
            };
        }
        let elsewhere = kind == Kind::Wait && status == Status::Started
            || status == Status::Pending && due.is_some();
        if self.limits.service_driven && elsewhere {
            return Decision::External(due);
        }
        match (status, due) {
            (Status::Started, Some(due)) if kind == Kind::Wait => {
                self.at(now(), due, |engine, now| {
                    engine.settle_timer(op, now);
                    Decision::Recorded(Outcome::Done)
                })
            }
            (Status::Started, due) if kind.is_external() => self.await_external(op, due, now),
            (Status::Pending, Some(due)) => self.at(now(), due, |_, _| Decision::Run),
            _ => Decision::Run,
        }
    }

    /// `then`, or the wait until `due`.
    fn at(
        &mut self,
        now: Timestamp,
        due: Timestamp,
        then: impl FnOnce(&mut Self, Timestamp) -> Decision,
    ) -> Decision {
        let now = self.believe(now);
        if now >= due {
            then(self, now)
        } else {
            Decision::Until(due)
        }
    }

    fn answer(&mut self, op: OpIndex) -> Decision {
        let state = &mut self.operations[op.index()];
        let replayed = state.is_replayed();
        let record = &mut state.record;
        // A value that was too large to keep, or that is kept with the children.
        if record.kind.is_scope() && record.status == Status::Succeeded && record.payload.is_none()
        {
            return Decision::Run;
        }
        self.counts.replayed += u64::from(replayed);
        state.hides_children |= record.kind.is_scope() && !record.needs_children();
        // The value of a branch may become part of the value of the whole.
        let kept = record.kind == Kind::Branch && !self.limits.keeps_children;
        let payload = match kept {
            true => record.payload.clone(),
            false => record.payload.take(),
        };
        Decision::Recorded(match (payload, record.error.take()) {
            (Some(payload), _) => Outcome::Value(payload),
            (None, Some(error)) => Outcome::Error(error),
            (None, None) => Outcome::Done,
        })
    }
}
