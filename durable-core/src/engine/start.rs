//! A body begins.

use super::{Engine, MAX_INTERRUPTIONS};
use crate::record::Status;
use crate::{OperationId, Timestamp};

/// Whether and how a body may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Begin {
    /// At once; its START rides with the next write.
    Now,
    /// Once its START is durable.
    OnceWritten,
    /// Not at all: it was cut off this often and may not run again.
    Interrupted(u32),
}

impl Engine {
    /// Begins the body of `id`.
    ///
    /// An at-least-once START causes no write by itself, except right after an unclean end: then
    /// this body may be what ended the process, and its START has to be counted before it runs.
    pub(crate) fn begin(&mut self, id: OperationId, at_most_once: bool, now: Timestamp) -> Begin {
        let now = self.believe(now);
        let (unclean, cautious) = (self.unclean, self.cautious);
        let Some(slot) = self.slots.get_mut(&id) else {
            return Begin::Now;
        };
        let record = &mut slot.record;
        let cut_off = slot.recorded && !slot.begun && record.status == Status::Started;
        slot.begun = true;
        if cut_off {
            record.interruptions += u32::from(unclean);
            if at_most_once || record.interruptions >= MAX_INTERRUPTIONS {
                return Begin::Interrupted(record.interruptions.max(1));
            }
        } else {
            record.attempt += 1;
            if record.attempt == 1 {
                record.started_at = now;
            }
            (record.status, record.due_at, record.error) = (Status::Started, None, None);
        }
        self.counts.ran += 1;
        if at_most_once || cautious {
            self.enqueue(id, true);
            Begin::OnceWritten
        } else {
            self.enqueue(id, false);
            self.queue.started.push_back((now, id));
            Begin::Now
        }
    }

    /// A scope is entered: its record goes before those of its children.
    pub(crate) fn enter(&mut self, id: OperationId, now: Timestamp) {
        let now = self.believe(now);
        let Some(slot) = self.slots.get_mut(&id) else {
            return;
        };
        slot.begun = true;
        if slot.record.seq == 0 {
            slot.record.started_at = now;
            self.enqueue(id, false);
        }
    }

    /// A timer begins, unless one is recorded. What is over already needs no write of its own.
    pub(crate) fn start_timer(&mut self, id: OperationId, due: Timestamp, now: Timestamp) {
        let now = self.believe(now);
        let Some(slot) = self.slots.get_mut(&id) else {
            return;
        };
        if slot.record.seq != 0 || slot.record.status.is_terminal() {
            return;
        }
        slot.record.started_at = now;
        slot.record.due_at = Some(due);
        if due <= now {
            self.settle_timer(id, now);
        } else {
            self.enqueue(id, true);
        }
    }

    /// A timer is over. That it is over follows from its record, so it is not written by itself.
    pub(super) fn settle_timer(&mut self, id: OperationId, now: Timestamp) {
        if let Some(slot) = self.slots.get_mut(&id) {
            slot.record.status = Status::Succeeded;
            slot.record.ended_at = Some(now);
        }
        self.enqueue(id, false);
    }

    /// When the oldest body whose START is not written began.
    pub(crate) fn oldest_unwritten_start(&self) -> Option<Timestamp> {
        self.queue.started.front().map(|(at, _)| *at)
    }
}
