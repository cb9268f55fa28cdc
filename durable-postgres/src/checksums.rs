//! Checksums beside what is stored.
//!
//! Pages are summed by a server only where it was set up so (`initdb --data-checksums`), and nothing
//! sums what a pooler, a replica or a restored dump hands over.

use durable_core::store::{Checksum, Execution, ScheduleEntry};
use durable_core::{ExecutionId, Payload, Record};

use crate::rows::Damage;

/// The checksum of a record: what it is, how it ended, and with what.
pub(crate) fn of_record(record: &Record, error: Option<&str>) -> i32 {
    let mut sum = Checksum::default();
    sum.integer(0, record.seq.cast_signed());
    sum.bytes(1, record.id.as_bytes());
    sum.bytes(2, record.kind.as_str().as_bytes());
    sum.bytes(3, record.name.as_bytes());
    sum.bytes(4, record.status.as_str().as_bytes());
    if let Some(payload) = &record.payload {
        sum.bytes(5, payload.codec.as_bytes());
        sum.bytes(6, &payload.data);
    }
    if let Some(error) = error {
        sum.bytes(7, error.as_bytes());
    }
    if let Some(handle) = &record.handle {
        sum.bytes(8, handle.as_bytes());
    }
    sum.finish().cast_signed()
}

/// The checksum of what an execution was started with.
pub(crate) fn of_start(execution: &Execution) -> i32 {
    let mut sum = of_value(&execution.id, &execution.input);
    sum.bytes(3, execution.handler.as_bytes());
    sum.finish().cast_signed()
}

/// The checksum of an output of the execution `id`.
pub(crate) fn of_output(id: &ExecutionId, output: &Payload) -> i32 {
    of_value(id, output).finish().cast_signed()
}

/// The checksum of a schedule's plan and input.
pub(crate) fn of_schedule(schedule: &ScheduleEntry) -> i32 {
    let mut sum = of_value(&schedule.name, &schedule.input);
    sum.bytes(3, schedule.handler.as_bytes());
    sum.bytes(4, schedule.plan.as_bytes());
    sum.finish().cast_signed()
}

fn of_value(id: &ExecutionId, value: &Payload) -> Checksum {
    let mut sum = Checksum::default();
    sum.bytes(0, id.as_str().as_bytes());
    sum.bytes(1, value.codec.as_bytes());
    sum.bytes(2, &value.data);
    sum
}

/// Compares a checksum with the stored one, where there is one.
pub(crate) fn compare(
    stored: Option<i32>,
    found: impl FnOnce() -> i32,
    column: &'static str,
) -> Result<(), Damage> {
    match stored {
        Some(stored) if stored != found() => Err(Damage {
            column,
            why: "its checksum is another one".to_owned(),
        }),
        _ => Ok(()),
    }
}
