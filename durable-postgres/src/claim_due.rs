//! Claims of due executions by workers, in batches.
//!
//! Rows are found by index, and `SKIP LOCKED` passes over those that another worker has locked:
//! workers never wait for each other, and never claim the same execution.

use std::collections::HashMap;

use durable_core::Timestamp;
use durable_core::store::{ClaimRequest, Claimed, HandlerBuild, Lease, StoreError, WorkerFilter};
use tokio_postgres::Row;

use crate::claim::{crashed, granted};
use crate::connection::{Conn, params};
use crate::database::{Attempt, Work};
use crate::error::Fault;
use crate::queues;
use crate::rows::{self, execution_columns};
use crate::session::{Token, milliseconds};
use crate::text::{original, stored};

/// Claims a batch of due executions.
pub(crate) struct ClaimBatch {
    pub(crate) wanted: WorkerFilter,
    pub(crate) how: ClaimRequest,
    /// Unique to the call, so that a retry after a lost answer is recognised.
    pub(crate) nonce: i64,
}

/// Execution that may be claimed. Its row is locked.
#[derive(Clone)]
pub(crate) struct Candidate {
    pub(crate) key: i64,
    /// When it became due, in milliseconds since the Unix epoch.
    pub(crate) at: i64,
    pub(crate) handler: String,
    /// Number of consecutive crashes without progress, and the position of the last operation.
    pub(crate) crashed: Option<(u32, i64)>,
    /// Queue whose rate limit counts this start.
    pub(crate) starts_in: Option<String>,
}

impl Candidate {
    pub(crate) fn due(key: i64, at: i64, handler: String) -> Self {
        Self {
            key,
            at,
            handler,
            crashed: None,
            starts_in: None,
        }
    }
}

const DUE: &str = "SELECT d.key, d.due, h.name FROM unnest($1::text[]) AS h (name), LATERAL (SELECT key, due FROM \
                   @.executions WHERE handler = h.name AND due <= $2 ORDER BY due LIMIT $3 FOR UPDATE SKIP LOCKED) AS d";

const NEXT_DUE: &str = "SELECT min(d.due) FROM unnest($1::text[]) AS h (name), LATERAL (SELECT due FROM @.executions WHERE \
                        handler = h.name AND due IS NOT NULL ORDER BY due LIMIT 1) AS d";

const NEXT_FIRING: &str =
    "SELECT min(next_at) FROM @.schedules WHERE NOT paused AND next_at IS NOT NULL";

/// Claims the executions `$1`. `$2` to `$4` are their crashes, last operations and builds.
const GRANT: &str = concat!(
    "WITH claimed AS (UPDATE @.executions e SET fence = e.fence + 1, status = 'running', updated_at = $5, last_batch = \
     NULL, wake_at = NULL, due = NULL, enqueued = NULL, held = NULL, admitted = e.queue IS NOT NULL, report = NULL, build \
     = coalesce(w.builds, e.build), crashes = w.crash, crashed_at = coalesce(w.last, e.crashed_at) \
     FROM unnest($1::int8[], $2::int4[], $3::int8[], $4::text[]) AS w (k, crash, last, builds) \
     JOIN (SELECT key AS old, status AS was FROM @.executions) AS o ON o.old = w.k \
     WHERE e.key = w.k RETURNING ",
    execution_columns!(),
    ", was), \
     leased AS (INSERT INTO @.leases (execution, fence, owner, claim, expires_at) SELECT key, fence, $6, $7, coalesce($9, \
     (extract(epoch FROM clock_timestamp()) * 1000)::int8) + $8 FROM claimed ON CONFLICT (execution) DO UPDATE SET fence \
     = excluded.fence, owner = excluded.owner, claim = excluded.claim, expires_at = excluded.expires_at), \
     cleared AS (DELETE FROM @.changes c USING claimed WHERE c.execution = claimed.key) \
     SELECT * FROM claimed"
);

/// Executions that an earlier attempt of the call with this nonce has claimed.
const GRANTED: &str = concat!(
    "SELECT ",
    execution_columns!(),
    " FROM @.executions WHERE key IN (SELECT execution FROM @.leases WHERE owner = $1 AND claim = $2)"
);

/// Expired leases, oldest first.
const EXPIRED: &str = "SELECT l.execution, l.fence, l.expires_at FROM @.leases l JOIN @.executions e ON e.key = l.execution \
                       WHERE l.expires_at <= coalesce($2, (extract(epoch FROM clock_timestamp()) * 1000)::int8) AND NOT \
                       e.paused AND e.handler = ANY($1) ORDER BY l.expires_at LIMIT $3";

/// Locks those that are still expired. Leases are locked before executions, as by checkpoints.
const EXPIRED_LEASES: &str = "SELECT execution FROM @.leases WHERE execution = ANY($1) AND expires_at <= coalesce($2, \
                              (extract(epoch FROM clock_timestamp()) * 1000)::int8) FOR UPDATE SKIP LOCKED";

const ABANDONED: &str = "SELECT e.key, e.handler, e.crashes, e.crashed_at, coalesce((SELECT r.seq FROM @.records r WHERE \
                         r.execution = e.key ORDER BY r.seq DESC LIMIT 1), 0) FROM @.executions e WHERE e.key = ANY($1) \
                         AND NOT e.paused FOR UPDATE OF e SKIP LOCKED";

const BLOCKED: &str = "SELECT key FROM @.executions WHERE status = 'blocked' AND handler = $1 AND NOT paused AND \
                       position($2 || chr(10) IN coalesce(tried, '')) = 0 LIMIT $3 FOR UPDATE SKIP LOCKED";

impl Work for ClaimBatch {
    type Answer = Claimed;

    async fn run(&self, conn: &Conn, attempt: &mut Attempt<'_>) -> Result<Claimed, Fault> {
        let mut leases = match attempt.unsure {
            true => self.granted_before(conn, attempt).await?,
            false => Vec::new(),
        };
        let mut opens = None;
        if leases.is_empty() {
            let mut candidates = self.due(conn).await?;
            if self.how.look_after {
                self.abandoned(conn, attempt, &mut candidates).await?;
                self.blocked(conn, &mut candidates).await?;
            }
            let more = queues::admit(conn, &self.wanted, self.how, &mut candidates);
            opens = more.await?;
            // Stable: executions due at the same time stay in the order in which they were found.
            candidates.sort_by_key(|candidate| candidate.at);
            candidates.truncate(self.how.limit);
            leases = self.grant(conn, attempt, &candidates).await?;
        }
        let handlers = self.handlers();
        let next = conn
            .query(NEXT_DUE, params![handlers => TEXT_ARRAY])
            .await?;
        let firing = conn.query(NEXT_FIRING, &[]).await?;
        let first = |rows: &[Row]| match rows.first() {
            Some(row) => row.try_get::<_, Option<i64>>(0),
            None => Ok(None),
        };
        let due = [first(&next)?, opens].into_iter().flatten().min();
        Ok(Claimed {
            leases,
            next_due: due.map(Timestamp::from_millis),
            next_firing: first(&firing)?.map(Timestamp::from_millis),
        })
    }
}

impl ClaimBatch {
    fn handlers(&self) -> Vec<std::borrow::Cow<'_, str>> {
        let handlers = self.wanted.handlers.iter();
        handlers.map(|handler| stored(&handler.name)).collect()
    }

    fn limit(&self, found: usize) -> i64 {
        i64::try_from(self.how.limit.saturating_sub(found)).unwrap_or(i64::MAX)
    }

    /// Due executions that are in no queue.
    async fn due(&self, conn: &Conn) -> Result<Vec<Candidate>, Fault> {
        let (handlers, now) = (self.handlers(), self.how.now.as_millis());
        let found = conn
            .query(
                DUE,
                params![handlers => TEXT_ARRAY, now => INT8, self.limit(0) => INT8],
            )
            .await?;
        let candidate = |row: &Row| {
            let handler = original(row.try_get(2)?);
            Ok(Candidate::due(row.try_get(0)?, row.try_get(1)?, handler))
        };
        found.iter().map(candidate).collect()
    }

    /// Adds executions whose leases have expired.
    async fn abandoned(
        &self,
        conn: &Conn,
        attempt: &Attempt<'_>,
        candidates: &mut Vec<Candidate>,
    ) -> Result<(), Fault> {
        let time = attempt.session.lease_time(self.how.now, self.how.ttl);
        let (handlers, limit) = (self.handlers(), self.limit(0));
        let found = conn
            .query(
                EXPIRED,
                params![handlers => TEXT_ARRAY, time => INT8, limit => INT8],
            )
            .await?;
        let mut keys = Vec::new();
        for row in found {
            let token = Token {
                key: row.try_get(0)?,
                number: row.try_get(1)?,
            };
            if attempt
                .session
                .stays_expired(token, row.try_get(2)?, self.how.ttl)
            {
                keys.push(token.key);
            }
        }
        if keys.is_empty() {
            return Ok(());
        }
        let locked = conn
            .query(EXPIRED_LEASES, params![keys => INT8_ARRAY, time => INT8])
            .await?;
        let keys: Vec<i64> = locked
            .iter()
            .map(|row| row.try_get(0))
            .collect::<Result<_, _>>()?;
        for row in conn.query(ABANDONED, params![keys => INT8_ARRAY]).await? {
            let (crashes, before, last) = (row.try_get(2)?, row.try_get(3)?, row.try_get(4)?);
            let handler = original(row.try_get(1)?);
            candidates.push(Candidate {
                crashed: Some((crashed(crashes, before, last), last)),
                ..Candidate::due(row.try_get(0)?, self.how.now.as_millis(), handler)
            });
        }
        Ok(())
    }

    /// Adds executions that are blocked and have not been tried with this worker's builds.
    async fn blocked(&self, conn: &Conn, candidates: &mut Vec<Candidate>) -> Result<(), Fault> {
        for HandlerBuild { name, build } in &self.wanted.handlers {
            let limit = self.limit(candidates.len());
            let found = conn
                .query(
                    BLOCKED,
                    params![stored(name) => TEXT, stored(build) => TEXT, limit => INT8],
                )
                .await?;
            for row in found {
                let now = self.how.now.as_millis();
                candidates.push(Candidate::due(row.try_get(0)?, now, name.clone()));
            }
        }
        Ok(())
    }

    fn build(&self, handler: &str) -> Option<&str> {
        let mut handlers = self.wanted.handlers.iter();
        let of_name = handlers.find(|known| known.name == handler);
        of_name.map(|known| known.build.as_str())
    }

    async fn grant(
        &self,
        conn: &Conn,
        attempt: &mut Attempt<'_>,
        candidates: &[Candidate],
    ) -> Result<Vec<Lease>, Fault> {
        if candidates.is_empty() {
            return Ok(Vec::new());
        }
        let session = attempt.session;
        let keys: Vec<_> = candidates.iter().map(|one| one.key).collect();
        let crashes = candidates
            .iter()
            .map(|one| one.crashed.map_or(0, |(count, _)| count.cast_signed()));
        let crashes: Vec<_> = crashes.collect();
        let crashed_at: Vec<_> = candidates
            .iter()
            .map(|one| one.crashed.map(|(_, at)| at))
            .collect();
        let builds = candidates
            .iter()
            .map(|one| self.build(&one.handler).map(stored));
        let builds: Vec<_> = builds.collect();
        let rows = conn
            .query(
                GRANT,
                params![
                    keys => INT8_ARRAY,
                    crashes => INT4_ARRAY,
                    crashed_at => INT8_ARRAY,
                    builds => TEXT_ARRAY,
                    self.how.now.as_millis() => INT8,
                    session.owner => TEXT,
                    self.nonce => INT8,
                    milliseconds(self.how.ttl) => INT8,
                    session.lease_time(self.how.now, self.how.ttl) => INT8,
                ],
            )
            .await?;
        let mut rows: HashMap<i64, Row> = rows
            .into_iter()
            .map(|row| Ok((row.try_get(0)?, row)))
            .collect::<Result<_, Fault>>()?;
        self.note_starts(conn, candidates).await?;
        let mut leases = Vec::with_capacity(candidates.len());
        for candidate in candidates {
            if let Some(row) = rows.remove(&candidate.key) {
                leases.extend(self.lease(conn, attempt, candidate.key, &row).await?);
            }
        }
        Ok(leases)
    }

    async fn note_starts(&self, conn: &Conn, candidates: &[Candidate]) -> Result<(), Fault> {
        let mut counts = HashMap::<&str, usize>::new();
        for queue in candidates.iter().filter_map(|one| one.starts_in.as_deref()) {
            *counts.entry(queue).or_default() += 1;
        }
        for (queue, count) in counts {
            queues::note_starts(conn, queue, self.how.now, count).await?;
        }
        Ok(())
    }

    /// Builds the lease of a claimed execution; `None` if it cannot be read.
    async fn lease(
        &self,
        conn: &Conn,
        attempt: &mut Attempt<'_>,
        key: i64,
        row: &Row,
    ) -> Result<Option<Lease>, Fault> {
        let stored = match rows::existing(row, &attempt.session.location) {
            Ok(stored) => stored,
            Err(Fault::Refused(damage)) => {
                self.set_aside(conn, key, &damage).await?;
                return Ok(None);
            }
            Err(fault) => return Err(fault),
        };
        let was: Option<&str> = row.try_get(30)?;
        if was == Some("blocked") {
            let execution = &stored.execution;
            attempt
                .events
                .record(&execution.id, execution.changes, false);
        }
        Ok(Some(granted(attempt, stored, was == Some("queued"))))
    }

    /// Blocks an unreadable execution, so that workers do not claim it again and again.
    async fn set_aside(&self, conn: &Conn, key: i64, damage: &StoreError) -> Result<(), Fault> {
        tracing::error!(%damage, "blocking an execution that cannot be read");
        let builds = self.wanted.handlers.iter();
        let builds: String = builds
            .map(|handler| format!("{}\n", handler.build))
            .collect();
        let update = "WITH released AS (DELETE FROM @.leases WHERE execution = $1) UPDATE @.executions SET status = \
                      'blocked', report = $2, tried = coalesce(tried, '') || $3, due = NULL, enqueued = NULL, held = \
                      NULL, wake_at = NULL WHERE key = $1";
        let report = damage.to_string();
        conn.query(
            update,
            params![key => INT8, stored(&report) => TEXT, stored(&builds) => TEXT],
        )
        .await?;
        Ok(())
    }

    /// Leases that an earlier attempt was granted, if it was committed.
    async fn granted_before(
        &self,
        conn: &Conn,
        attempt: &mut Attempt<'_>,
    ) -> Result<Vec<Lease>, Fault> {
        let owner = attempt.session.owner.clone();
        let found = conn
            .query(GRANTED, params![owner => TEXT, self.nonce => INT8])
            .await?;
        let mut leases = Vec::new();
        for row in &found {
            let stored = rows::existing(row, &attempt.session.location)?;
            leases.push(granted(attempt, stored, false));
        }
        Ok(leases)
    }
}
