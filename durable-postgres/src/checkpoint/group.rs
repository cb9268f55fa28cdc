//! Writes batches of any number of executions in one statement.
//!
//! The statement locks the leases first. A takeover at the same moment either waits for the batch,
//! or commits first, and then the batch finds no lease with its fence. Batches without a lease are
//! skipped, and the others of the group are written.

use std::collections::HashMap;

use durable_core::store::{Ack, Message, StoreError};
use durable_core::{Clock, SystemClock};

use super::inbox::Inbox;
use super::updates::{Updates, status};
use super::{Checkpoint, Current, repeated};
use crate::columns::{Records, replace_unless_settled, written_columns};
use crate::connection::{Conn, Param, params};
use crate::driver::Row;
use crate::error::Fault;
use crate::messages::{self, message_columns};
use crate::notifier::Events;
use crate::session::Session;

/// Writes records only. `$1` to `$29` are the records, `$30` to `$32` the leases.
macro_rules! write_records {
    () => {
        concat!(
            "WITH held AS (SELECT l.execution, e.changes, e.cancel, e.paused FROM unnest((SELECT $30::int8[]), $31::int8[], \
             $32::text[]) AS w (execution, fence, id) JOIN @.leases l ON l.execution = w.execution AND l.fence = w.fence \
             JOIN @.executions e ON e.key = w.execution AND e.id = w.id ORDER BY l.execution FOR UPDATE OF l), \
             written AS (INSERT INTO @.records AS r (",
            written_columns!(),
            ") SELECT new.* FROM unnest((SELECT $1::int8[]), $2::int8[], $3::int8[], $4::int8[], $5::int8[], $6::int8[], \
             $7::int8[], $8::int8[], $9::int8[], $10::int8[], $11::int4[], $12::int4[], $13::int4[], $14::bool[], \
             $15::bytea[], $16::bytea[], $17::text[], $18::text[], $19::text[], $20::text[], $21::text[], $22::text[], \
             $23::text[], $24::text[], $25::bytea[], $26::text[], $27::text[], $28::bytea[], $29::text[]) AS new (",
            written_columns!(),
            ") JOIN held ON held.execution = new.execution ",
            replace_unless_settled!(),
            ")"
        )
    };
}

/// Writes a single record, as most batches have one: `$1` to `$29` are its columns, `$30` the fence and `$31` the id.
/// Arrays take ten times as long.
macro_rules! write_record {
    () => {
        concat!(
            "WITH held AS (SELECT e.key, e.changes, e.cancel, e.paused FROM @.leases l JOIN @.executions e ON e.key = \
             l.execution WHERE l.execution = $1 AND l.fence = $30 AND e.id = $31 FOR UPDATE OF l), \
             written AS (INSERT INTO @.records AS r (",
            written_columns!(),
            ") SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, \
             $22, $23, $24, $25, $26, $27, $28, $29 FROM held ",
            replace_unless_settled!(),
            ")"
        )
    };
}

const WRITE_ONE: &str = concat!(
    write_record!(),
    " SELECT key, changes, cancel, paused FROM held"
);

/// Also receives message `$33` in the operation at position `$34`, or lets it wait again if that is NULL, and returns the
/// messages after `$32` that wait then.
///
/// The statement sees messages and the number of external events in the same snapshot. A message that is not in it is an
/// event that the holder of the lease has not seen.
const RECEIVE_ONE: &str = concat!(
    write_record!(),
    ", marked AS (UPDATE @.messages m SET received_by = $34 FROM held WHERE m.execution = held.key AND m.number = $33) \
     SELECT h.key, h.changes, h.cancel, h.paused, ",
    message_columns!(),
    " FROM held h LEFT JOIN @.messages m ON m.execution = h.key AND m.number > $32 AND CASE WHEN m.number = $33 THEN \
     $34::int8 IS NULL ELSE m.received_by IS NULL END ORDER BY m.number"
);

const WRITE: &str = concat!(
    write_records!(),
    " SELECT execution, changes, cancel, paused FROM held"
);

/// Writes records and status updates, `$33` to `$43`. An execution with external events that the batch has not seen is
/// due at once. Its row is locked by then, so no event is missed in between.
macro_rules! write_and_end {
    () => {
        concat!(
            write_records!(),
            ", ended AS (UPDATE @.executions e SET status = n.status, updated_at = n.now, last_batch = n.batch, \
             wake_at = CASE WHEN n.status <> 'suspended' THEN NULL WHEN e.changes > n.seen THEN n.now ELSE n.wake_at END, \
             due = CASE WHEN n.status <> 'suspended' OR e.paused THEN NULL WHEN e.changes > n.seen THEN n.now ELSE n.wake_at END, \
             report = n.report, error = n.error, output_codec = n.codec, output = n.output, output_checksum = n.checksum, \
             admitted = e.queue IS NOT NULL AND n.status IN ('suspended', 'blocked'), \
             tried = CASE n.status WHEN 'blocked' THEN coalesce(e.tried, '') || coalesce(e.build, '') || chr(10) END \
             FROM unnest((SELECT $33::int8[]), $34::int8[], $35::int8[], $36::text[], $37::int8[], $38::int8[], $39::text[], $40::text[], \
             $41::text[], $42::bytea[], $43::int4[]) AS n (execution, batch, seen, status, now, wake_at, report, error, codec, \
             output, checksum) JOIN held ON held.execution = n.execution WHERE e.key = n.execution \
             RETURNING e.key, e.changes, e.cancel, e.paused), \
             released AS (DELETE FROM @.leases l USING ended WHERE l.execution = ended.key)"
        )
    };
}

const WRITE_AND_END: &str = concat!(
    write_and_end!(),
    " SELECT h.execution, coalesce(e.changes, h.changes), coalesce(e.cancel, h.cancel), coalesce(e.paused, h.paused) \
     FROM held h LEFT JOIN ended e ON e.key = h.execution"
);

/// Also receives messages, `$44` to `$46`, and returns the waiting ones that `$47` and `$48` ask for, one a row. See
/// [`RECEIVE_ONE`].
const RECEIVE: &str = concat!(
    write_and_end!(),
    ", marks AS (SELECT * FROM unnest((SELECT $44::int8[]), $45::int8[], $46::int8[]) AS k (execution, number, receiver)), \
     marked AS (UPDATE @.messages m SET received_by = k.receiver FROM marks k JOIN held ON held.execution = k.execution \
     WHERE m.execution = k.execution AND m.number = k.number) \
     SELECT h.execution, coalesce(e.changes, h.changes), coalesce(e.cancel, h.cancel), coalesce(e.paused, h.paused), ",
    message_columns!(),
    " FROM held h LEFT JOIN ended e ON e.key = h.execution \
     LEFT JOIN unnest((SELECT $47::int8[]), $48::int8[]) AS a (execution, after) ON a.execution = h.execution \
     LEFT JOIN @.messages m ON m.execution = a.execution AND m.number > a.after AND coalesce((SELECT k.receiver IS NULL \
     FROM marks k WHERE k.execution = m.execution AND k.number = m.number), m.received_by IS NULL) \
     ORDER BY h.execution, m.number"
);

/// Column of the first message in the answer of a statement that returns messages.
const MESSAGES: usize = 4;

/// Writes batches of different executions. The outer error concerns the group, an inner one its
/// batch.
pub(crate) async fn write_group(
    conn: &Conn<'_>,
    session: &Session,
    group: &[&Checkpoint],
    events: &mut Events,
) -> Result<Vec<Result<Ack, StoreError>>, Fault> {
    let written = write(conn, group).await?;
    let mut answers = Vec::with_capacity(group.len());
    for checkpoint in group {
        let rows = written.get(&checkpoint.token.key).map(Vec::as_slice);
        let answer = match rows {
            Some(rows @ [first, ..]) => {
                let current = Current::read(first, 1)?;
                let messages = messages(checkpoint, session, rows)?;
                record_events(checkpoint, &current, events);
                let ack = current.ack(conn, session, checkpoint, messages);
                Ok(ack.await?)
            }
            _ => repeated(conn, session, checkpoint).await?,
        };
        answers.push(answer);
    }
    Ok(answers)
}

/// Decodes the messages that a batch asks for.
fn messages(
    checkpoint: &Checkpoint,
    session: &Session,
    rows: &[Row],
) -> Result<Vec<Message>, Fault> {
    if checkpoint.batch.messages_after.is_none() {
        return Ok(Vec::new());
    }
    let (id, location) = (&checkpoint.fence.execution, &session.location);
    let mut found = messages::optional_messages(rows, MESSAGES, id, location)?;
    // The statement does not see its own update of those that wait again.
    found
        .iter_mut()
        .for_each(|message| message.received_by = None);
    Ok(found)
}

async fn write(conn: &Conn<'_>, group: &[&Checkpoint]) -> Result<HashMap<i64, Vec<Row>>, Fault> {
    let now = SystemClock.now();
    let (mut records, mut ends) = (Records::default(), Updates::default());
    let mut inbox = Inbox::default();
    for checkpoint in group {
        records.extend(checkpoint.token.key, &checkpoint.batch.records)?;
        ends.push(checkpoint, now)?;
        inbox.push(checkpoint);
    }
    if let ([only], true, Some(columns)) = (group, ends.is_empty(), records.only()) {
        return write_one(conn, only, &columns, &inbox).await;
    }
    let keys: Vec<_> = group.iter().map(|one| one.token.key).collect();
    let fences: Vec<_> = group.iter().map(|one| one.token.number).collect();
    let ids: Vec<_> = group
        .iter()
        .map(|one| one.fence.execution.as_str())
        .collect();
    let mut all = records.params().to_vec();
    all.extend_from_slice(params![keys => INT8_ARRAY, fences => INT8_ARRAY, ids => TEXT_ARRAY]);
    let statement = if !inbox.is_empty() {
        all.extend(ends.params());
        all.extend(inbox.params());
        RECEIVE
    } else if !ends.is_empty() {
        all.extend(ends.params());
        WRITE_AND_END
    } else {
        WRITE
    };
    by_key(conn.query(statement, &all).await?)
}

/// Writes the only record of a batch that neither ends nor suspends its execution.
async fn write_one(
    conn: &Conn<'_>,
    checkpoint: &Checkpoint,
    columns: &[Param<'_>],
    inbox: &Inbox,
) -> Result<HashMap<i64, Vec<Row>>, Fault> {
    let (fence, id) = (checkpoint.token.number, checkpoint.fence.execution.as_str());
    let mut all = columns.to_vec();
    all.extend_from_slice(params![fence => INT8, id => TEXT]);
    if inbox.is_empty() {
        return by_key(conn.query(WRITE_ONE, &all).await?);
    }
    let [after, number, receiver] = inbox.only();
    all.extend_from_slice(params![after => INT8, number => INT8, receiver => INT8]);
    by_key(conn.query(RECEIVE_ONE, &all).await?)
}

/// Groups rows by the key of their execution, in their order.
fn by_key(rows: Vec<Row>) -> Result<HashMap<i64, Vec<Row>>, Fault> {
    let mut grouped: HashMap<i64, Vec<Row>> = HashMap::new();
    for row in rows {
        grouped.entry(row.try_get(0)?).or_default().push(row);
    }
    Ok(grouped)
}

/// Records the events of a status update.
fn record_events(checkpoint: &Checkpoint, current: &Current, events: &mut Events) {
    let Some(update) = &checkpoint.batch.execution else {
        return;
    };
    let status = status(update);
    let id = &checkpoint.fence.execution;
    events.record(id, current.changes, status.is_settled());
    let makes_room = checkpoint.links.is_none_or(|links| links.queued) && status.is_terminal();
    if makes_room || current.changes > checkpoint.batch.seen {
        events.record_due();
    } else if !status.is_terminal() {
        events.record_due_later();
    }
}
