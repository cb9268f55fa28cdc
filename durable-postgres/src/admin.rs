//! Administration: counts, histories, and changes by operators.

use durable_core::store::{Change, Execution, Rewind, StoreError, StoreErrorKind};
use durable_core::{ExecutionId, Record, Timestamp};

use crate::columns::{encode_error, position};
use crate::connection::{Conn, params};
use crate::database::{Attempt, Work};
use crate::driver::Row;
use crate::error::Fault;
use crate::executions::{find_locked, not_found};
use crate::external::{changed, put};
use crate::listing::label_arrays;
use crate::messages;
use crate::rows::{self, Stored, record_columns};
use crate::session::Counters;
use crate::text::stored;

/// Reads all records of an execution.
pub(crate) struct History(pub(crate) ExecutionId);

/// Reads the records of the values that an execution has published.
pub(crate) struct Published(pub(crate) ExecutionId);

/// Counts the records of each execution: the position of its last one.
pub(crate) struct CountOperations(pub(crate) Vec<ExecutionId>);

impl Work for CountOperations {
    type Answer = Vec<u64>;
    const TRANSACTION: bool = false;

    async fn run(&self, conn: &Conn<'_>, attempt: &mut Attempt<'_>) -> Result<Vec<u64>, Fault> {
        Counters::add(&attempt.session.counters.reads, 1);
        let ids: Vec<&str> = self.0.iter().map(ExecutionId::as_str).collect();
        let select = "SELECT (SELECT max(seq) FROM @.records WHERE execution = key) FROM unnest($1::text[]) WITH \
                      ORDINALITY AS wanted (id, place) LEFT JOIN @.executions USING (id) ORDER BY place";
        let rows = conn.query(select, params![ids => TEXT_ARRAY]).await?;
        let count = |row: &Row| Ok(row.try_get::<Option<i64>>(0)?.map_or(0, i64::unsigned_abs));
        rows.iter().map(count).collect()
    }
}

impl Work for History {
    type Answer = Vec<Record>;
    const TRANSACTION: bool = false;

    async fn run(&self, conn: &Conn<'_>, attempt: &mut Attempt<'_>) -> Result<Vec<Record>, Fault> {
        const SELECT: &str = concat!(
            "SELECT ",
            record_columns!(),
            " FROM @.records WHERE execution = $1 ORDER BY seq"
        );
        read_records(conn, attempt, &self.0, SELECT).await
    }
}

impl Work for Published {
    type Answer = Vec<Record>;
    const TRANSACTION: bool = false;

    async fn run(&self, conn: &Conn<'_>, attempt: &mut Attempt<'_>) -> Result<Vec<Record>, Fault> {
        const SELECT: &str = concat!(
            "SELECT ",
            record_columns!(),
            " FROM @.records WHERE execution = $1 AND name = '#published' ORDER BY seq"
        );
        read_records(conn, attempt, &self.0, SELECT).await
    }
}

/// Reads records of an execution with a statement whose parameter is its key.
async fn read_records(
    conn: &Conn<'_>,
    attempt: &Attempt<'_>,
    id: &ExecutionId,
    select_records: &'static str,
) -> Result<Vec<Record>, Fault> {
    let location = &attempt.session.location;
    Counters::add(&attempt.session.counters.reads, 1);
    let select = "SELECT key FROM @.executions WHERE id = $1";
    let found = conn.query(select, params![id.as_str() => TEXT]).await?;
    let Some(row) = found.first() else {
        return Err(not_found(location, id).into());
    };
    let key: i64 = row.try_get(0)?;
    let found = conn.query(select_records, params![key => INT8]).await?;
    rows::records(&found, id, location)
}

/// Applies an operator's change to an execution.
pub(crate) struct ApplyChange {
    pub(crate) id: ExecutionId,
    pub(crate) change: Change,
    pub(crate) now: Timestamp,
}

impl Work for ApplyChange {
    type Answer = ();

    async fn run(&self, conn: &Conn<'_>, attempt: &mut Attempt<'_>) -> Result<(), Fault> {
        let location = &attempt.session.location;
        let leased = self.is_leased(conn, attempt).await?;
        let deleted = attempt.unsure && matches!(self.change, Change::Delete);
        let Some(found) = find_locked(conn, location, &self.id).await? else {
            return match deleted {
                true => Ok(()),
                false => Err(not_found(location, &self.id).into()),
            };
        };
        let Stored {
            key, mut execution, ..
        } = found;
        if attempt.unsure && self.is_done(&execution) {
            return Ok(());
        }
        execution.apply_change(&self.change, leased, self.now)?;
        match &self.change {
            Change::Delete => return delete(conn, key, &execution).await,
            Change::Rewind(rewind) => self.rewind(conn, key, rewind).await?,
            _ => {}
        }
        self.write(conn, key, &execution).await?;
        changed(conn, attempt, key, &execution, None).await
    }
}

impl ApplyChange {
    /// Whether an earlier attempt at the rewind was committed.
    fn is_done(&self, execution: &Execution) -> bool {
        match &self.change {
            Change::Rewind(rewind) => {
                execution.changes == rewind.seen + 1 && execution.wake_at == Some(self.now)
            }
            _ => false,
        }
    }

    /// Whether the execution has a lease that has not expired. Locks the lease.
    async fn is_leased(&self, conn: &Conn<'_>, attempt: &Attempt<'_>) -> Result<bool, Fault> {
        let select = "SELECT l.expires_at > coalesce($2, (extract(epoch FROM clock_timestamp()) * 1000)::int8) FROM \
                      @.leases l JOIN @.executions e ON e.key = l.execution WHERE e.id = $1 FOR UPDATE OF l";
        let time = attempt
            .session
            .lease_time(self.now, std::time::Duration::ZERO);
        let found = conn
            .query(select, params![self.id.as_str() => TEXT, time => INT8])
            .await?;
        let held = found.first().map(|row| row.try_get(0)).transpose()?;
        Ok(held.unwrap_or(false))
    }

    async fn write(&self, conn: &Conn<'_>, key: i64, execution: &Execution) -> Result<(), Fault> {
        let error = execution.error.as_ref().map(encode_error).transpose()?;
        let output = execution.output.as_ref();
        let update = "UPDATE @.executions SET status = $2, updated_at = $3, report = $4, error = $5, output_codec = $6, \
                      output = $7, cancel = $8, paused = $9, admitted = $10, output_checksum = CASE WHEN $6 IS NOT NULL \
                      THEN output_checksum END, tried = NULL, crashes = 0 WHERE key = $1";
        conn.query(
            update,
            params![
                key => INT8,
                execution.status.as_str() => TEXT,
                execution.updated_at.as_millis() => INT8,
                execution.report.as_deref().map(stored) => TEXT,
                error => TEXT,
                output.map(|output| stored(&output.codec)) => TEXT,
                output.map(|output| &output.data[..]) => BYTEA,
                execution.cancel => BOOL,
                execution.paused => BOOL,
                execution.admitted => BOOL,
            ],
        )
        .await?;
        Ok(())
    }

    async fn rewind(&self, conn: &Conn<'_>, key: i64, rewind: &Rewind) -> Result<(), Fault> {
        if let Some(first) = rewind.remove_from {
            let delete = "DELETE FROM @.records WHERE execution = $1 AND seq >= $2";
            conn.query(delete, params![key => INT8, position(first) => INT8])
                .await?;
            messages::unmark(conn, key, first).await?;
        }
        for record in &rewind.records {
            put(conn, key, record).await?;
        }
        // The crash of an earlier holder must not count against the rewound execution.
        let delete = "DELETE FROM @.leases WHERE execution = $1";
        conn.query(delete, params![key => INT8]).await?;
        Ok(())
    }
}

/// Deletes an execution with its records, lease, changes, messages and labels.
async fn delete(conn: &Conn<'_>, key: i64, execution: &Execution) -> Result<(), Fault> {
    if !execution.labels.is_empty() {
        let (labels, values) = label_arrays(&execution.labels);
        let delete = "DELETE FROM @.labels l USING unnest($1::text[], $2::text[]) AS w (label, value) WHERE l.label = \
                      w.label AND l.value = w.value AND l.execution_id = $3";
        let id = execution.id.as_str();
        conn.query(
            delete,
            params![labels => TEXT_ARRAY, values => TEXT_ARRAY, id => TEXT],
        )
        .await?;
    }
    for table in [
        "DELETE FROM @.records WHERE execution = $1",
        "DELETE FROM @.changes WHERE execution = $1",
        "DELETE FROM @.messages WHERE execution = $1",
        "DELETE FROM @.leases WHERE execution = $1",
        "DELETE FROM @.executions WHERE key = $1",
    ] {
        conn.query(table, params![key => INT8]).await?;
    }
    Ok(())
}

/// Error for a schedule that does not exist.
pub(crate) fn schedule_not_found(location: &str, name: &ExecutionId) -> StoreError {
    let message = format!("there is no schedule `{name}` in PostgreSQL at {location}");
    StoreError::new(StoreErrorKind::NotFound, message)
}
