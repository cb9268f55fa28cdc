//! What others than the holder of a lease change: callbacks, parents, cancellation.

use durable_core::store::{CallbackId, Execution, ExecutionStatus};
use durable_core::{Completion, ExecutionId, Record, Timestamp};
use rusqlite::{Connection, params};

use crate::error::Fault;
use crate::reads;
use crate::rows::{self, put};
use crate::session::{Session, Write};
use crate::sums;

pub(crate) struct Complete {
    pub(crate) callback: CallbackId,
    pub(crate) outcome: Completion,
    pub(crate) now: Timestamp,
}

impl Write for Complete {
    type Answer = ();

    fn run(&self, conn: &Connection, session: &Session) -> Result<(), Fault> {
        let (callback, path) = (&self.callback, &session.path);
        let (key, mut execution) = reads::existing(conn, path, callback.execution())?;
        let mut found = reads::record(conn, path, &execution.id, key, callback.seq())?;
        let record = callback.resolve(&execution, found.as_mut())?;
        record.settle(&self.outcome, self.now);
        put(conn, key, record)?;
        execution.changed(self.now);
        changed(conn, session, key, &execution, Some(callback.seq()))
    }
}

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
        execution.kept_alive();
        // However long a run lasts, only the last heartbeat is to be told.
        conn.prepare_cached("DELETE FROM changes WHERE execution = ?1 AND seq = ?2")?
            .execute(params![key, callback.seq().cast_signed()])?;
        changed(conn, session, key, &execution, Some(callback.seq()))
    }
}

pub(crate) struct Cancel {
    pub(crate) id: ExecutionId,
    pub(crate) now: Timestamp,
}

impl Write for Cancel {
    type Answer = ();

    fn run(&self, conn: &Connection, session: &Session) -> Result<(), Fault> {
        let (key, mut execution) = reads::existing(conn, &session.path, &self.id)?;
        let before = execution.changes;
        execution.ask_to_cancel(self.now);
        if execution.changes == before {
            return Ok(());
        }
        let told = ParentCompletion::by(conn, session, &execution, self.now)?;
        let update = "UPDATE executions SET status = ?2, updated_at = ?3, error = ?4, cancel = ?5, paused = ?6, \
                      admitted = ?7, report = ?8, error_checksum = ?9, report_checksum = ?10 WHERE key = ?1";
        let end = sums::End::of(&execution)?;
        conn.prepare_cached(update)?.execute(params![
            key,
            execution.status.as_str(),
            execution.updated_at.as_millis(),
            end.error,
            execution.cancel,
            execution.paused,
            execution.admitted,
            execution.report,
            end.error_sum,
            end.report,
        ])?;
        changed(conn, session, key, &execution, None)?;
        told.map_or(Ok(()), |told| told.write(conn, session))
    }
}

/// The operation that waits for an execution's end as the end leaves it, still to be written.
pub(crate) struct ParentCompletion {
    key: i64,
    waiting: Execution,
    record: Record,
}

impl ParentCompletion {
    /// Whom the end of an execution settles an operation of, if it has ended for good. Only reads, so
    /// that a parent that cannot be read refuses the end before any of it is written.
    pub(crate) fn by(
        conn: &Connection,
        session: &Session,
        ended: &Execution,
        now: Timestamp,
    ) -> Result<Option<Self>, Fault> {
        let (Some(parent), Some(outcome)) = (&ended.parent, ended.completion()) else {
            return Ok(None);
        };
        let Some((key, mut waiting)) = reads::find(conn, &session.path, &parent.execution)? else {
            return Ok(None);
        };
        let record = reads::record(conn, &session.path, &waiting.id, key, parent.seq)?;
        let Some(mut record) = record.filter(|record| parent.is(record)) else {
            return Ok(None);
        };
        if waiting.status.is_terminal() || !record.settle(&outcome, now) {
            return Ok(None);
        }
        waiting.changed(now);
        Ok(Some(Self {
            key,
            waiting,
            record,
        }))
    }

    pub(crate) fn write(&self, conn: &Connection, session: &Session) -> Result<(), Fault> {
        put(conn, self.key, &self.record)?;
        changed(
            conn,
            session,
            self.key,
            &self.waiting,
            Some(self.record.seq),
        )
    }
}

/// Writes that an execution was changed, in its record `seq`, and notes it for those who wait.
pub(crate) fn changed(
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
    // Whoever claims it next reads the record; only who runs it now has to be told.
    if let (Some(seq), ExecutionStatus::Running) = (seq, execution.status) {
        let insert = "INSERT INTO changes (execution, number, seq) VALUES (?1, ?2, ?3)";
        conn.prepare_cached(insert)?
            .execute(params![key, changes, seq.cast_signed()])?;
    }
    let settled = execution.status.is_settled();
    session.news.note(&execution.id, execution.changes, settled);
    if execution.due_at().is_some() {
        session.news.note_due();
    }
    Ok(())
}
