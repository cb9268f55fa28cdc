//! Writes batches of any number of executions in one statement.
//!
//! The statement locks the leases first. A takeover at the same moment either waits for the batch,
//! or commits first, and then the batch finds no lease with its fence. Batches without a lease are
//! skipped, and the others of the group are written.

use std::collections::HashMap;

use durable_core::store::{Ack, StoreError};
use durable_core::{Clock, SystemClock};
use tokio_postgres::Row;

use super::updates::{Updates, status};
use super::{Checkpoint, Current, repeated};
use crate::columns::{Records, replace_unless_settled, written_columns};
use crate::connection::{Conn, params};
use crate::error::Fault;
use crate::notifier::Events;
use crate::session::Session;

/// Writes records only. `$1` to `$29` are the records, `$30` to `$32` the leases.
macro_rules! write_records {
    () => {
        concat!(
            "WITH held AS (SELECT l.execution, e.changes, e.cancel, e.paused FROM unnest($30::int8[], $31::int8[], \
             $32::text[]) AS w (execution, fence, id) JOIN @.leases l ON l.execution = w.execution AND l.fence = w.fence \
             JOIN @.executions e ON e.key = w.execution AND e.id = w.id ORDER BY l.execution FOR UPDATE OF l), \
             written AS (INSERT INTO @.records AS r (",
            written_columns!(),
            ") SELECT new.* FROM unnest($1::int8[], $2::int8[], $3::int8[], $4::int8[], $5::int8[], $6::int8[], \
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
const WRITE_ONE: &str = concat!(
    "WITH held AS (SELECT e.key, e.changes, e.cancel, e.paused FROM @.leases l JOIN @.executions e ON e.key = l.execution \
     WHERE l.execution = $1 AND l.fence = $30 AND e.id = $31 FOR UPDATE OF l), \
     written AS (INSERT INTO @.records AS r (",
    written_columns!(),
    ") SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, \
     $24, $25, $26, $27, $28, $29 FROM held ",
    replace_unless_settled!(),
    ") SELECT key, changes, cancel, paused FROM held"
);

const WRITE: &str = concat!(
    write_records!(),
    " SELECT execution, changes, cancel, paused FROM held"
);

/// Writes records and status updates, `$33` to `$43`. An execution with external events that the batch has not seen is
/// due at once. Its row is locked by then, so no event is missed in between.
const WRITE_AND_END: &str = concat!(
    write_records!(),
    ", ended AS (UPDATE @.executions e SET status = n.status, updated_at = n.now, last_batch = n.batch, \
     wake_at = CASE WHEN n.status <> 'suspended' THEN NULL WHEN e.changes > n.seen THEN n.now ELSE n.wake_at END, \
     due = CASE WHEN n.status <> 'suspended' OR e.paused THEN NULL WHEN e.changes > n.seen THEN n.now ELSE n.wake_at END, \
     report = n.report, error = n.error, output_codec = n.codec, output = n.output, output_checksum = n.checksum, \
     admitted = e.queue IS NOT NULL AND n.status IN ('suspended', 'blocked'), \
     tried = CASE n.status WHEN 'blocked' THEN coalesce(e.tried, '') || coalesce(e.build, '') || chr(10) END \
     FROM unnest($33::int8[], $34::int8[], $35::int8[], $36::text[], $37::int8[], $38::int8[], $39::text[], $40::text[], \
     $41::text[], $42::bytea[], $43::int4[]) AS n (execution, batch, seen, status, now, wake_at, report, error, codec, \
     output, checksum) JOIN held ON held.execution = n.execution WHERE e.key = n.execution \
     RETURNING e.key, e.changes, e.cancel, e.paused), \
     released AS (DELETE FROM @.leases l USING ended WHERE l.execution = ended.key) \
     SELECT h.execution, coalesce(e.changes, h.changes), coalesce(e.cancel, h.cancel), coalesce(e.paused, h.paused) \
     FROM held h LEFT JOIN ended e ON e.key = h.execution"
);

/// Writes batches of different executions. The outer error concerns the group, an inner one its
/// batch.
pub(crate) async fn write_group(
    conn: &Conn,
    session: &Session,
    group: &[&Checkpoint],
    events: &mut Events,
) -> Result<Vec<Result<Ack, StoreError>>, Fault> {
    let written = write(conn, group).await?;
    let mut answers = Vec::with_capacity(group.len());
    for checkpoint in group {
        let answer = match written.get(&checkpoint.token.key) {
            Some(row) => {
                let current = Current::read(row, 1)?;
                record_events(checkpoint, &current, events);
                Ok(current.ack(conn, session, checkpoint).await?)
            }
            None => repeated(conn, session, checkpoint).await?,
        };
        answers.push(answer);
    }
    Ok(answers)
}

async fn write(conn: &Conn, group: &[&Checkpoint]) -> Result<HashMap<i64, Row>, Fault> {
    let now = SystemClock.now();
    let (mut records, mut ends) = (Records::default(), Updates::default());
    for checkpoint in group {
        records.extend(checkpoint.token.key, &checkpoint.batch.records)?;
        ends.push(checkpoint, now)?;
    }
    if let ([only], true, Some(columns)) = (group, ends.is_empty(), records.only()) {
        let (fence, id) = (only.token.number, only.fence.execution.as_str());
        let mut all = columns.to_vec();
        all.extend_from_slice(params![fence => INT8, id => TEXT]);
        return by_key(conn.query(WRITE_ONE, &all).await?);
    }
    let keys: Vec<_> = group.iter().map(|one| one.token.key).collect();
    let fences: Vec<_> = group.iter().map(|one| one.token.number).collect();
    let ids: Vec<_> = group
        .iter()
        .map(|one| one.fence.execution.as_str())
        .collect();
    let mut all = records.params().to_vec();
    all.extend_from_slice(params![keys => INT8_ARRAY, fences => INT8_ARRAY, ids => TEXT_ARRAY]);
    let rows = if ends.is_empty() {
        conn.query(WRITE, &all).await?
    } else {
        all.extend(ends.params());
        conn.query(WRITE_AND_END, &all).await?
    };
    by_key(rows)
}

fn by_key(rows: Vec<Row>) -> Result<HashMap<i64, Row>, Fault> {
    let keyed = |row: Row| Ok((row.try_get(0)?, row));
    rows.into_iter().map(keyed).collect()
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
