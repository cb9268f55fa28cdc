//! Searches for executions that a worker may claim.

use durable_core::store::HandlerBuild;

use super::ClaimBatch;
use crate::claim::crashed;
use crate::connection::{Conn, params};
use crate::database::Attempt;
use crate::driver::Row;
use crate::error::Fault;
use crate::session::Token;
use crate::text::{original, stored};

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

const DUE: &str = "SELECT d.key, d.due, h.name FROM unnest((SELECT $1::text[])) AS h (name), LATERAL (SELECT key, due FROM \
                   @.executions WHERE handler = h.name AND due <= (SELECT $2::int8) ORDER BY due LIMIT (SELECT $3::int8) \
                   FOR UPDATE SKIP LOCKED) AS d";

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

impl ClaimBatch {
    /// Due executions that are in no queue.
    pub(super) async fn due(&self, conn: &Conn<'_>) -> Result<Vec<Candidate>, Fault> {
        let (handlers, now) = (self.handlers(), self.request.now.as_millis());
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
    pub(super) async fn abandoned(
        &self,
        conn: &Conn<'_>,
        attempt: &Attempt<'_>,
        candidates: &mut Vec<Candidate>,
    ) -> Result<(), Fault> {
        let time = attempt
            .session
            .lease_time(self.request.now, self.request.ttl);
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
                .stays_expired(token, row.try_get(2)?, self.request.ttl)
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
                ..Candidate::due(row.try_get(0)?, self.request.now.as_millis(), handler)
            });
        }
        Ok(())
    }

    /// Adds executions that are blocked and have not been tried with this worker's builds.
    pub(super) async fn blocked(
        &self,
        conn: &Conn<'_>,
        candidates: &mut Vec<Candidate>,
    ) -> Result<(), Fault> {
        for HandlerBuild { name, build } in &self.filter.handlers {
            let limit = self.limit(candidates.len());
            let found = conn
                .query(
                    BLOCKED,
                    params![stored(name) => TEXT, stored(build) => TEXT, limit => INT8],
                )
                .await?;
            for row in found {
                let now = self.request.now.as_millis();
                candidates.push(Candidate::due(row.try_get(0)?, now, name.clone()));
            }
        }
        Ok(())
    }
}
