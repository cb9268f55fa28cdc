//! Checksums beside what is stored.

use durable_core::store::{Checksum, Execution, ScheduleEntry};
use durable_core::{ExecutionId, Payload};
use rusqlite::types::ValueRef;

use crate::cells::{Cells, Damage};
use crate::error::Fault;
use crate::rows::encode_error;

/// A checksum as its column keeps it: a signed number takes four bytes at most.
pub(crate) type Sum = i32;

/// The checksum of columns in their order.
pub(crate) fn of_columns<'a>(columns: impl IntoIterator<Item = ValueRef<'a>>) -> Sum {
    let mut sum = Checksum::default();
    for (number, column) in (0..).zip(columns) {
        match column {
            ValueRef::Null => {}
            ValueRef::Integer(value) => sum.integer(number, value),
            ValueRef::Real(value) => sum.integer(number, value.to_bits().cast_signed()),
            ValueRef::Text(value) | ValueRef::Blob(value) => sum.bytes(number, value),
        }
    }
    sum.finish().cast_signed()
}

/// The checksum of what an execution was started with: its id, handler, input with its type, and the time.
pub(crate) fn of_start(execution: &Execution) -> Sum {
    let mut sum = of_value(&execution.id, &execution.input);
    sum.bytes(4, execution.handler.as_bytes());
    sum.integer(5, execution.created_at.as_millis());
    if let Some(input_type) = &execution.input_type {
        sum.bytes(6, input_type.as_bytes());
    }
    sum.finish().cast_signed()
}

/// The checksum of an output of the execution `id`.
pub(crate) fn of_output(id: &ExecutionId, output: &Payload) -> Sum {
    of_value(id, output).finish().cast_signed()
}

fn of_value(id: &ExecutionId, value: &Payload) -> Checksum {
    let mut sum = Checksum::default();
    sum.bytes(0, id.as_str().as_bytes());
    sum.bytes(1, value.codec.as_bytes());
    sum.bytes(2, &value.data);
    sum
}

/// The checksum of an error or report of the execution `id`.
pub(crate) fn of_text(id: &ExecutionId, text: &str) -> Sum {
    let mut sum = Checksum::default();
    sum.bytes(0, id.as_str().as_bytes());
    sum.bytes(3, text.as_bytes());
    sum.finish().cast_signed()
}

/// The checksum of a schedule.
pub(crate) fn of_schedule(schedule: &ScheduleEntry) -> Sum {
    let ScheduleEntry {
        name,
        plan,
        handler,
        input,
        ..
    } = schedule;
    let mut sum = Checksum::default();
    let fields = [
        name.as_str().as_bytes(),
        plan.as_bytes(),
        handler.as_bytes(),
        input.codec.as_bytes(),
        &input.data,
    ];
    for (number, field) in (0..).zip(fields) {
        sum.bytes(number, field);
    }
    sum.finish().cast_signed()
}

/// What an execution ended or stopped with, as its columns keep it.
pub(crate) struct End {
    pub(crate) output: Option<Sum>,
    pub(crate) error: Option<String>,
    pub(crate) error_sum: Option<Sum>,
    pub(crate) report: Option<Sum>,
}

impl End {
    pub(crate) fn of(execution: &Execution) -> Result<Self, Fault> {
        let id = &execution.id;
        let error = execution.error.as_ref().map(encode_error).transpose()?;
        let report = execution.report.as_deref();
        Ok(Self {
            output: execution
                .output
                .as_ref()
                .map(|output| of_output(id, output)),
            error_sum: error.as_deref().map(|error| of_text(id, error)),
            report: report.map(|report| of_text(id, report)),
            error,
        })
    }
}

/// Compares a row with the checksum in its column `index`, if it has one.
pub(crate) fn verify(
    row: &Cells<'_>,
    index: usize,
    column: &'static str,
    found: impl FnOnce() -> Result<Sum, Damage>,
) -> Result<(), Damage> {
    let damage = |why: String| Damage {
        column,
        why,
        sum: true,
    };
    let kept = match row.get(index) {
        ValueRef::Null => return Ok(()),
        ValueRef::Integer(kept) => kept,
        _ => return Err(damage("the checksum beside it is no number".to_owned())),
    };
    let found = i64::from(found()?);
    if kept == found {
        return Ok(());
    }
    Err(damage(format!(
        "its bytes are not those that were written, by their checksum ({kept}, now {found})"
    )))
}
