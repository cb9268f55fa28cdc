//! Claims of single executions, and the renewal of their leases.

use std::time::Duration;

use durable_core::store::{Fence, Lease, StoreError, StoreErrorKind};
use durable_core::{ExecutionId, Timestamp};

use crate::connection::{Conn, params};
use crate::database::{Attempt, Database, Work};
use crate::error::Fault;
use crate::executions::{find_locked, not_found};
use crate::rows::{self, EXECUTION_COLUMNS, Stored, execution_columns};
use crate::session::{Token, milliseconds};

/// Request to claim one execution.
#[derive(Clone)]
pub(crate) struct Claim {
    pub(crate) id: ExecutionId,
    pub(crate) now: Timestamp,
    pub(crate) ttl: Duration,
    /// Unique to the call, so that a retry after a lost answer is recognised.
    pub(crate) nonce: i64,
}

/// Claims the lease of an execution.
///
/// An execution without a lease takes one statement, in its own transaction. That statement locks
/// the row even if it claims nothing, while a takeover must lock the lease before the execution, as
/// checkpoints do. An unreadable execution rolls the transaction back.
pub(crate) async fn claim(database: &Database, claim: Claim) -> Result<Lease, StoreError> {
    // Twice, as the lease may be released between the two attempts.
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

/// Claims an execution without a lease. `$3` is the caller's time, `$4` the owner, `$5` the nonce, `$6` the time to
/// live and `$7` the time to compare leases with. The last column is the previous status.
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

/// Claims an execution without a lease; `None` if it does not exist or has one.
struct ClaimFree(Claim);

impl Work for ClaimFree {
    type Answer = Option<Lease>;

    async fn run(
        &self,
        conn: &Conn<'_>,
        attempt: &mut Attempt<'_>,
    ) -> Result<Option<Lease>, Fault> {
        let Self(claim) = self;
        let free = ["queued", "suspended", "blocked"];
        let session = attempt.session;
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
        let was: &str = row.try_get(EXECUTION_COLUMNS)?;
        let (empty, blocked) = (was == "queued", was == "blocked");
        let stored = rows::existing(row, &session.location)?;
        if blocked {
            attempt
                .events
                .record(&stored.execution.id, stored.execution.changes, false);
        }
        Ok(Some(granted(attempt, stored, empty)))
    }
}

/// Takes over an expired lease; `None` if it was released meanwhile.
struct TakeOver(Claim);

impl Work for TakeOver {
    type Answer = Option<Lease>;

    async fn run(
        &self,
        conn: &Conn<'_>,
        attempt: &mut Attempt<'_>,
    ) -> Result<Option<Lease>, Fault> {
        let Self(claim) = self;
        let session = attempt.session;
        // Lock the lease before the execution, as checkpoints do.
        let held = "SELECT l.execution, l.fence, l.claim, l.expires_at, l.expires_at <= coalesce($2, (extract(epoch FROM \
                    clock_timestamp()) * 1000)::int8) FROM @.leases l JOIN @.executions e ON e.key = l.execution WHERE \
                    e.id = $1 FOR UPDATE OF l";
        let time = session.lease_time(claim.now, claim.ttl);
        let held = conn
            .query(held, params![claim.id.as_str() => TEXT, time => INT8])
            .await?;
        let found = find_locked(conn, &session.location, &claim.id).await?;
        let mut stored = found.ok_or_else(|| not_found(&session.location, &claim.id))?;
        stored.execution.ensure_claimable()?;
        let Some(row) = held.first() else {
            return Ok(None);
        };
        let (nonce, until, expired): (i64, i64, bool) =
            (row.try_get(2)?, row.try_get(3)?, row.try_get(4)?);
        if nonce == claim.nonce {
            return Ok(Some(granted(attempt, stored, false)));
        }
        if !expired {
            return Err(leased(&claim.id, Some(until)).into());
        }
        let (key, crashes) = (stored.key, count_crash(conn, &stored).await?);
        stored.execution.mark_running(claim.now);
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
        Ok(Some(granted(attempt, stored, false)))
    }
}

/// Builds the lease of a claimed execution.
pub(crate) fn granted(attempt: &mut Attempt<'_>, stored: Stored, empty: bool) -> Lease {
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
    attempt.session.remember(token, &lease, empty);
    lease
}

/// Number of consecutive crashes without a new operation, this one included, and the position of
/// the last operation.
pub(crate) async fn count_crash(conn: &Conn<'_>, stored: &Stored) -> Result<(u32, i64), Fault> {
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

/// Number of consecutive crashes: starts again at 1 if an operation was recorded since the last.
pub(crate) fn crashed(crashes: i32, before: i64, last: i64) -> u32 {
    match last == before {
        true => crashes.unsigned_abs().saturating_add(1),
        false => 1,
    }
}

fn leased(id: &ExecutionId, until: Option<i64>) -> StoreError {
    let until = until.map(|at| {
        let at = Timestamp::from_millis(at);
        format!(", until {at} unless the holder renews it")
    });
    let until = until.unwrap_or_default();
    let message = format!("execution `{id}` is leased to another holder{until}");
    StoreError::new(StoreErrorKind::Leased, message)
}

/// Renews a lease.
pub(crate) struct Renew {
    pub(crate) fence: Fence,
    pub(crate) token: Token,
    pub(crate) now: Timestamp,
    pub(crate) ttl: Duration,
}

impl Work for Renew {
    type Answer = ();
    const TRANSACTION: bool = false;

    async fn run(&self, conn: &Conn<'_>, attempt: &mut Attempt<'_>) -> Result<(), Fault> {
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
                    attempt.session.lease_time(self.now, self.ttl) => INT8,
                    self.fence.execution.as_str() => TEXT,
                ],
            )
            .await?;
        if renewed.is_empty() {
            attempt.session.forget(&self.fence.execution, self.token);
            return Err(self.fence.lost().into());
        }
        Ok(())
    }
}
