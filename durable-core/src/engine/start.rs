//! Beginnings of bodies, scopes and timers.

use std::time::Duration;

use super::slicing::Fit;
use super::{Engine, MAX_INTERRUPTIONS, OpIndex};
use crate::Timestamp;
use crate::model::error::{ErrorKind, OperationError};
use crate::model::record::Status;

/// Whether and how a body may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Begin {
    /// Now. Its START is written with the next batch.
    Now,
    /// As soon as its START is durable.
    WhenDurable,
    /// Not again: it was interrupted this often.
    Interrupted(u32),
    /// Not in this invocation: the remaining time is too short.
    NextInvocation,
    /// Never: an invocation has only this much time.
    Never(Duration),
}

/// Conditions under which a body may begin.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Conditions {
    pub(crate) at_most_once: bool,
    pub(crate) timeout: Option<Duration>,
}

impl Engine {
    /// Begins the body of `op`.
    ///
    /// An at-least-once START causes no write by itself, except right after the process ended during a body. Then
    /// this body may have ended the process, and the interruption has to be counted before it runs again.
    pub(crate) fn begin(&mut self, op: OpIndex, conditions: Conditions, now: Timestamp) -> Begin {
        let now = self.advance_clock(now);
        match self.fits(op, conditions.timeout, now) {
            Fit::Yes => {}
            Fit::NotNow => return Begin::NextInvocation,
            Fit::Never(total) => return Begin::Never(total),
        }
        let at_most_once = conditions.at_most_once;
        let cautious = self.cautious;
        let state = &mut self.operations[op.index()];
        let is_interrupted = state.is_replayed() && state.record.status == Status::Started;
        state.begin();
        if is_interrupted && at_most_once {
            self.counts.interrupted += 1;
            return Begin::Interrupted(1);
        }
        if is_interrupted {
            let times = self.count_interruption(op, now);
            if times >= MAX_INTERRUPTIONS {
                return Begin::Interrupted(times);
            }
        } else {
            let record = &mut state.record;
            record.attempt = record.attempt.saturating_add(1);
            if record.attempt == 1 {
                record.started_at = now;
            }
            (record.status, record.due_at, record.error) = (Status::Started, None, None);
        }
        self.counts.ran += 1;
        if at_most_once || cautious {
            self.enqueue(op, true);
            Begin::WhenDurable
        } else {
            self.enqueue(op, false);
            self.queue.started.push_back((now, op));
            Begin::Now
        }
    }

    /// Enters a scope. Its record is queued before those of its children.
    pub(crate) fn enter(&mut self, op: OpIndex, now: Timestamp) {
        let now = self.advance_clock(now);
        let state = &mut self.operations[op.index()];
        state.begin();
        if state.record.seq == 0 {
            state.record.started_at = now;
            self.enqueue(op, false);
        }
    }

    /// Starts a timer, unless it is recorded. One that is due already causes no write.
    pub(crate) fn start_timer(&mut self, op: OpIndex, due: Timestamp, now: Timestamp) {
        let now = self.advance_clock(now);
        let full = self.is_full();
        let state = &mut self.operations[op.index()];
        if state.record.seq != 0 || state.record.status.is_terminal() || full {
            return;
        }
        let length = due.since(now);
        if let Some(max) = self.limits.max_timer.filter(|max| length > *max) {
            let message = format!(
                "it would last {length:?}, and a timer of this store lasts at most {max:?}: wait in several steps"
            );
            let error = OperationError::new(self.path(op), ErrorKind::TooLarge, message);
            return self.end_execution(error);
        }
        let state = &mut self.operations[op.index()];
        state.record.started_at = now;
        state.record.due_at = Some(due);
        if due <= now {
            self.settle_timer(op, now);
        } else {
            self.enqueue(op, true);
        }
    }

    /// Ends a timer. The end follows from its record, so it causes no write.
    pub(super) fn settle_timer(&mut self, op: OpIndex, now: Timestamp) {
        let record = &mut self.operations[op.index()].record;
        record.status = Status::Succeeded;
        record.ended_at = Some(now);
        self.enqueue(op, false);
    }
}
