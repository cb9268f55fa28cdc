//! Counts how often a body was cut off by the end of its process.
//!
//! Where records are a service's own there is no room in them for the count: it is kept in operations of its own,
//! one for each time, which no call site claims.

use super::{Engine, MAX_INTERRUPTIONS, OpIndex};
use crate::model::payload::Payload;
use crate::model::record::{Kind, Record, Status};
use crate::{Occurrence, OperationId, Timestamp};

/// Name of what notes that a body was cut off: none that a call site can have.
const INTERRUPTION: &str = "#cutoff";

impl Engine {
    /// Notes that the body of `op` was cut off once more; how often that was, as far as it counts.
    ///
    /// What a service's store loads as never interrupted began a short while ago and does not count yet: noting
    /// it would cost an operation, and the service lets time pass between invocations that fail.
    pub(super) fn count_interruption(&mut self, op: OpIndex, now: Timestamp) -> u32 {
        let was_interrupted = self.was_interrupted;
        let record = &mut self.operations[op.index()].record;
        if !self.limits.service_driven {
            record.interruptions += u32::from(was_interrupted);
            return record.interruptions;
        }
        if record.interruptions == 0 {
            return 0;
        }
        let times = self.recorded_interruptions(op) + 1;
        self.operations[op.index()].record.interruptions = times;
        if times < MAX_INTERRUPTIONS {
            self.record_interruption(op, times, now);
        }
        times
    }

    /// How often that was noted of the attempt under way.
    pub(super) fn recorded_interruptions(&mut self, op: OpIndex) -> u32 {
        let mut times = 0;
        loop {
            let (next, _) = self.note_of(op, times + 1);
            if !self.index().contains_key(&next) {
                return times;
            }
            times += 1;
        }
    }

    /// Identity of the note of the `times`-th time.
    fn note_of(&self, op: OpIndex, times: u32) -> (OperationId, Occurrence) {
        let record = &self.operations[op.index()].record;
        let key = format!("{}/{}/{times}", record.id, record.attempt);
        let occurrence = Occurrence::Keyed(key);
        let id = OperationId::of(OperationId::ROOT, INTERRUPTION, &occurrence);
        (id, occurrence)
    }

    fn record_interruption(&mut self, op: OpIndex, times: u32, now: Timestamp) {
        let (id, occurrence) = self.note_of(op, times);
        let root = OperationId::ROOT;
        let mut note = Record::started(0, id, root, Kind::Record, INTERRUPTION, occurrence, now);
        note.label = Some(format!("cut-off of {}", self.path(op)));
        note.status = Status::Succeeded;
        note.ended_at = Some(now);
        note.payload = Some(Payload::json(times.to_string()));
        let note = self.add_internal(note);
        self.enqueue(note, true);
    }
}
