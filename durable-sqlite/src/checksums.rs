//! Checksums stored beside the values they protect.

use durable_core::store::{Checksum, Execution, Message, ScheduleEntry};
use durable_core::{ExecutionId, Payload};
use rusqlite::types::ValueRef;

use crate::cells::{Cells, Damage};
use crate::error::Fault;
use crate::rows::encode_error;

/// Checksum as its column stores it: SQLite encodes a signed 32-bit number in at most four bytes.
pub(crate) type Crc = i32;

/// Computes the checksum of the columns of a row, in order.
pub(crate) fn of_columns<'a>(columns: impl IntoIterator<Item = ValueRef<'a>>) -> Crc {
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

/// Computes the checksum of what never changes after the start of an execution: id, handler, input,
/// input type, creation time, labels and origin.
pub(crate) fn of_start(execution: &Execution) -> Crc {
    let mut sum = of_value(&execution.id, &execution.input);
    sum.bytes(4, execution.handler.as_bytes());
    sum.integer(5, execution.created_at.as_millis());
    if let Some(input_type) = &execution.input_type {
        sum.bytes(6, input_type.as_bytes());
    }
    if let Some(labels) = execution.labels.encode() {
        sum.bytes(7, labels.as_bytes());
    }
    if let Some(origin) = &execution.forked_from {
        sum.bytes(8, origin.encode().as_bytes());
    }
    sum.finish().cast_signed()
}

/// Computes the checksum of an output of the execution `id`.
pub(crate) fn of_output(id: &ExecutionId, output: &Payload) -> Crc {
    of_value(id, output).finish().cast_signed()
}

fn of_value(id: &ExecutionId, value: &Payload) -> Checksum {
    let mut sum = Checksum::default();
    sum.bytes(0, id.as_str().as_bytes());
    sum.bytes(1, value.codec.as_bytes());
    sum.bytes(2, &value.data);
    sum
}

/// Computes the checksum of an error or report of the execution `id`.
pub(crate) fn of_text(id: &ExecutionId, text: &str) -> Crc {
    let mut sum = Checksum::default();
    sum.bytes(0, id.as_str().as_bytes());
    sum.bytes(3, text.as_bytes());
    sum.finish().cast_signed()
}

/// Computes the checksum of a message: everything that never changes after it was sent.
pub(crate) fn of_message(message: &Message) -> Crc {
    let mut sum = of_value(&message.to, &message.payload);
    sum.bytes(3, message.id.as_bytes());
    sum.bytes(4, message.name.as_bytes());
    sum.integer(5, message.number.cast_signed());
    sum.integer(6, message.sent_at.as_millis());
    sum.finish().cast_signed()
}

/// Computes the checksum of a schedule: name, plan, handler and input.
pub(crate) fn of_schedule(schedule: &ScheduleEntry) -> Crc {
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

/// Columns that hold the outcome of an execution, with their checksums.
pub(crate) struct OutcomeColumns {
    /// The error, encoded as JSON.
    pub(crate) error: Option<String>,
    pub(crate) output_checksum: Option<Crc>,
    pub(crate) error_checksum: Option<Crc>,
    pub(crate) report_checksum: Option<Crc>,
}

impl OutcomeColumns {
    pub(crate) fn of(execution: &Execution) -> Result<Self, Fault> {
        let id = &execution.id;
        let error = execution.error.as_ref().map(encode_error).transpose()?;
        let report = execution.report.as_deref();
        Ok(Self {
            output_checksum: execution
                .output
                .as_ref()
                .map(|output| of_output(id, output)),
            error_checksum: error.as_deref().map(|error| of_text(id, error)),
            report_checksum: report.map(|report| of_text(id, report)),
            error,
        })
    }
}

/// Compares a computed checksum with the one in column `index`. Rows of older releases have none.
pub(crate) fn verify(
    row: &Cells<'_>,
    index: usize,
    column: &'static str,
    compute: impl FnOnce() -> Result<Crc, Damage>,
) -> Result<(), Damage> {
    let damage = |why: String| Damage {
        column,
        why,
        only_checksum_differs: true,
    };
    let stored = match row.get(index) {
        ValueRef::Null => return Ok(()),
        ValueRef::Integer(stored) => stored,
        _ => {
            return Err(damage(
                "its checksum column does not hold a number".to_owned(),
            ));
        }
    };
    let computed = i64::from(compute()?);
    if stored == computed {
        return Ok(());
    }
    Err(damage(format!(
        "its checksum does not match: stored {stored}, computed {computed}"
    )))
}
