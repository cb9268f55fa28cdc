//! Checksums of stored values.
//!
//! A server checks its pages only if it was initialized with `--data-checksums`, and nothing checks
//! what a pooler, a replica or a restored dump returns.

use durable_core::store::{Checksum, Execution, Message, ScheduleEntry};
use durable_core::{ExecutionId, Payload, Record};

use crate::rows::Damage;

/// Checksum of a record: identity, status and result.
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

/// Checksum of the handler, the input, the labels and the origin of an execution.
pub(crate) fn of_start(execution: &Execution) -> i32 {
    let mut sum = of_value(&execution.id, &execution.input);
    sum.bytes(3, execution.handler.as_bytes());
    if let Some(labels) = execution.labels.encode() {
        sum.bytes(4, labels.as_bytes());
    }
    if let Some(origin) = &execution.forked_from {
        sum.bytes(5, origin.encode().as_bytes());
    }
    sum.finish().cast_signed()
}

/// Checksum of an output of the execution `id`.
pub(crate) fn of_output(id: &ExecutionId, output: &Payload) -> i32 {
    of_value(id, output).finish().cast_signed()
}

/// Checksum of a message: everything that never changes after it was sent.
pub(crate) fn of_message(message: &Message) -> i32 {
    let mut sum = of_value(&message.to, &message.payload);
    sum.bytes(3, message.id.as_bytes());
    sum.bytes(4, message.name.as_bytes());
    sum.integer(5, message.number.cast_signed());
    sum.integer(6, message.sent_at.as_millis());
    sum.finish().cast_signed()
}

/// Checksum of a schedule's plan and input.
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

/// Compares a checksum with the stored one, if there is one.
pub(crate) fn compare(
    stored: Option<i32>,
    found: impl FnOnce() -> i32,
    column: &'static str,
) -> Result<(), Damage> {
    match stored {
        Some(stored) if stored != found() => Err(Damage {
            column,
            why: "the checksum does not match".to_owned(),
        }),
        _ => Ok(()),
    }
}
