//! Counts how often a body was interrupted by the end of its process.
//!
//! The records of a service have no field for the count. There each interruption is recorded as an internal operation,
//! which no call site registers.

use super::{Engine, MAX_INTERRUPTIONS, OpIndex};
use crate::model::payload::Payload;
use crate::model::record::{Kind, Record, Status};
use crate::{Occurrence, OperationId, Timestamp};

/// Name of internal operations that record an interruption. No call site can have it.
const INTERRUPTION: &str = "#cutoff";

impl Engine {
    /// Counts another interruption of the body of `op`. Returns the number of those that count.
    ///
    /// On a service, a body that the store loads without interruptions began only recently, and is not counted:
    /// that would cost an operation, and the service pauses between failing invocations anyway.
    pub(super) fn count_interruption(&mut self, op: OpIndex, now: Timestamp) -> u32 {
        let was_interrupted = self.was_interrupted;
        let record = &mut self.operations[op.index()].record;
        if !self.limits.service_driven {
            let more = u32::from(was_interrupted);
            record.interruptions = record.interruptions.saturating_add(more);
            self.counts.interrupted += u64::from(was_interrupted);
            return record.interruptions;
        }
        if record.interruptions == 0 {
            return 0;
        }
        self.counts.interrupted += 1;
        let times = self.recorded_interruptions(op) + 1;
        self.operations[op.index()].record.interruptions = times;
        if times < MAX_INTERRUPTIONS {
            self.record_interruption(op, times, now);
        }
        times
    }

    /// Returns the number of interruptions recorded for the current attempt.
    pub(super) fn recorded_interruptions(&mut self, op: OpIndex) -> u32 {
        let mut times = 0;
        loop {
            let (next, _) = self.interruption_id(op, times + 1);
            if !self.index().contains_key(&next) {
                return times;
            }
            times += 1;
        }
    }

    /// Returns the identity of the operation that records the `times`-th interruption.
    fn interruption_id(&self, op: OpIndex, times: u32) -> (OperationId, Occurrence) {
        let record = &self.operations[op.index()].record;
        let key = format!("{}/{}/{times}", record.id, record.attempt);
        let occurrence = Occurrence::Keyed(key);
        let id = OperationId::of(OperationId::ROOT, INTERRUPTION, &occurrence);
        (id, occurrence)
    }

    fn record_interruption(&mut self, op: OpIndex, times: u32, now: Timestamp) {
        let (id, occurrence) = self.interruption_id(op, times);
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
