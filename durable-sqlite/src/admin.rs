//! Operator actions: pause, resume, retry, delete.

use durable_core::store::{Change, Execution, Rewind};
use durable_core::{ExecutionId, Timestamp};
use rusqlite::{Connection, params};

use crate::checksums::OutcomeColumns;
use crate::claims::is_leased;
use crate::error::Fault;
use crate::external::record_change;
use crate::labels;
use crate::messages;
use crate::reads;
use crate::rows::{MAX_SEQ, put, row_key};
use crate::session::{Session, Write};

/// Applies an operator's change to an execution.
pub(crate) struct ApplyChange {
    pub(crate) id: ExecutionId,
    pub(crate) change: Change,
    pub(crate) now: Timestamp,
}

impl Write for ApplyChange {
    type Answer = ();

    fn run(&self, conn: &Connection, session: &Session) -> Result<(), Fault> {
        let (key, mut execution) = reads::existing(conn, &session.path, &self.id)?;
        let leased = is_leased(conn, session, key, self.now)?;
        execution.apply_change(&self.change, leased, self.now)?;
        match &self.change {
            Change::Delete => return delete(conn, key, &execution),
            Change::Rewind(rewind) => self.rewind(conn, key, rewind)?,
            _ => {}
        }
        let outcome = OutcomeColumns::of(&execution)?;
        let update = "UPDATE executions SET status = ?2, updated_at = ?3, report = ?4, error = ?5, output_codec = ?6, \
                      output = ?7, cancel = ?8, paused = ?9, admitted = ?10, output_checksum = ?11, error_checksum = ?12, \
                      report_checksum = ?13, tried = NULL, crashes = 0 WHERE key = ?1";
        conn.prepare_cached(update)?.execute(params![
            key,
            execution.status.as_str(),
            execution.updated_at.as_millis(),
            execution.report,
            outcome.error,
            execution.output.as_ref().map(|output| &*output.codec),
            execution.output.as_ref().map(|output| &output.data[..]),
            execution.cancel,
            execution.paused,
            execution.admitted,
            outcome.output_checksum,
            outcome.error_checksum,
            outcome.report_checksum,
        ])?;
        record_change(conn, session, key, &execution, None)
    }
}

impl ApplyChange {
    fn rewind(&self, conn: &Connection, key: i64, rewind: &Rewind) -> Result<(), Fault> {
        if let Some(first) = rewind.remove_from {
            let delete = "DELETE FROM operations WHERE place >= ?1 AND place <= ?2";
            let range = [row_key(key, first.max(1)), row_key(key, MAX_SEQ)];
            conn.prepare_cached(delete)?.execute(range)?;
            messages::unmark(conn, key, first)?;
        }
        rewind
            .records
            .iter()
            .try_for_each(|record| put(conn, key, record))?;
        // A lease left by a dead holder must not count as an interruption of the retry.
        conn.prepare_cached("DELETE FROM leases WHERE execution = ?1")?
            .execute([key])?;
        Ok(())
    }
}

fn delete(conn: &Connection, key: i64, execution: &Execution) -> Result<(), Fault> {
    labels::delete(conn, execution)?;
    conn.prepare_cached("DELETE FROM operations WHERE place > ?1 AND place <= ?2")?
        .execute([row_key(key, 0), row_key(key, MAX_SEQ)])?;
    for statement in [
        "DELETE FROM changes WHERE execution = ?1",
        "DELETE FROM messages WHERE execution = ?1",
        "DELETE FROM leases WHERE execution = ?1",
        "DELETE FROM executions WHERE key = ?1",
    ] {
        conn.prepare_cached(statement)?.execute([key])?;
    }
    Ok(())
}
