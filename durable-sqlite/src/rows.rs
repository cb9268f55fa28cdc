//! Rows of the database, encoded from and decoded to the types of `durable-core`.

use std::borrow::Cow;
use std::time::Duration;

use durable_core::error::OperationError;
use durable_core::store::{
    Execution, ExecutionStatus, NewExecution, Parent, QueueEntry, ScheduleEntry,
};
use durable_core::{Kind, Occurrence, OperationId, Record, Status, Timestamp, TraceParent};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, Row};

use crate::cells::{
    Cells, Decoded, borrowed, count, damage, duration, execution_id, fingerprint, forked_from,
    integer, labels, occurrence, operation_id, optional, optional_payload, payload, recorded_error,
    text, timestamp, word,
};
use crate::checksums;
use crate::error::Fault;

/// Highest position that a record can have.
pub(crate) const MAX_SEQ: u64 = u32::MAX as u64;

/// Columns that `record` decodes, in order.
macro_rules! record_columns {
    () => {
        "place, id, parent, kind, name, occurrence, label, ord, status, attempt, interruptions, \
         started_at, ended_at, due_at, value_type, codec, data, error, secret, source, handle, deadline, heartbeat, \
         extent, fingerprint, state_type, checksum"
    };
}
pub(crate) use record_columns;

/// Number of columns covered by the checksum of a record: all those before it.
const CHECKSUMMED: usize = 26;

macro_rules! insert_record {
    () => {
        "INSERT OR REPLACE INTO operations (place, id, parent, kind, name, occurrence, label, ord, status, attempt, \
         interruptions, started_at, ended_at, due_at, value_type, codec, data, error, secret, source, handle, \
         deadline, heartbeat, extent, fingerprint, state_type, checksum) "
    };
}

macro_rules! record_values {
    () => {
        "?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, \
         ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27"
    };
}

const PUT: &str = concat!(insert_record!(), "VALUES (", record_values!(), ")");

/// Leaves an operation that is already settled as it is.
const PUT_OPEN: &str = concat!(
    insert_record!(),
    "SELECT ",
    record_values!(),
    " WHERE NOT EXISTS (SELECT 1 FROM operations WHERE place = ?1 AND status IN ('succeeded', 'failed', 'cancelled'))"
);

/// Columns that `execution` decodes, in order.
macro_rules! execution_columns {
    () => {
        "key, id, handler, status, input_codec, input, output_codec, output, error, report, created_at, updated_at, \
         wake_at, parent, parent_seq, parent_operation, next, changes, cancel, start_at, queue, queue_key, priority, \
         admitted, paused, input_type, input_checksum, output_checksum, error_checksum, report_checksum, trace, labels, \
         forked_from"
    };
}
pub(crate) use execution_columns;

/// Columns that `schedule` decodes, in order.
macro_rules! schedule_columns {
    () => {
        "name, plan, handler, input_codec, input, queue, queue_key, priority, next_at, last, paused, revision, checksum"
    };
}
pub(crate) use schedule_columns;

/// Writes a record, replacing the stored one.
pub(crate) fn put(conn: &Connection, execution: i64, record: &Record) -> Result<(), Fault> {
    execute(conn, PUT, execution, record)
}

/// Writes a record of an operation that external parties settle, unless it is settled already.
pub(crate) fn put_open(conn: &Connection, execution: i64, record: &Record) -> Result<(), Fault> {
    execute(conn, PUT_OPEN, execution, record)
}

fn execute(conn: &Connection, sql: &str, execution: i64, record: &Record) -> Result<(), Fault> {
    let error = record.error.as_ref().map(encode_error).transpose()?;
    let columns = columns(execution, record, error.as_deref());
    let checksum = checksums::of_columns(columns);
    let mut statement = conn.prepare_cached(sql)?;
    for (index, column) in (1..).zip(columns) {
        statement.raw_bind_parameter(index, ToSqlOutput::Borrowed(column))?;
    }
    statement.raw_bind_parameter(CHECKSUMMED + 1, checksum)?;
    statement.raw_execute()?;
    Ok(())
}

/// Encodes the columns of a record, except its checksum.
fn columns<'a>(
    execution: i64,
    record: &'a Record,
    error: Option<&'a str>,
) -> [ValueRef<'a>; CHECKSUMMED] {
    let payload = record.payload.as_ref();
    let parent = (record.parent != OperationId::ROOT).then_some(&record.parent);
    let occurrence = match &record.occurrence {
        Occurrence::Once => ValueRef::Null,
        Occurrence::Ordered(index) => ValueRef::Integer(index.cast_signed()),
        Occurrence::Keyed(key) => ValueRef::from(&**key),
    };
    [
        ValueRef::Integer(row_key(execution, record.seq)),
        ValueRef::Blob(record.id.as_bytes()),
        blob(parent.map(|parent| parent.as_bytes().as_slice())),
        record.kind.as_str().into(),
        (&*record.name).into(),
        occurrence,
        record.label.as_deref().into(),
        ValueRef::Integer(record.order.cast_signed()),
        record.status.as_str().into(),
        ValueRef::Integer(record.attempt.into()),
        ValueRef::Integer(record.interruptions.into()),
        ValueRef::Integer(record.started_at.as_millis()),
        number(record.ended_at.map(Timestamp::as_millis)),
        number(record.due_at.map(Timestamp::as_millis)),
        record.value_type.as_deref().into(),
        payload.map(|payload| &*payload.codec).into(),
        blob(payload.map(|payload| &payload.data[..])),
        error.into(),
        ValueRef::Integer(record.secret.into()),
        (&*record.source).into(),
        record.handle.as_deref().into(),
        number(record.deadline.map(Timestamp::as_millis)),
        number(record.heartbeat.map(nanoseconds)),
        number(record.extent.map(u64::cast_signed)),
        blob(
            record
                .fingerprint
                .as_ref()
                .map(|print| print.as_bytes().as_slice()),
        ),
        record.state_type.as_deref().into(),
    ]
}

fn number(value: Option<i64>) -> ValueRef<'static> {
    value.map_or(ValueRef::Null, ValueRef::Integer)
}

fn blob(value: Option<&[u8]>) -> ValueRef<'_> {
    value.map_or(ValueRef::Null, ValueRef::Blob)
}

/// Returns the row key of a record. Records of one execution are adjacent.
pub(crate) fn row_key(execution: i64, seq: u64) -> i64 {
    execution << 32 | seq.min(MAX_SEQ).cast_signed()
}

/// Returns the position of the record with a row key.
pub(crate) fn seq_of(row_key: i64) -> u64 {
    row_key.cast_unsigned() & MAX_SEQ
}

/// Converts to nanoseconds, at most 292 years.
fn nanoseconds(time: Duration) -> i64 {
    i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)
}

/// Encodes an error as JSON.
pub(crate) fn encode_error(error: &OperationError) -> Result<String, Fault> {
    serde_json::to_string(error)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()).into())
}

/// Decodes the record in a row of `record_columns`.
pub(crate) fn record(row: &Row<'_>) -> Decoded<Record> {
    let row = &Cells::of(row, CHECKSUMMED + 1)?;
    let row_key = integer(row, 0, "place")?;
    let parent = match optional(row, 2, "parent", operation_id)? {
        Some(id) => id,
        None => OperationId::ROOT,
    };
    let mut record = Record::started(
        seq_of(row_key),
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
    checksums::verify(row, CHECKSUMMED, "checksum", || {
        Ok(checksums::of_columns(row.first(CHECKSUMMED)))
    })?;
    Ok(record)
}

/// Decodes the key and the execution in a row of `execution_columns`.
pub(crate) fn execution(row: &Row<'_>) -> Decoded<(i64, Execution)> {
    let row = &Cells::of(row, 33)?;
    let id = execution_id(row, 1, "id")?;
    let mut execution = Execution::queued(NewExecution {
        parent: parent(row, [13, 14, 15])?,
        start_at: optional(row, 19, "start_at", timestamp)?,
        queue: queue_entry(row, [20, 21, 22])?,
        input_type: optional(row, 25, "input_type", text)?.map(Cow::Owned),
        trace: optional(row, 30, "trace", text)?.and_then(|trace| TraceParent::from_header(&trace)),
        labels: optional(row, 31, "labels", labels)?.unwrap_or_default(),
        forked_from: optional(row, 32, "forked_from", forked_from)?.map(Box::new),
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
    verify_values(row, &execution)?;
    Ok((integer(row, 0, "key")?, execution))
}

/// Verifies the checksums of input, output, error and report.
fn verify_values(row: &Cells<'_>, execution: &Execution) -> Decoded<()> {
    let id = &execution.id;
    let missing = |column| damage(column, "it has a checksum, but no value");
    let of_text = |index, column| match optional(row, index, column, borrowed)? {
        Some(text) => Ok(checksums::of_text(id, text)),
        None => Err(missing(column)),
    };
    checksums::verify(row, 26, "input", || Ok(checksums::of_start(execution)))?;
    checksums::verify(row, 27, "output", || match &execution.output {
        Some(output) => Ok(checksums::of_output(id, output)),
        None => Err(missing("output")),
    })?;
    checksums::verify(row, 28, "error", || of_text(8, "error"))?;
    checksums::verify(row, 29, "report", || of_text(9, "report"))
}

/// Decodes the operation that waits for the execution, from columns at these indexes.
pub(crate) fn parent(
    row: &Cells<'_>,
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

/// Decodes the queue entry, from columns at these indexes.
pub(crate) fn queue_entry(
    row: &Cells<'_>,
    [queue, key, priority]: [usize; 3],
) -> Decoded<Option<QueueEntry>> {
    let Some(queue) = optional(row, queue, "queue", text)? else {
        return Ok(None);
    };
    let number = integer(row, priority, "priority")?;
    Ok(Some(QueueEntry {
        queue,
        key: optional(row, key, "queue_key", text)?,
        priority: i32::try_from(number).map_err(|error| damage("priority", error))?,
    }))
}

/// Decodes the schedule in a row of `schedule_columns`.
pub(crate) fn schedule(row: &Row<'_>) -> Decoded<ScheduleEntry> {
    let row = &Cells::of(row, 13)?;
    let schedule = ScheduleEntry {
        name: execution_id(row, 0, "name")?,
        plan: text(row, 1, "plan")?,
        handler: text(row, 2, "handler")?,
        input: payload(row, [3, 4], "input")?,
        queue: queue_entry(row, [5, 6, 7])?,
        next_at: optional(row, 8, "next_at", timestamp)?,
        last: optional(row, 9, "last", execution_id)?,
        paused: integer(row, 10, "paused")? != 0,
        revision: integer(row, 11, "revision")?.cast_unsigned(),
    };
    checksums::verify(row, 12, "checksum", || {
        Ok(checksums::of_schedule(&schedule))
    })?;
    Ok(schedule)
}

/// Computes the columns `due` and `enqueued` of an execution.
pub(crate) fn due(execution: &Execution) -> (Option<i64>, Option<i64>) {
    let at = execution.due_at().map(Timestamp::as_millis);
    if execution.waits_in_queue() {
        (None, at)
    } else {
        (at, None)
    }
}
