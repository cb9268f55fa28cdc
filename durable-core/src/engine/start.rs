//! A body begins.

use std::time::Duration;

use super::slicing::Fit;
use super::{Engine, MAX_INTERRUPTIONS, OpIndex};
use crate::Timestamp;
use crate::model::error::{ErrorKind, OperationError};
use crate::model::record::Status;

/// Whether and how a body may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Begin {
    /// At once; its START rides with the next write.
    Now,
    /// Once its START is durable.
    OnceWritten,
    /// Not at all: it was cut off this often and may not run again.
    Interrupted(u32),
    /// Not in this invocation: the time left does not cover it.
    NextTime,
    /// In no invocation: each has only this much time.
    Never(Duration),
}

/// What a body asks for before it begins.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Conditions {
    pub(crate) at_most_once: bool,
    pub(crate) timeout: Option<Duration>,
}

impl Engine {
    /// Begins the body of `op`.
    ///
    /// An at-least-once START causes no write by itself, except right after the process ended during a body: then
    /// this body may be what ended the process, and its START has to be counted before it runs.
    pub(crate) fn begin(&mut self, op: OpIndex, conditions: Conditions, now: Timestamp) -> Begin {
        let now = self.believe(now);
        match self.fits(op, conditions.timeout, now) {
            Fit::Yes => {}
            Fit::NotNow => return Begin::NextTime,
            Fit::Never(whole) => return Begin::Never(whole),
        }
        let at_most_once = conditions.at_most_once;
        let cautious = self.cautious;
        let state = &mut self.operations[op.index()];
        let interruptions = state.is_replayed() && state.record.status == Status::Started;
        state.begin();
        if interruptions && at_most_once {
            return Begin::Interrupted(1);
        }
        if interruptions {
            let times = self.count_interruption(op, now);
            if times >= MAX_INTERRUPTIONS {
                return Begin::Interrupted(times);
            }
        } else {
            let record = &mut state.record;
            record.attempt += 1;
            if record.attempt == 1 {
                record.started_at = now;
            }
            (record.status, record.due_at, record.error) = (Status::Started, None, None);
        }
        self.counts.ran += 1;
        if at_most_once || cautious {
            self.enqueue(op, true);
            Begin::OnceWritten
        } else {
            self.enqueue(op, false);
            self.queue.started.push_back((now, op));
            Begin::Now
        }
    }

    /// A scope is entered: its record goes before those of its children.
    pub(crate) fn enter(&mut self, op: OpIndex, now: Timestamp) {
        let now = self.believe(now);
        let state = &mut self.operations[op.index()];
        state.begin();
        if state.record.seq == 0 {
            state.record.started_at = now;
            self.enqueue(op, false);
        }
    }

    /// A timer begins, unless one is recorded. What is over already needs no write of its own.
    pub(crate) fn start_timer(&mut self, op: OpIndex, due: Timestamp, now: Timestamp) {
        let now = self.believe(now);
        let full = self.is_full();
        let state = &mut self.operations[op.index()];
        if state.record.seq != 0 || state.record.status.is_terminal() || full {
            return;
        }
        let length = due.since(now);
        if let Some(max) = self.limits.max_timer.filter(|max| length > *max) {
            let message = format!(
                "it is to last {length:?} and the longest timer of this store lasts {max:?}; wait in several steps"
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

    /// A timer is over. That it is over follows from its record, so it is not written by itself.
    pub(super) fn settle_timer(&mut self, op: OpIndex, now: Timestamp) {
        let record = &mut self.operations[op.index()].record;
        record.status = Status::Succeeded;
        record.ended_at = Some(now);
        self.enqueue(op, false);
    }

    /// When the oldest body whose START is not written began.
    pub(crate) fn oldest_unwritten_start(&self) -> Option<Timestamp> {
        self.queue.started.front().map(|(at, _)| *at)
    }
}
