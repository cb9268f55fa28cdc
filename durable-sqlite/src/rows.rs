//! Between rows and the types of `durable-core`.

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use durable_core::error::OperationError;
use durable_core::store::{
    Execution, ExecutionStatus, NewExecution, Parent, QueueEntry, ScheduleEntry,
};
use durable_core::{
    ExecutionId, Fingerprint, Kind, Occurrence, OperationId, Payload, Record, Status, Timestamp,
};
use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use rusqlite::{Connection, Row, params};

use crate::error::Fault;

/// A column that does not hold what was once written there.
#[derive(Debug)]
pub(crate) struct Damage {
    pub(crate) column: &'static str,
    pub(crate) why: String,
}

/// The highest position that a record can have.
pub(crate) const LAST: u64 = u32::MAX as u64;

type Decoded<T> = Result<T, Damage>;

/// What `record` reads, in its order.
macro_rules! record_columns {
    () => {
        "place & 4294967295, id, parent, kind, name, occurrence, label, ord, status, attempt, interruptions, \
         started_at, ended_at, due_at, value_type, codec, data, error, secret, source, handle, deadline, heartbeat, \
         extent, fingerprint, state_type"
    };
}
pub(crate) use record_columns;

macro_rules! insert_record {
    () => {
        "INSERT OR REPLACE INTO operations (place, id, parent, kind, name, occurrence, label, ord, status, attempt, \
         interruptions, started_at, ended_at, due_at, value_type, codec, data, error, secret, source, handle, \
         deadline, heartbeat, extent, fingerprint, state_type) "
    };
}

macro_rules! record_values {
    () => {
        "?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, \
         ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26"
    };
}

const PUT: &str = concat!(insert_record!(), "VALUES (", record_values!(), ")");

/// What is settled keeps its outcome.
const PUT_OPEN: &str = concat!(
    insert_record!(),
    "SELECT ",
    record_values!(),
    " WHERE NOT EXISTS (SELECT 1 FROM operations WHERE place = ?1 AND status IN ('succeeded', 'failed', 'cancelled'))"
);

/// What `execution` reads, in its order.
macro_rules! execution_columns {
    () => {
        "key, id, handler, status, input_codec, input, output_codec, output, error, report, created_at, updated_at, \
         wake_at, parent, parent_seq, parent_operation, next, changes, cancel, start_at, queue, queue_key, priority, \
         admitted, paused, input_type"
    };
}
pub(crate) use execution_columns;

/// What `schedule` reads, in its order.
macro_rules! schedule_columns {
    () => {
        "name, plan, handler, input_codec, input, queue, queue_key, priority, next_at, last, paused, revision"
    };
}
pub(crate) use schedule_columns;

/// Writes a record, in place of what is there.
pub(crate) fn put(conn: &Connection, execution: i64, record: &Record) -> Result<(), Fault> {
    execute(conn, PUT, execution, record)
}

/// Writes a record of an operation that the outside settles, unless it is settled.
pub(crate) fn put_open(conn: &Connection, execution: i64, record: &Record) -> Result<(), Fault> {
    execute(conn, PUT_OPEN, execution, record)
}

fn execute(conn: &Connection, sql: &str, execution: i64, record: &Record) -> Result<(), Fault> {
    let parent = (record.parent != OperationId::ROOT).then(|| record.parent.as_bytes().as_slice());
    let error = record.error.as_ref().map(encode_error).transpose()?;
    conn.prepare_cached(sql)?.execute(params![
        place(execution, record.seq),
        record.id.as_bytes().as_slice(),
        parent,
        record.kind.as_str(),
        &*record.name,
        occurrence_value(&record.occurrence),
        record.label,
        record.order.cast_signed(),
        record.status.as_str(),
        record.attempt,
        record.interruptions,
        record.started_at.as_millis(),
        record.ended_at.map(Timestamp::as_millis),
        record.due_at.map(Timestamp::as_millis),
        record.value_type.as_deref(),
        record.payload.as_ref().map(|payload| &*payload.codec),
        record.payload.as_ref().map(|payload| &payload.data[..]),
        error,
        record.secret,
        &*record.source,
        record.handle,
        record.deadline.map(Timestamp::as_millis),
        record.heartbeat.map(nanoseconds),
        record.extent.map(u64::cast_signed),
        record
            .fingerprint
            .as_ref()
            .map(|print| print.as_bytes().as_slice()),
        record.state_type.as_deref(),
    ])?;
    Ok(())
}

/// Where a record of an execution is kept. Records of one execution are neighbours.
pub(crate) fn place(execution: i64, seq: u64) -> i64 {
    execution << 32 | seq.min(LAST).cast_signed()
}

/// Up to 292 years, which is as good as for ever.
fn nanoseconds(time: Duration) -> i64 {
    i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)
}

fn occurrence_value(occurrence: &Occurrence) -> ToSqlOutput<'_> {
    match occurrence {
        Occurrence::Once => ToSqlOutput::Owned(Value::Null),
        Occurrence::Ordered(turn) => ToSqlOutput::Owned(Value::Integer(turn.cast_signed())),
        Occurrence::Keyed(key) => ToSqlOutput::Borrowed(ValueRef::Text(key.as_bytes())),
    }
}

pub(crate) fn encode_error(error: &OperationError) -> Result<String, Fault> {
    serde_json::to_string(error)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()).into())
}

/// The record in a row of `record_columns`.
pub(crate) fn record(row: &Row<'_>) -> Decoded<Record> {
    let seq = integer(row, 0, "seq")?;
    let parent = match optional(row, 2, "parent", operation_id)? {
        Some(id) => id,
        None => OperationId::ROOT,
    };
    let mut record = Record::started(
        seq.cast_unsigned(),
        operation_id(row, 1, "id")?,
        parent,
        word(row, 3, "kind", Kind::from_word)?,
        text(row, 4, "name")?,
        occurrence(row, 5, "occurrence")?,
        timestamp(row, 11, "started_at")?,
    );
    record.label = optional(row, 6, "label", text)?;
    record.order = integer(row, 7, "ord")?.cast_unsigned();
    record.status = word(row, 8, "status", Status::from_word)?;
    record.attempt = count(row, 9, "attempt")?;
    record.interruptions = count(row, 10, "interruptions")?;
    record.ended_at = optional(row, 12, "ended_at", timestamp)?;
    record.due_at = optional(row, 13, "due_at", timestamp)?;
    record.value_type = optional(row, 14, "value_type", text)?.map(Cow::Owned);
    record.payload = optional_payload(row, [15, 16], "data")?;
    record.error = optional(row, 17, "error", recorded_error)?;
    record.secret = integer(row, 18, "secret")? != 0;
    record.source = text(row, 19, "source")?.into();
    record.handle = optional(row, 20, "handle", text)?;
    record.deadline = optional(row, 21, "deadline", timestamp)?;
    record.heartbeat = optional(row, 22, "heartbeat", duration)?;
    record.extent = optional(row, 23, "extent", integer)?.map(i64::cast_unsigned);
    record.fingerprint = optional(row, 24, "fingerprint", fingerprint)?;
    record.state_type = optional(row, 25, "state_type", text)?.map(Cow::Owned);
    Ok(record)
}

/// The key and the execution in a row of `execution_columns`.
pub(crate) fn execution(row: &Row<'_>) -> Decoded<(i64, Execution)> {
    let id = execution_id(row, 1, "id")?;
    let mut execution = Execution::queued(NewExecution {
        parent: parent(row, [13, 14, 15])?,
        start_at: optional(row, 19, "start_at", timestamp)?,
        queue: queue_entry(row, [20, 21, 22])?,
        input_type: optional(row, 25, "input_type", text)?.map(Cow::Owned),
        ..NewExecution::new(
            id,
            text(row, 2, "handler")?,
            payload(row, [4, 5], "input")?,
            timestamp(row, 10, "created_at")?,
        )
    });
    execution.status = word(row, 3, "status", ExecutionStatus::from_word)?;
    execution.output = optional_payload(row, [6, 7], "output")?;
    execution.error = optional(row, 8, "error", recorded_error)?;
    execution.report = optional(row, 9, "report", text)?;
    execution.updated_at = timestamp(row, 11, "updated_at")?;
    execution.wake_at = optional(row, 12, "wake_at", timestamp)?;
    execution.next = optional(row, 16, "next", execution_id)?;
    execution.changes = integer(row, 17, "changes")?.cast_unsigned();
    execution.cancel = integer(row, 18, "cancel")? != 0;
    execution.admitted = integer(row, 23, "admitted")? != 0;
    execution.paused = integer(row, 24, "paused")? != 0;
    Ok((integer(row, 0, "key")?, execution))
}

/// The operation that waits for the execution, in columns of these positions.
pub(crate) fn parent(
    row: &Row<'_>,
    [execution, seq, operation]: [usize; 3],
) -> Decoded<Option<Parent>> {
    let Some(execution) = optional(row, execution, "parent", execution_id)? else {
        return Ok(None);
    };
    Ok(Some(Parent {
        execution,
        seq: integer(row, seq, "parent_seq")?.cast_unsigned(),
        operation: operation_id(row, operation, "parent_operation")?,
    }))
}

/// The place in a queue, in columns of these positions.
pub(crate) fn queue_entry(
    row: &Row<'_>,
    [queue, key, priority]: [usize; 3],
) -> Decoded<Option<QueueEntry>> {
    let Some(queue) = optional(row, queue, "queue", text)? else {
        return Ok(None);
    };
    let given = integer(row, priority, "priority")?;
    Ok(Some(QueueEntry {
        queue,
        key: optional(row, key, "queue_key", text)?,
        priority: i32::try_from(given).map_err(|error| damage("priority", error))?,
    }))
}

/// The schedule in a row of `schedule_columns`.
pub(crate) fn schedule(row: &Row<'_>) -> Decoded<ScheduleEntry> {
    Ok(ScheduleEntry {
        name: execution_id(row, 0, "name")?,
        plan: text(row, 1, "plan")?,
        handler: text(row, 2, "handler")?,
        input: payload(row, [3, 4], "input")?,
        queue: queue_entry(row, [5, 6, 7])?,
        next_at: optional(row, 8, "next_at", timestamp)?,
        last: optional(row, 9, "last", execution_id)?,
        paused: integer(row, 10, "paused")? != 0,
        revision: integer(row, 11, "revision")?.cast_unsigned(),
    })
}

/// The columns `due` and `enqueued` of an execution.
pub(crate) fn due(execution: &Execution) -> (Option<i64>, Option<i64>) {
    let at = execution.due_at().map(Timestamp::as_millis);
    if execution.waits_in_queue() {
        (None, at)
    } else {
        (at, None)
    }
}

fn damage(column: &'static str, why: impl std::fmt::Display) -> Damage {
    let why = why.to_string();
    Damage { column, why }
}

fn value<'r>(row: &'r Row<'_>, index: usize, column: &'static str) -> Decoded<ValueRef<'r>> {
    row.get_ref(index).map_err(|error| damage(column, error))
}

fn optional<T>(
    row: &Row<'_>,
    index: usize,
    column: &'static str,
    read: impl FnOnce(&Row<'_>, usize, &'static str) -> Decoded<T>,
) -> Decoded<Option<T>> {
    match value(row, index, column)? {
        ValueRef::Null => Ok(None),
        _ => read(row, index, column).map(Some),
    }
}

fn integer(row: &Row<'_>, index: usize, column: &'static str) -> Decoded<i64> {
    let value = value(row, index, column)?;
    value.as_i64().map_err(|error| damage(column, error))
}

fn count(row: &Row<'_>, index: usize, column: &'static str) -> Decoded<u32> {
    let number = integer(row, index, column)?;
    u32::try_from(number).map_err(|error| damage(column, error))
}

fn duration(row: &Row<'_>, index: usize, column: &'static str) -> Decoded<Duration> {
    let nanoseconds = integer(row, index, column)?;
    let nanoseconds = u64::try_from(nanoseconds).map_err(|error| damage(column, error))?;
    Ok(Duration::from_nanos(nanoseconds))
}

fn execution_id(row: &Row<'_>, index: usize, column: &'static str) -> Decoded<ExecutionId> {
    word(row, index, column, |id| id.parse().ok())
}

fn timestamp(row: &Row<'_>, index: usize, column: &'static str) -> Decoded<Timestamp> {
    integer(row, index, column).map(Timestamp::from_millis)
}

fn borrowed<'r>(row: &'r Row<'_>, index: usize, column: &'static str) -> Decoded<&'r str> {
    let value = value(row, index, column)?;
    value.as_str().map_err(|error| damage(column, error))
}

fn text(row: &Row<'_>, index: usize, column: &'static str) -> Decoded<String> {
    borrowed(row, index, column).map(str::to_owned)
}

fn word<T>(
    row: &Row<'_>,
    index: usize,
    column: &'static str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Decoded<T> {
    let word = borrowed(row, index, column)?;
    parse(word).ok_or_else(|| damage(column, format_args!("{word:?} is no {column}")))
}

fn bytes<'r>(row: &'r Row<'_>, index: usize, column: &'static str) -> Decoded<&'r [u8]> {
    let value = value(row, index, column)?;
    value.as_blob().map_err(|error| damage(column, error))
}

fn fingerprint(row: &Row<'_>, index: usize, column: &'static str) -> Decoded<Fingerprint> {
    let bytes = bytes(row, index, column)?;
    let bytes = bytes.try_into().map_err(|error| damage(column, error))?;
    Ok(Fingerprint::from_bytes(bytes))
}

fn operation_id(row: &Row<'_>, index: usize, column: &'static str) -> Decoded<OperationId> {
    let bytes = bytes(row, index, column)?;
    let bytes = bytes.try_into().map_err(|error| damage(column, error))?;
    Ok(OperationId::from_bytes(bytes))
}

fn occurrence(row: &Row<'_>, index: usize, column: &'static str) -> Decoded<Occurrence> {
    match value(row, index, column)? {
        ValueRef::Null => Ok(Occurrence::Once),
        ValueRef::Integer(turn) => Ok(Occurrence::Ordered(turn.cast_unsigned())),
        _ => text(row, index, column).map(Occurrence::Keyed),
    }
}

fn recorded_error(row: &Row<'_>, index: usize, column: &'static str) -> Decoded<OperationError> {
    serde_json::from_str(borrowed(row, index, column)?).map_err(|error| damage(column, error))
}

fn optional_payload(
    row: &Row<'_>,
    indexes: [usize; 2],
    column: &'static str,
) -> Decoded<Option<Payload>> {
    match value(row, indexes[0], column)? {
        ValueRef::Null => Ok(None),
        _ => payload(row, indexes, column).map(Some),
    }
}

fn payload(row: &Row<'_>, [codec, data]: [usize; 2], column: &'static str) -> Decoded<Payload> {
    let codec = match borrowed(row, codec, column)? {
        "json" => Cow::Borrowed("json"),
        other => Cow::Owned(other.to_owned()),
    };
    let data = Bytes::copy_from_slice(bytes(row, data, column)?);
    Ok(Payload { codec, data })
}
