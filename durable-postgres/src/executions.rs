//! Reads of single executions, waits for their external events, and cancellation.

use std::time::Duration;

use durable_core::store::notifier::Changes;
use durable_core::store::{Execution, ExecutionStatus, StoreError, StoreErrorKind};
use durable_core::{ExecutionId, Timestamp};

use crate::columns::encode_error;
use crate::connection::{Conn, params};
use crate::database::{Attempt, Database, Work};
use crate::driver::Row;
use crate::error::Fault;
use crate::external::{ParentCompletion, changed};
use crate::rows::{self, Stored, execution_columns};
use crate::session::Counters;
use crate::text::stored;

const ONE: &str = concat!(
    "SELECT ",
    execution_columns!(),
    " FROM @.executions WHERE id = $1"
);

const ONE_LOCKED: &str = concat!(
    "SELECT ",
    execution_columns!(),
    " FROM @.executions WHERE id = $1 FOR UPDATE"
);

/// Returns the execution with this id, if it exists.
pub(crate) async fn find(
    conn: &Conn<'_>,
    location: &str,
    id: &ExecutionId,
) -> Result<Option<Stored>, Fault> {
    let rows = conn.query(ONE, params![id.as_str() => TEXT]).await?;
    rows.first()
        .map(|row| rows::existing(row, location))
        .transpose()
}

/// Returns the execution with this id, locked until the end of the transaction.
pub(crate) async fn find_locked(
    conn: &Conn<'_>,
    location: &str,
    id: &ExecutionId,
) -> Result<Option<Stored>, Fault> {
    let rows = conn.query(ONE_LOCKED, params![id.as_str() => TEXT]).await?;
    rows.first()
        .map(|row| rows::existing(row, location))
        .transpose()
}

pub(crate) fn not_found(location: &str, id: &ExecutionId) -> StoreError {
    StoreError::new(
        StoreErrorKind::NotFound,
        format!("there is no execution `{id}` in PostgreSQL at {location}"),
    )
}

/// Reads an execution.
pub(crate) struct Get(pub(crate) ExecutionId);

impl Work for Get {
    type Answer = Execution;
    const TRANSACTION: bool = false;

    async fn run(&self, conn: &Conn<'_>, attempt: &mut Attempt<'_>) -> Result<Execution, Fault> {
        let Self(id) = self;
        Counters::add(&attempt.session.counters.reads, 1);
        let location = &attempt.session.location;
        let found = find(conn, location, id).await?;
        Ok(found.ok_or_else(|| not_found(location, id))?.execution)
    }
}

/// The columns `changes` and `status`, from column `first`.
pub(crate) fn changes(row: &Row, first: usize) -> Result<Changes, Fault> {
    let status = ExecutionStatus::from_word(row.try_get(first + 1)?);
    Ok(Changes {
        count: row.try_get::<i64>(first)?.cast_unsigned(),
        settled: status.is_some_and(ExecutionStatus::is_settled),
    })
}

/// Reads the number of external events of an execution.
struct CountChanges<'a>(&'a ExecutionId);

impl Work for CountChanges<'_> {
    type Answer = Changes;
    const TRANSACTION: bool = false;

    async fn run(&self, conn: &Conn<'_>, attempt: &mut Attempt<'_>) -> Result<Changes, Fault> {
        let Self(id) = self;
        Counters::add(&attempt.session.counters.reads, 1);
        let select = "SELECT changes, status FROM @.executions WHERE id = $1";
        let rows = conn.query(select, params![id.as_str() => TEXT]).await?;
        match rows.first() {
            Some(row) => changes(row, 0),
            None => Err(not_found(&attempt.session.location, id).into()),
        }
    }
}

/// Delay before the process that holds the lease reads the number of changes.
const READ_DELAY: Duration = Duration::from_millis(5);

/// Waits until an execution has had more than `seen` external events, or is settled.
pub(crate) async fn wait_for_changes(
    database: &Database,
    id: &ExecutionId,
    seen: u64,
) -> Result<(), StoreError> {
    // Before the number is read, so that no change is missed in between.
    let mut subscription = database.session.notifier.subscribe(id);
    if database.session.holds(id) {
        // Every acknowledged batch returns the number of changes, so this process knows a recent
        // one. Most waits end before a read would find a newer one.
        let notified = subscription.more_than(seen);
        if tokio::time::timeout(READ_DELAY, notified).await.is_ok() {
            return Ok(());
        }
    }
    if !database.run(CountChanges(id)).await?.is_beyond(seen) {
        subscription.more_than(seen).await;
    }
    Ok(())
}

/// Requests the cancellation of an execution.
pub(crate) struct Cancel {
    pub(crate) id: ExecutionId,
    pub(crate) now: Timestamp,
}

impl Work for Cancel {
    type Answer = ();

    async fn run(&self, conn: &Conn<'_>, attempt: &mut Attempt<'_>) -> Result<(), Fault> {
        let location = &attempt.session.location;
        let found = find_locked(conn, location, &self.id).await?;
        let Stored {
            key, mut execution, ..
        } = found.ok_or_else(|| not_found(location, &self.id))?;
        let before = execution.changes;
        execution.request_cancel(self.now);
        if execution.changes == before {
            return Ok(());
        }
        let completion = ParentCompletion::of(conn, attempt, &execution, self.now).await?;
        let error = execution.error.as_ref().map(encode_error).transpose()?;
        let update = "UPDATE @.executions SET status = $2, updated_at = $3, error = $4, cancel = $5, paused = $6, admitted \
                      = $7, report = $8 WHERE key = $1";
        conn.query(
            update,
            params![
                key => INT8,
                execution.status.as_str() => TEXT,
                execution.updated_at.as_millis() => INT8,
                error => TEXT,
                execution.cancel => BOOL,
                execution.paused => BOOL,
                execution.admitted => BOOL,
                execution.report.as_deref().map(stored) => TEXT,
            ],
        )
        .await?;
        changed(conn, attempt, key, &execution, None).await?;
        if let Some(completion) = completion {
            completion.write(conn, attempt).await?;
        }
        Ok(())
    }
}
