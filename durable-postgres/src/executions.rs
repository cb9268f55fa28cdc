//! Executions: started, claimed, renewed, looked at, cancelled.

use std::time::Duration;

use durable_core::store::{Execution, ExecutionStatus, Fence, Lease, StoreError, StoreErrorKind};
use durable_core::{ExecutionId, Timestamp};
use tokio_postgres::Row;

use crate::columns::encode_error;
use crate::connection::{Conn, params};
use crate::database::{Database, Turn, Work};
use crate::error::Fault;
use crate::news::Changes;
use crate::outside::{ParentCompletion, changed};
use crate::rows::{self, Stored, execution_columns};
use crate::session::{Counters, Token, fence_lost, milliseconds};
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

/// The execution called `id`, if there is one.
pub(crate) async fn find(
    conn: &Conn,
    place: &str,
    id: &ExecutionId,
) -> Result<Option<Stored>, Fault> {
    let rows = conn.query(ONE, params![id.as_str() => TEXT]).await?;
    rows.first()
        .map(|row| rows::existing(row, place))
        .transpose()
}

/// The same, locked until the end of the transaction.
pub(crate) async fn find_locked(
    conn: &Conn,
    place: &str,
    id: &ExecutionId,
) -> Result<Option<Stored>, Fault> {
    let rows = conn.query(ONE_LOCKED, params![id.as_str() => TEXT]).await?;
    rows.first()
        .map(|row| rows::existing(row, place))
        .transpose()
}

pub(crate) fn not_found(place: &str, id: &ExecutionId) -> StoreError {
    StoreError::new(
        StoreErrorKind::NotFound,
        format!("there is no execution `{id}` in PostgreSQL at {place}"),
    )
}

/// Reads an execution.
pub(crate) struct Get(pub(crate) ExecutionId);

impl Work for Get {
    type Answer = Execution;
    const TRANSACTION: bool = false;

    async fn run(&self, conn: &Conn, turn: &mut Turn<'_>) -> Result<Execution, Fault> {
        let Self(id) = self;
        Counters::add(&turn.session.counters.reads, 1);
        let place = &turn.session.place;
        let found = find(conn, place, id).await?;
        Ok(found.ok_or_else(|| not_found(place, id))?.execution)
    }
}

/// Changes and status, in columns from `first`.
pub(crate) fn changes(row: &Row, first: usize) -> Result<Changes, Fault> {
    let status = ExecutionStatus::from_word(row.try_get(first + 1)?);
    let settled = status.is_some_and(ExecutionStatus::is_settled);
    Ok((row.try_get::<_, i64>(first)?.cast_unsigned(), settled))
}

/// Counts the changes of an execution.
struct CountChanges<'a>(&'a ExecutionId);

impl Work for CountChanges<'_> {
    type Answer = Changes;
    const TRANSACTION: bool = false;

    async fn run(&self, conn: &Conn, turn: &mut Turn<'_>) -> Result<Changes, Fault> {
        let Self(id) = self;
        Counters::add(&turn.session.counters.reads, 1);
        let select = "SELECT changes, status FROM @.executions WHERE id = $1";
        let rows = conn.query(select, params![id.as_str() => TEXT]).await?;
        match rows.first() {
            Some(row) => changes(row, 0),
            None => Err(not_found(&turn.session.place, id).into()),
        }
    }
}

/// How long the holder of a lease goes without a look at what has changed since it was told.
const SHORTLY: Duration = Duration::from_millis(5);

/// Ends once an execution was changed more often than `seen`.
pub(crate) async fn wait_for_changes(
    database: &Database,
    id: &ExecutionId,
    seen: u64,
) -> Result<(), StoreError> {
    // Before the look at the number, so that no change falls in between.
    let mut listening = database.session.news.listen(id);
    if database.session.holds(id) {
        // Its holder was told a moment ago how often it was changed: most ends come before a look
        // would tell anything.
        let told = listening.more_than(seen);
        if tokio::time::timeout(SHORTLY, told).await.is_ok() {
            return Ok(());
        }
    }
    let (changes, settled) = database.run(CountChanges(id)).await?;
    if changes <= seen && !settled {
        listening.more_than(seen).await;
    }
    Ok(())
}

/// A claim of one execution.
#[derive(Clone)]
pub(crate) struct Claim {
    pub(crate) id: ExecutionId,
    pub(crate) now: Timestamp,
    pub(crate) ttl: Duration,
    /// Differs between calls, so that a repetition after a lost answer is recognised.
    pub(crate) nonce: i64,
}

/// Takes the lease of an execution.
///
/// What nobody holds takes one statement, in a transaction of its own: where it finds nothing it
/// leaves the row locked all the same, and a takeover locks the lease before the execution, as
/// checkpoints do. What cannot be read rolls it back.
pub(crate) async fn claim(database: &Database, claim: Claim) -> Result<Lease, StoreError> {
    // A second time, as it may be released between the two looks.
    for _ in 0..2 {
        if let Some(lease) = database.run(ClaimFree(claim.clone())).await? {
            return Ok(lease);
        }
        if let Some(lease) = database.run(TakeOver(claim.clone())).await? {
            return Ok(lease);
        }
    }
    Err(leased(&claim.id, None))
}

/// A claim of what nobody holds; `$3` is the caller's time, `$4` the owner, `$5` the nonce, `$6` the time to live and
/// `$7` the time to compare leases with. The status as it was is the last column.
const CLAIM_FREE: &str = concat!(
    "WITH free AS (SELECT key AS k, status AS was FROM @.executions WHERE id = $1 AND status = ANY($2) AND NOT paused \
     FOR UPDATE), \
     claimed AS (UPDATE @.executions e SET fence = fence + 1, status = 'running', updated_at = $3, last_batch = NULL, \
     wake_at = NULL, due = NULL, enqueued = NULL, held = NULL, admitted = queue IS NOT NULL, report = NULL, crashes = 0 \
     FROM free WHERE e.key = free.k RETURNING ",
    execution_columns!(),
    ", was), \
     leased AS (INSERT INTO @.leases (execution, fence, owner, claim, expires_at) SELECT key, fence, $4, $5, coalesce($7, \
     (extract(epoch FROM clock_timestamp()) * 1000)::int8) + $6 FROM claimed), \
     cleared AS (DELETE FROM @.changes c USING claimed WHERE c.execution = claimed.key) \
     SELECT * FROM claimed"
);

/// Claims an execution that nobody holds; `None` when there is none, or somebody does.
struct ClaimFree(Claim);

impl Work for ClaimFree {
    type Answer = Option<Lease>;

    async fn run(&self, conn: &Conn, turn: &mut Turn<'_>) -> Result<Option<Lease>, Fault> {
        let Self(claim) = self;
        let free = ["queued", "suspended", "blocked"];
        let session = turn.session;
        let rows = conn
            .query(
                CLAIM_FREE,
                params![
                    claim.id.as_str() => TEXT,
                    &free[..] => TEXT_ARRAY,
                    claim.now.as_millis() => INT8,
                    session.owner => TEXT,
                    claim.nonce => INT8,
                    milliseconds(claim.ttl) => INT8,
                    session.lease_time(claim.now, claim.ttl) => INT8,
                ],
            )
            .await?;
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        let was: &str = row.try_get(30)?;
        let (blank, blocked) = (was == "queued", was == "blocked");
        let stored = rows::existing(row, &session.place)?;
        if blocked {
            turn.notes
                .changed(&stored.execution.id, stored.execution.changes, false);
        }
        Ok(Some(granted(turn, stored, blank)))
    }
}

/// Takes over the lease of a holder that is gone; `None` when there is none any more.
struct TakeOver(Claim);

impl Work for TakeOver {
    type Answer = Option<Lease>;

    async fn run(&self, conn: &Conn, turn: &mut Turn<'_>) -> Result<Option<Lease>, Fault> {
        let Self(claim) = self;
        let session = turn.session;
        // The lease first, as checkpoints do.
        let held = "SELECT l.execution, l.fence, l.claim, l.expires_at, l.expires_at <= coalesce($2, (extract(epoch FROM \
                    clock_timestamp()) * 1000)::int8) FROM @.leases l JOIN @.executions e ON e.key = l.execution WHERE \
                    e.id = $1 FOR UPDATE OF l";
        let time = session.lease_time(claim.now, claim.ttl);
        let held = conn
            .query(held, params![claim.id.as_str() => TEXT, time => INT8])
            .await?;
        let found = find_locked(conn, &session.place, &claim.id).await?;
        let mut stored = found.ok_or_else(|| not_found(&session.place, &claim.id))?;
        stored.execution.may_be_claimed()?;
        let Some(row) = held.first() else {
            return Ok(None);
        };
        let (nonce, until, expired): (i64, i64, bool) =
            (row.try_get(2)?, row.try_get(3)?, row.try_get(4)?);
        if nonce == claim.nonce {
            return Ok(Some(granted(turn, stored, false)));
        }
        if !expired {
            return Err(leased(&claim.id, Some(until)).into());
        }
        let (key, crashes) = (stored.key, count_crash(conn, &stored).await?);
        stored.execution.claimed(claim.now);
        let update = "WITH claimed AS (UPDATE @.executions SET fence = fence + 1, status = 'running', updated_at = $2, \
                      last_batch = NULL, wake_at = NULL, due = NULL, enqueued = NULL, held = NULL, admitted = queue IS \
                      NOT NULL, report = NULL, crashes = $3, crashed_at = $4 WHERE key = $1 RETURNING key, fence), \
                      cleared AS (DELETE FROM @.changes WHERE execution = $1) \
                      UPDATE @.leases l SET fence = c.fence, owner = $5, claim = $6, expires_at = coalesce($8, \
                      (extract(epoch FROM clock_timestamp()) * 1000)::int8) + $7 FROM claimed c WHERE l.execution = c.key \
                      RETURNING l.fence";
        let (count, at) = crashes;
        let rows = conn
            .query(
                update,
                params![
                    key => INT8,
                    claim.now.as_millis() => INT8,
                    count.cast_signed() => INT4,
                    at => INT8,
                    session.owner => TEXT,
                    claim.nonce => INT8,
                    milliseconds(claim.ttl) => INT8,
                    time => INT8,
                ],
            )
            .await?;
        let row = rows.first().ok_or_else(|| leased(&claim.id, None))?;
        (stored.fence, stored.crashes) = (row.try_get(0)?, count);
        Ok(Some(granted(turn, stored, false)))
    }
}

/// The lease of an execution that was claimed.
pub(crate) fn granted(turn: &mut Turn<'_>, stored: Stored, blank: bool) -> Lease {
    let token = Token {
        key: stored.key,
        number: stored.fence,
    };
    let lease = Lease {
        fence: token.fence(stored.execution.id.clone()),
        was_interrupted: stored.crashes > 0,
        crashes: stored.crashes,
        execution: stored.execution,
    };
    turn.session.remember(token, &lease, blank);
    lease
}

/// How often in a row, this time included, a holder was gone without a new operation recorded, and
/// the last operation.
pub(crate) async fn count_crash(conn: &Conn, stored: &Stored) -> Result<(u32, i64), Fault> {
    let select = "SELECT e.crashes, e.crashed_at, coalesce((SELECT r.seq FROM @.records r WHERE r.execution = e.key ORDER \
                  BY r.seq DESC LIMIT 1), 0) FROM @.executions e WHERE e.key = $1";
    let rows = conn.query(select, params![stored.key => INT8]).await?;
    let Some(row) = rows.first() else {
        return Ok((1, 0));
    };
    let (crashes, before, last): (i32, i64, i64) =
        (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    Ok((crashed(crashes, before, last), last))
}

/// One more than before where nothing was recorded since.
pub(crate) fn crashed(crashes: i32, before: i64, last: i64) -> u32 {
    match last == before {
        true => crashes.unsigned_abs().saturating_add(1),
        false => 1,
    }
}

fn leased(id: &ExecutionId, until: Option<i64>) -> StoreError {
    let until = until.map(|at| {
        let at = Timestamp::from_millis(at);
        format!(", until {at} if it does not renew")
    });
    let until = until.unwrap_or_default();
    let message = format!("execution `{id}` is being run by another holder{until}");
    StoreError::new(StoreErrorKind::Leased, message)
}

/// Extends a lease.
pub(crate) struct Renew {
    pub(crate) fence: Fence,
    pub(crate) token: Token,
    pub(crate) now: Timestamp,
    pub(crate) ttl: Duration,
}

impl Work for Renew {
    type Answer = ();
    const TRANSACTION: bool = false;

    async fn run(&self, conn: &Conn, turn: &mut Turn<'_>) -> Result<(), Fault> {
        let update = "UPDATE @.leases SET expires_at = coalesce($4, (extract(epoch FROM clock_timestamp()) * 1000)::int8) \
                      + $3 WHERE execution = $1 AND fence = $2 AND EXISTS (SELECT 1 FROM @.executions WHERE key = $1 AND \
                      id = $5) RETURNING 1";
        let renewed = conn
            .query(
                update,
                params![
                    self.token.key => INT8,
                    self.token.number => INT8,
                    milliseconds(self.ttl) => INT8,
                    turn.session.lease_time(self.now, self.ttl) => INT8,
                    self.fence.execution.as_str() => TEXT,
                ],
            )
            .await?;
        if renewed.is_empty() {
            turn.session.forget(&self.fence.execution, self.token);
            return Err(fence_lost(&self.fence).into());
        }
        Ok(())
    }
}

/// Asks for the cancellation of an execution.
pub(crate) struct Cancel {
    pub(crate) id: ExecutionId,
    pub(crate) now: Timestamp,
}

impl Work for Cancel {
    type Answer = ();

    async fn run(&self, conn: &Conn, turn: &mut Turn<'_>) -> Result<(), Fault> {
        let place = &turn.session.place;
        let found = find_locked(conn, place, &self.id).await?;
        let Stored {
            key, mut execution, ..
        } = found.ok_or_else(|| not_found(place, &self.id))?;
        let before = execution.changes;
        execution.ask_to_cancel(self.now);
        if execution.changes == before {
            return Ok(());
        }
        let told = ParentCompletion::by(conn, turn, &execution, self.now).await?;
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
        changed(conn, turn, key, &execution, None).await?;
        if let Some(told) = told {
            told.write(conn, turn).await?;
        }
        Ok(())
    }
}
