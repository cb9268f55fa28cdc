//! Decodes rows to the types of `durable-core`.

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use durable_core::error::OperationError;
use durable_core::store::{
    Execution, ExecutionStatus, ForkedFrom, NewExecution, Parent, QueueEntry, ScheduleEntry,
    StoreError,
};
use durable_core::{
    ExecutionId, Fingerprint, Kind, Labels, Occurrence, OperationId, Payload, Record, Status,
    Timestamp, TraceParent,
};
use tokio_postgres::types::FromSql;

use crate::checksums;
use crate::driver::Row;
use crate::error::{Fault, corrupt};
use crate::text::original;

/// Damaged column of a row.
#[derive(Debug)]
pub(crate) struct Damage {
    pub(crate) column: &'static str,
    pub(crate) why: String,
}

impl Damage {
    /// Converts this to the error of a read of `what`.
    pub(crate) fn of(&self, location: &str, what: impl std::fmt::Display) -> StoreError {
        let Self { column, why } = self;
        corrupt(
            &location,
            format_args!("{what} cannot be read, column `{column}`: {why}"),
        )
    }
}

type Decoded<T> = Result<T, Damage>;

/// Columns that [`record`] decodes, in its order.
macro_rules! record_columns {
    () => {
        "seq, id, parent, kind, name, turn, item, label, ord, status, attempt, interruptions, started_at, ended_at, \
         due_at, value_type, codec, data, checksum, error, secret, source, handle, deadline, heartbeat, extent, \
         fingerprint, state_type"
    };
}
pub(crate) use record_columns;

/// Columns that [`execution`] decodes, in its order.
macro_rules! execution_columns {
    () => {
        "key, id, handler, status, input_codec, input, input_checksum, output_codec, output, output_checksum, error, \
         report, created_at, updated_at, wake_at, parent, parent_seq, parent_operation, next, changes, cancel, \
         start_at, queue, queue_key, priority, admitted, paused, fence, crashes, input_type, trace, labels, \
         forked_from"
    };
}
pub(crate) use execution_columns;

/// Number of columns of `execution_columns`, and index of the first column after them.
pub(crate) const EXECUTION_COLUMNS: usize = 33;

/// Columns that [`schedule`] decodes, in its order.
macro_rules! schedule_columns {
    () => {
        "name, plan, handler, input_codec, input, input_checksum, queue, queue_key, priority, next_at, last, paused, \
         revision"
    };
}
pub(crate) use schedule_columns;

/// Decodes a row of `record_columns`.
pub(crate) fn record(row: &Row) -> Decoded<Record> {
    let seq = integer(row, 0, "seq")?;
    let parent = match bytes(row, 2, "parent")? {
        Some(id) => operation_id(id, "parent")?,
        None => OperationId::ROOT,
    };
    let id = required(bytes(row, 1, "id")?, "id")?;
    let mut record = Record::started(
        seq.cast_unsigned(),
        operation_id(id, "id")?,
        parent,
        word(row, 3, "kind", Kind::from_word)?,
        text(row, 4, "name")?,
        occurrence(row, [5, 6])?,
        timestamp(row, 12, "started_at")?,
    );
    record.label = optional_text(row, 7, "label")?;
    record.order = integer(row, 8, "ord")?.cast_unsigned();
    record.status = word(row, 9, "status", Status::from_word)?;
    record.attempt = value::<i32>(row, 10, "attempt")?.cast_unsigned();
    record.interruptions = value::<i32>(row, 11, "interruptions")?.cast_unsigned();
    record.ended_at = optional_timestamp(row, 13, "ended_at")?;
    record.due_at = optional_timestamp(row, 14, "due_at")?;
    record.value_type = optional_text(row, 15, "value_type")?.map(Cow::Owned);
    record.payload = optional_payload(row, [16, 17], "data")?;
    let error = value::<Option<&str>>(row, 19, "error")?;
    record.error = error.map(recorded_error).transpose()?;
    record.secret = value(row, 20, "secret")?;
    record.source = text(row, 21, "source")?.into();
    record.handle = optional_text(row, 22, "handle")?;
    record.deadline = optional_timestamp(row, 23, "deadline")?;
    record.heartbeat = value::<Option<i64>>(row, 24, "heartbeat")?
        .map(|nanoseconds| Duration::from_nanos(nanoseconds.unsigned_abs()));
    record.extent = value::<Option<i64>>(row, 25, "extent")?.map(i64::cast_unsigned);
    record.state_type = optional_text(row, 27, "state_type")?.map(Cow::Owned);
    record.fingerprint = bytes(row, 26, "fingerprint")?
        .map(|print| match print.try_into() {
            Ok(print) => Ok(Fingerprint::from_bytes(print)),
            Err(error) => Err(damage("fingerprint", error)),
        })
        .transpose()?;
    let sum = value(row, 18, "checksum")?;
    checksums::compare(sum, || checksums::of_record(&record, error), "data")?;
    Ok(record)
}

/// Stored execution with the columns that callers do not see.
pub(crate) struct Stored {
    pub(crate) key: i64,
    pub(crate) fence: i64,
    pub(crate) crashes: u32,
    pub(crate) execution: Execution,
}

/// Decodes a row of `execution_columns`.
pub(crate) fn execution(row: &Row) -> Decoded<Stored> {
    let mut execution = Execution::queued(NewExecution {
        parent: parent(row, [15, 16, 17])?,
        start_at: optional_timestamp(row, 21, "start_at")?,
        queue: queue_entry(row, [22, 23, 24])?,
        input_type: optional_text(row, 29, "input_type")?.map(Cow::Owned),
        trace: optional_text(row, 30, "trace")?.and_then(|trace| TraceParent::from_header(&trace)),
        labels: labels(row, 31)?,
        forked_from: forked_from(row, 32)?.map(Box::new),
        ..NewExecution::new(
            word(row, 1, "id", |id| id.parse().ok())?,
            text(row, 2, "handler")?,
            payload(row, [4, 5], "input")?,
            timestamp(row, 12, "created_at")?,
        )
    });
    execution.status = word(row, 3, "status", ExecutionStatus::from_word)?;
    execution.output = optional_payload(row, [7, 8], "output")?;
    let error = value::<Option<&str>>(row, 10, "error")?;
    execution.error = error.map(recorded_error).transpose()?;
    execution.report = optional_text(row, 11, "report")?;
    execution.updated_at = timestamp(row, 13, "updated_at")?;
    execution.wake_at = optional_timestamp(row, 14, "wake_at")?;
    execution.next = optional_id(row, 18, "next")?;
    execution.changes = integer(row, 19, "changes")?.cast_unsigned();
    execution.cancel = value(row, 20, "cancel")?;
    execution.admitted = value(row, 25, "admitted")?;
    execution.paused = value(row, 26, "paused")?;
    let started = value(row, 6, "input_checksum")?;
    checksums::compare(started, || checksums::of_start(&execution), "input")?;
    if let Some(output) = &execution.output {
        let sum = value(row, 9, "output_checksum")?;
        checksums::compare(
            sum,
            || checksums::of_output(&execution.id, output),
            "output",
        )?;
    }
    Ok(Stored {
        key: integer(row, 0, "key")?,
        fence: integer(row, 27, "fence")?,
        crashes: value::<i32>(row, 28, "crashes")?.unsigned_abs(),
        execution,
    })
}

/// Decodes a row of `execution_columns`; an error names the execution.
pub(crate) fn existing(row: &Row, location: &str) -> Result<Stored, Fault> {
    execution(row).map_err(|damage| {
        let id = row.try_get::<&str>(1).unwrap_or("?");
        damage.of(location, format_args!("execution `{id}`")).into()
    })
}

/// Decodes rows of `record_columns`; an error names the record.
pub(crate) fn records(
    rows: &[Row],
    id: &ExecutionId,
    location: &str,
) -> Result<Vec<Record>, Fault> {
    let decode = |row| {
        record(row).map_err(|damage| {
            let seq = row.try_get::<i64>(0).unwrap_or_default();
            let what = format_args!("record {seq} of execution `{id}`").to_string();
            damage.of(location, what).into()
        })
    };
    rows.iter().map(decode).collect()
}

/// Decodes the operation that waits for the execution, from columns at these positions.
fn parent(row: &Row, [execution, seq, operation]: [usize; 3]) -> Decoded<Option<Parent>> {
    let Some(execution) = optional_id(row, execution, "parent")? else {
        return Ok(None);
    };
    let operation = required(
        bytes(row, operation, "parent_operation")?,
        "parent_operation",
    )?;
    Ok(Some(Parent {
        execution,
        seq: integer(row, seq, "parent_seq")?.cast_unsigned(),
        operation: operation_id(operation, "parent_operation")?,
    }))
}

fn queue_entry(row: &Row, [queue, key, priority]: [usize; 3]) -> Decoded<Option<QueueEntry>> {
    let Some(queue) = optional_text(row, queue, "queue")? else {
        return Ok(None);
    };
    Ok(Some(QueueEntry {
        queue,
        key: optional_text(row, key, "queue_key")?,
        priority: value(row, priority, "priority")?,
    }))
}

/// Decodes a row of `schedule_columns`.
pub(crate) fn schedule(row: &Row) -> Decoded<ScheduleEntry> {
    let schedule = ScheduleEntry {
        name: word(row, 0, "name", |id| id.parse().ok())?,
        plan: text(row, 1, "plan")?,
        handler: text(row, 2, "handler")?,
        input: payload(row, [3, 4], "input")?,
        queue: queue_entry(row, [6, 7, 8])?,
        next_at: optional_timestamp(row, 9, "next_at")?,
        last: optional_id(row, 10, "last")?,
        paused: value(row, 11, "paused")?,
        revision: integer(row, 12, "revision")?.cast_unsigned(),
    };
    let sum = value(row, 5, "input_checksum")?;
    checksums::compare(sum, || checksums::of_schedule(&schedule), "input")?;
    Ok(schedule)
}

fn damage(column: &'static str, why: impl std::fmt::Display) -> Damage {
    let why = why.to_string();
    Damage { column, why }
}

pub(crate) fn value<'r, T: FromSql<'r>>(
    row: &'r Row,
    index: usize,
    column: &'static str,
) -> Decoded<T> {
    row.try_get(index).map_err(|error| {
        let source = std::error::Error::source(&error);
        damage(
            column,
            source.map_or(error.to_string(), ToString::to_string),
        )
    })
}

pub(crate) fn integer(row: &Row, index: usize, column: &'static str) -> Decoded<i64> {
    value(row, index, column)
}

pub(crate) fn timestamp(row: &Row, index: usize, column: &'static str) -> Decoded<Timestamp> {
    integer(row, index, column).map(Timestamp::from_millis)
}

fn optional_timestamp(row: &Row, index: usize, column: &'static str) -> Decoded<Option<Timestamp>> {
    let found = value::<Option<i64>>(row, index, column)?;
    Ok(found.map(Timestamp::from_millis))
}

pub(crate) fn text(row: &Row, index: usize, column: &'static str) -> Decoded<String> {
    value(row, index, column).map(original)
}

fn optional_text(row: &Row, index: usize, column: &'static str) -> Decoded<Option<String>> {
    Ok(value::<Option<&str>>(row, index, column)?.map(original))
}

fn optional_id(row: &Row, index: usize, column: &'static str) -> Decoded<Option<ExecutionId>> {
    let found = value::<Option<&str>>(row, index, column)?;
    let parse = |id: &str| id.parse().map_err(|error| damage(column, error));
    found.map(parse).transpose()
}

fn forked_from(row: &Row, index: usize) -> Decoded<Option<ForkedFrom>> {
    let found = value::<Option<&str>>(row, index, "forked_from")?;
    let origin = found.map(ForkedFrom::decode).transpose();
    origin.map_err(|error| damage("forked_from", error))
}

fn labels(row: &Row, index: usize) -> Decoded<Labels> {
    let found = value::<Option<&str>>(row, index, "labels")?;
    let labels = found.map(Labels::decode).transpose();
    Ok(labels
        .map_err(|error| damage("labels", error))?
        .unwrap_or_default())
}

pub(crate) fn word<T>(
    row: &Row,
    index: usize,
    column: &'static str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Decoded<T> {
    let word: &str = value(row, index, column)?;
    parse(word).ok_or_else(|| damage(column, format_args!("invalid {column} {word:?}")))
}

fn bytes<'r>(row: &'r Row, index: usize, column: &'static str) -> Decoded<Option<&'r [u8]>> {
    value(row, index, column)
}

fn required<T>(found: Option<T>, column: &'static str) -> Decoded<T> {
    found.ok_or_else(|| damage(column, "unexpected NULL"))
}

fn operation_id(bytes: &[u8], column: &'static str) -> Decoded<OperationId> {
    let bytes = bytes.try_into().map_err(|error| damage(column, error))?;
    Ok(OperationId::from_bytes(bytes))
}

fn occurrence(row: &Row, [turn, item]: [usize; 2]) -> Decoded<Occurrence> {
    if let Some(item) = optional_text(row, item, "item")? {
        return Ok(Occurrence::Keyed(item));
    }
    let turn = value::<Option<i64>>(row, turn, "turn")?;
    Ok(turn.map_or(Occurrence::Once, |turn| {
        Occurrence::Ordered(turn.cast_unsigned())
    }))
}

fn recorded_error(text: &str) -> Decoded<OperationError> {
    serde_json::from_str(text).map_err(|error| damage("error", error))
}

fn optional_payload(
    row: &Row,
    indexes: [usize; 2],
    column: &'static str,
) -> Decoded<Option<Payload>> {
    match value::<Option<&str>>(row, indexes[0], column)? {
        None => Ok(None),
        Some(_) => payload(row, indexes, column).map(Some),
    }
}

pub(crate) fn payload(
    row: &Row,
    [codec, data]: [usize; 2],
    column: &'static str,
) -> Decoded<Payload> {
    let codec = match value::<&str>(row, codec, column)? {
        "json" => Cow::Borrowed("json"),
        other => Cow::Owned(original(other)),
    };
    let data = required(bytes(row, data, column)?, column)?;
    Ok(Payload {
        codec,
        data: Bytes::copy_from_slice(data),
    })
}
