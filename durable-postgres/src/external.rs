//! External updates: callback completions, heartbeats, results of children.

use durable_core::store::{CallbackId, Execution, ExecutionStatus};
use durable_core::{Completion, ExecutionId, Record, Timestamp};

use crate::columns::{Records, due, position, written_columns};
use crate::connection::{Conn, params};
use crate::database::{Attempt, Work};
use crate::error::Fault;
use crate::executions::{find_locked, not_found};
use crate::rows::{self, Stored, record_columns};

/// Completes a callback.
pub(crate) struct Complete {
    pub(crate) callback: CallbackId,
    pub(crate) outcome: Completion,
    pub(crate) now: Timestamp,
}

impl Work for Complete {
    type Answer = ();

    async fn run(&self, conn: &Conn<'_>, attempt: &mut Attempt<'_>) -> Result<(), Fault> {
        let (mut stored, mut found) = waiting(conn, attempt, &self.callback).await?;
        if attempt.unsure && found.as_ref().is_some_and(|found| self.is_done(found)) {
            return Ok(());
        }
        let record = self.callback.resolve(&stored.execution, found.as_mut())?;
        record.settle(&self.outcome, self.now);
        put(conn, stored.key, record).await?;
        stored.execution.note_external_change(self.now);
        let seq = Some(self.callback.seq());
        changed(conn, attempt, stored.key, &stored.execution, seq).await
    }
}

impl Complete {
    /// Whether an earlier attempt at this completion was committed.
    fn is_done(&self, found: &Record) -> bool {
        let same = match &self.outcome {
            Completion::Succeed(value) => found.payload.as_ref() == Some(value),
            Completion::Fail(error) => found.error.as_ref() == Some(error),
        };
        let ours = found.handle.as_deref() == Some(self.callback.as_str());
        same && ours && found.ended_at == Some(self.now)
    }
}

/// Extends the heartbeat timeout of a callback.
pub(crate) struct Heartbeat {
    pub(crate) callback: CallbackId,
    pub(crate) now: Timestamp,
}

impl Work for Heartbeat {
    type Answer = ();

    async fn run(&self, conn: &Conn<'_>, attempt: &mut Attempt<'_>) -> Result<(), Fault> {
        let (mut stored, mut found) = waiting(conn, attempt, &self.callback).await?;
        let record = self.callback.resolve(&stored.execution, found.as_mut())?;
        record.beat(self.now);
        put(conn, stored.key, record).await?;
        stored.execution.note_heartbeat();
        // Only the newest heartbeat is kept, so that their number does not grow with the run.
        let seq = self.callback.seq();
        let delete = "DELETE FROM @.changes WHERE execution = $1 AND seq = $2";
        conn.query(delete, params![stored.key => INT8, position(seq) => INT8])
            .await?;
        changed(conn, attempt, stored.key, &stored.execution, Some(seq)).await
    }
}

/// The execution that waits for a callback, and the callback's record, both locked.
async fn waiting(
    conn: &Conn<'_>,
    attempt: &Attempt<'_>,
    callback: &CallbackId,
) -> Result<(Stored, Option<Record>), Fault> {
    let location = &attempt.session.location;
    let id = callback.execution();
    let stored = find_locked(conn, location, id).await?;
    let stored = stored.ok_or_else(|| not_found(location, id))?;
    let record = record_locked(conn, location, id, stored.key, callback.seq()).await?;
    Ok((stored, record))
}

/// The record at a position, locked until the end of the transaction.
async fn record_locked(
    conn: &Conn<'_>,
    location: &str,
    id: &ExecutionId,
    key: i64,
    seq: u64,
) -> Result<Option<Record>, Fault> {
    const SELECT: &str = concat!(
        "SELECT ",
        record_columns!(),
        " FROM @.records WHERE execution = $1 AND seq = $2 FOR UPDATE"
    );
    let rows = conn
        .query(SELECT, params![key => INT8, position(seq) => INT8])
        .await?;
    Ok(rows::records(&rows, id, location)?.pop())
}

/// Writes a record, replacing the one at its position.
pub(crate) async fn put(conn: &Conn<'_>, key: i64, record: &Record) -> Result<(), Fault> {
    const DELETE: &str = "DELETE FROM @.records WHERE execution = $1 AND seq = $2";
    let seq = position(record.seq);
    conn.query(DELETE, params![key => INT8, seq => INT8])
        .await?;
    insert_records(conn, key, std::slice::from_ref(record)).await
}

/// Inserts records that do not exist yet.
pub(crate) async fn insert_records(
    conn: &Conn<'_>,
    key: i64,
    records: &[Record],
) -> Result<(), Fault> {
    const INSERT: &str = concat!(
        "INSERT INTO @.records (",
        written_columns!(),
        ") SELECT * FROM unnest($1::int8[], $2::int8[], $3::int8[], $4::int8[], $5::int8[], $6::int8[], $7::int8[], \
         $8::int8[], $9::int8[], $10::int8[], $11::int4[], $12::int4[], $13::int4[], $14::bool[], $15::bytea[], \
         $16::bytea[], $17::text[], $18::text[], $19::text[], $20::text[], $21::text[], $22::text[], $23::text[], \
         $24::text[], $25::bytea[], $26::text[], $27::text[], $28::bytea[], $29::text[])"
    );
    let mut columns = Records::default();
    columns.extend(key, records)?;
    conn.query(INSERT, &columns.params()).await?;
    Ok(())
}

/// Update of the parent's operation that waits for an ended execution.
pub(crate) struct ParentCompletion {
    key: i64,
    waiting: Execution,
    record: Record,
}

impl ParentCompletion {
    /// Computes the update, if the execution has ended and its parent waits for it. This only reads,
    /// so that an unreadable parent is reported before anything is written.
    pub(crate) async fn of(
        conn: &Conn<'_>,
        attempt: &Attempt<'_>,
        ended: &Execution,
        now: Timestamp,
    ) -> Result<Option<Self>, Fault> {
        let (Some(parent), Some(outcome)) = (&ended.parent, ended.completion()) else {
            return Ok(None);
        };
        let location = &attempt.session.location;
        let found = find_locked(conn, location, &parent.execution).await?;
        let Some(Stored {
            key,
            execution: mut waiting,
            ..
        }) = found
        else {
            return Ok(None);
        };
        let record = record_locked(conn, location, &waiting.id, key, parent.seq).await?;
        let Some(mut record) = record.filter(|record| parent.is(record)) else {
            return Ok(None);
        };
        if waiting.status.is_terminal() || !record.settle(&outcome, now) {
            return Ok(None);
        }
        waiting.note_external_change(now);
        Ok(Some(Self {
            key,
            waiting,
            record,
        }))
    }

    pub(crate) async fn write(
        &self,
        conn: &Conn<'_>,
        attempt: &mut Attempt<'_>,
    ) -> Result<(), Fault> {
        put(conn, self.key, &self.record).await?;
        let seq = Some(self.record.seq);
        changed(conn, attempt, self.key, &self.waiting, seq).await
    }
}

/// Writes an external event of an execution, in its record `seq`, and records it for waiters.
pub(crate) async fn changed(
    conn: &Conn<'_>,
    attempt: &mut Attempt<'_>,
    key: i64,
    execution: &Execution,
    seq: Option<u64>,
) -> Result<(), Fault> {
    let changes = execution.changes.cast_signed();
    let update = "UPDATE @.executions SET changes = $2, wake_at = $3, due = $4, enqueued = $5, held = NULL WHERE key = $1";
    let (due, enqueued) = due(execution);
    let wake_at = execution.wake_at.map(Timestamp::as_millis);
    conn.query(
        update,
        params![key => INT8, changes => INT8, wake_at => INT8, due => INT8, enqueued => INT8],
    )
    .await?;
    // Only a current holder needs the position; the next one loads the whole history.
    if let (Some(seq), ExecutionStatus::Running) = (seq, execution.status) {
        let insert = "INSERT INTO @.changes (execution, number, seq) VALUES ($1, $2, $3)";
        conn.query(
            insert,
            params![key => INT8, changes => INT8, position(seq) => INT8],
        )
        .await?;
    }
    let settled = execution.status.is_settled();
    attempt
        .events
        .record(&execution.id, execution.changes, settled);
    if execution.due_at().is_some() {
        attempt.events.record_due();
    }
    Ok(())
}
