//! Claims of due executions by workers, in batches.
//!
//! Rows are found by index, and `SKIP LOCKED` passes over those that another worker has locked:
//! workers never wait for each other, and never claim the same execution.

mod candidates;

use std::collections::HashMap;

use durable_core::Timestamp;
use durable_core::store::{ClaimRequest, Claimed, Lease, StoreError, WorkerFilter};

pub(crate) use candidates::Candidate;
use futures_util::future::{join, join3};

use crate::claim::granted;
use crate::connection::{Conn, params};
use crate::database::{Attempt, Work};
use crate::driver::Row;
use crate::error::Fault;
use crate::queues;
use crate::rows::{self, EXECUTION_COLUMNS, execution_columns};
use crate::session::{Session, milliseconds};
use crate::text::stored;

/// Claims a batch of due executions.
pub(crate) struct ClaimBatch {
    pub(crate) filter: WorkerFilter,
    pub(crate) request: ClaimRequest,
    /// Unique to the call, so that a retry after a lost answer is recognised.
    pub(crate) nonce: i64,
}

const NEXT_DUE: &str = "SELECT min(d.due) FROM unnest((SELECT $1::text[])) AS h (name), LATERAL (SELECT due FROM @.executions WHERE \
                        handler = h.name AND due IS NOT NULL ORDER BY due LIMIT 1) AS d";

const NEXT_FIRING: &str =
    "SELECT min(next_at) FROM @.schedules WHERE NOT paused AND next_at IS NOT NULL";

/// Claims the executions `$1`. `$2` to `$4` are their crashes, last operations and builds.
const GRANT: &str = concat!(
    "WITH claimed AS (UPDATE @.executions e SET fence = e.fence + 1, status = 'running', updated_at = $5, last_batch = \
     NULL, wake_at = NULL, due = NULL, enqueued = NULL, held = NULL, admitted = e.queue IS NOT NULL, report = NULL, build \
     = coalesce(w.builds, e.build), crashes = w.crash, crashed_at = coalesce(w.last, e.crashed_at) \
     FROM unnest((SELECT $1::int8[]), $2::int4[], $3::int8[], $4::text[]) AS w (k, crash, last, builds) \
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

impl Work for ClaimBatch {
    type Answer = Claimed;

    async fn run(&self, conn: &Conn<'_>, attempt: &mut Attempt<'_>) -> Result<Claimed, Fault> {
        let mut leases = match attempt.unsure {
            true => self.granted_before(conn, attempt).await?,
            false => Vec::new(),
        };
        let (mut opens, mut granting) = (None, Vec::new());
        if leases.is_empty() {
            // Statements that do not depend on each other's answers share a round trip, here and below.
            let (candidates, queues) = join(self.due(conn), queues::waiting(conn)).await;
            let (mut candidates, queues) = (candidates?, queues?);
            if self.request.recover {
                self.abandoned(conn, attempt, &mut candidates).await?;
                self.blocked(conn, &mut candidates).await?;
            }
            let more = queues::admit(conn, &self.filter, self.request, queues, &mut candidates);
            opens = more.await?;
            // Stable: executions due at the same time stay in the order in which they were found.
            candidates.sort_by_key(|candidate| candidate.at);
            candidates.truncate(self.request.limit);
            granting = candidates;
        }
        let handlers = self.handlers();
        let (granted, next, firing) = join3(
            self.grant(conn, attempt.session, &granting),
            conn.query(NEXT_DUE, params![handlers => TEXT_ARRAY]),
            conn.query(NEXT_FIRING, &[]),
        )
        .await;
        leases.extend(self.leases(conn, attempt, &granting, granted?).await?);
        let (next, firing) = (next?, firing?);
        let first = |rows: &[Row]| match rows.first() {
            Some(row) => row.try_get::<Option<i64>>(0),
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
        let handlers = self.filter.handlers.iter();
        handlers.map(|handler| stored(&handler.name)).collect()
    }

    fn limit(&self, found: usize) -> i64 {
        i64::try_from(self.request.limit.saturating_sub(found)).unwrap_or(i64::MAX)
    }

    fn build(&self, handler: &str) -> Option<&str> {
        let mut handlers = self.filter.handlers.iter();
        let of_name = handlers.find(|known| known.name == handler);
        of_name.map(|known| known.build.as_str())
    }

    /// Grants the leases of the candidates, and returns their rows.
    async fn grant(
        &self,
        conn: &Conn<'_>,
        session: &Session,
        candidates: &[Candidate],
    ) -> Result<Vec<Row>, Fault> {
        if candidates.is_empty() {
            return Ok(Vec::new());
        }
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
        let granted = conn
            .query(
                GRANT,
                params![
                    keys => INT8_ARRAY,
                    crashes => INT4_ARRAY,
                    crashed_at => INT8_ARRAY,
                    builds => TEXT_ARRAY,
                    self.request.now.as_millis() => INT8,
                    session.owner => TEXT,
                    self.nonce => INT8,
                    milliseconds(self.request.ttl) => INT8,
                    session.lease_time(self.request.now, self.request.ttl) => INT8,
                ],
            )
            .await?;
        Ok(granted)
    }

    /// Builds the leases of the candidates that were claimed.
    async fn leases(
        &self,
        conn: &Conn<'_>,
        attempt: &mut Attempt<'_>,
        candidates: &[Candidate],
        granted: Vec<Row>,
    ) -> Result<Vec<Lease>, Fault> {
        let mut rows: HashMap<i64, Row> = granted
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

    async fn note_starts(&self, conn: &Conn<'_>, candidates: &[Candidate]) -> Result<(), Fault> {
        let mut counts = HashMap::<&str, usize>::new();
        for queue in candidates.iter().filter_map(|one| one.starts_in.as_deref()) {
            *counts.entry(queue).or_default() += 1;
        }
        for (queue, count) in counts {
            queues::note_starts(conn, queue, self.request.now, count).await?;
        }
        Ok(())
    }

    /// Builds the lease of a claimed execution; `None` if it cannot be read.
    async fn lease(
        &self,
        conn: &Conn<'_>,
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
        let was: Option<&str> = row.try_get(EXECUTION_COLUMNS)?;
        if was == Some("blocked") {
            let execution = &stored.execution;
            attempt
                .events
                .record(&execution.id, execution.changes, false);
        }
        Ok(Some(granted(attempt, stored, was == Some("queued"))))
    }

    /// Blocks an unreadable execution, so that workers do not claim it again and again.
    async fn set_aside(&self, conn: &Conn<'_>, key: i64, damage: &StoreError) -> Result<(), Fault> {
        tracing::error!(%damage, "blocking an execution that cannot be read");
        let builds = self.filter.handlers.iter();
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
        conn: &Conn<'_>,
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
