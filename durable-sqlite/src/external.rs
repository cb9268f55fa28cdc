//! External updates: callback completion, child results, cancellation.

use durable_core::store::{CallbackId, Execution, ExecutionStatus};
use durable_core::{Completion, ExecutionId, Record, Timestamp};
use rusqlite::{Connection, params};

use crate::checksums::OutcomeColumns;
use crate::error::Fault;
use crate::reads;
use crate::rows::{self, put};
use crate::session::{Session, Write};

/// Completes a callback.
pub(crate) struct Complete {
    pub(crate) callback: CallbackId,
    pub(crate) outcome: Completion,
    pub(crate) now: Timestamp,
}

impl Write for Complete {
    type Answer = ();

    fn size(&self) -> usize {
        match &self.outcome {
            Completion::Succeed(value) => value.len(),
            Completion::Fail(_) => 0,
        }
    }

    fn run(&self, conn: &Connection, session: &Session) -> Result<(), Fault> {
        let (callback, path) = (&self.callback, &session.path);
        let (key, mut execution) = reads::existing(conn, path, callback.execution())?;
        let mut found = reads::record(conn, path, &execution.id, key, callback.seq())?;
        let record = callback.resolve(&execution, found.as_mut())?;
        record.settle(&self.outcome, self.now);
        put(conn, key, record)?;
        execution.note_external_change(self.now);
        record_change(conn, session, key, &execution, Some(callback.seq()))
    }
}

/// Records the heartbeat of a callback.
pub(crate) struct Heartbeat {
    pub(crate) callback: CallbackId,
    pub(crate) now: Timestamp,
}

impl Write for Heartbeat {
    type Answer = ();

    fn run(&self, conn: &Connection, session: &Session) -> Result<(), Fault> {
        let (callback, path) = (&self.callback, &session.path);
        let (key, mut execution) = reads::existing(conn, path, callback.execution())?;
        let mut found = reads::record(conn, path, &execution.id, key, callback.seq())?;
        let record = callback.resolve(&execution, found.as_mut())?;
        record.beat(self.now);
        put(conn, key, record)?;
        execution.note_heartbeat();
        // Only the last heartbeat matters: a long run must not collect a row for each one.
        conn.prepare_cached("DELETE FROM changes WHERE execution = ?1 AND seq = ?2")?
            .execute(params![key, callback.seq().cast_signed()])?;
        record_change(conn, session, key, &execution, Some(callback.seq()))
    }
}

/// Requests the cancellation of an execution.
pub(crate) struct Cancel {
    pub(crate) id: ExecutionId,
    pub(crate) now: Timestamp,
}

impl Write for Cancel {
    type Answer = ();

    fn run(&self, conn: &Connection, session: &Session) -> Result<(), Fault> {
        let (key, mut execution) = reads::existing(conn, &session.path, &self.id)?;
        let before = execution.changes;
        execution.request_cancel(self.now);
        if execution.changes == before {
            return Ok(());
        }
        let parent = ParentCompletion::of(conn, session, &execution, self.now)?;
        let update = "UPDATE executions SET status = ?2, updated_at = ?3, error = ?4, cancel = ?5, paused = ?6, \
                      admitted = ?7, report = ?8, error_checksum = ?9, report_checksum = ?10 WHERE key = ?1";
        let outcome = OutcomeColumns::of(&execution)?;
        conn.prepare_cached(update)?.execute(params![
            key,
            execution.status.as_str(),
            execution.updated_at.as_millis(),
            outcome.error,
            execution.cancel,
            execution.paused,
            execution.admitted,
            execution.report,
            outcome.error_checksum,
            outcome.report_checksum,
        ])?;
        record_change(conn, session, key, &execution, None)?;
        parent.map_or(Ok(()), |parent| parent.write(conn, session))
    }
}

/// Completion of the operation that waits for a child execution, computed but not yet written.
pub(crate) struct ParentCompletion {
    key: i64,
    parent: Execution,
    record: Record,
}

impl ParentCompletion {
    /// Computes what the end of `ended` does to the operation that waits for it, if there is one.
    ///
    /// Only reads: if the parent cannot be read, the end is refused before any of it is written.
    pub(crate) fn of(
        conn: &Connection,
        session: &Session,
        ended: &Execution,
        now: Timestamp,
    ) -> Result<Option<Self>, Fault> {
        let (Some(operation), Some(outcome)) = (&ended.parent, ended.completion()) else {
            return Ok(None);
        };
        let Some((key, mut parent)) = reads::find(conn, &session.path, &operation.execution)?
        else {
            return Ok(None);
        };
        let record = reads::record(conn, &session.path, &parent.id, key, operation.seq)?;
        let Some(mut record) = record.filter(|record| operation.is(record)) else {
            return Ok(None);
        };
        if parent.status.is_terminal() || !record.settle(&outcome, now) {
            return Ok(None);
        }
        parent.note_external_change(now);
        Ok(Some(Self {
            key,
            parent,
            record,
        }))
    }

    pub(crate) fn write(&self, conn: &Connection, session: &Session) -> Result<(), Fault> {
        put(conn, self.key, &self.record)?;
        record_change(conn, session, self.key, &self.parent, Some(self.record.seq))
    }
}

/// Writes the change counter and due time of an execution, and notes the change for the notifier.
/// `seq` is the record that changed, if it was one.
pub(crate) fn record_change(
    conn: &Connection,
    session: &Session,
    key: i64,
    execution: &Execution,
    seq: Option<u64>,
) -> Result<(), Fault> {
    let changes = execution.changes.cast_signed();
    let update = "UPDATE executions SET changes = ?2, wake_at = ?3, due = ?4, enqueued = ?5, held = NULL WHERE key = ?1";
    let (due, enqueued) = rows::due(execution);
    conn.prepare_cached(update)?.execute(params![
        key,
        changes,
        execution.wake_at.map(Timestamp::as_millis),
        due,
        enqueued,
    ])?;
    // Only the current holder needs the row: the next one to claim the execution reads its records.
    if let (Some(seq), ExecutionStatus::Running) = (seq, execution.status) {
        let insert = "INSERT INTO changes (execution, number, seq) VALUES (?1, ?2, ?3)";
        conn.prepare_cached(insert)?
            .execute(params![key, changes, seq.cast_signed()])?;
    }
    let settled = execution.status.is_settled();
    session
        .notifier
        .note(&execution.id, execution.changes, settled);
    if execution.due_at().is_some() {
        session.notifier.note_due();
    }
    Ok(())
}
