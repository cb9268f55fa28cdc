//! Claims due executions, many at once, with index lookups only.

use durable_core::Timestamp;
use durable_core::store::{
    ClaimRequest, Claimed, ExecutionStatus, HandlerBuild, Lease, StoreError, WorkerFilter,
};
use rusqlite::{Connection, OptionalExtension, params};

use crate::candidate::Candidate;
use crate::error::Fault;
use crate::queues;
use crate::reads::{self, ShortHistory};
use crate::session::{Session, Token, Write};
use crate::writes::Grant;

/// Claims executions for a worker.
pub(crate) struct ClaimMany {
    pub(crate) worker: WorkerFilter,
    pub(crate) request: ClaimRequest,
}

/// Result of a [`ClaimMany`].
pub(crate) struct ClaimBatch {
    pub(crate) claimed: Claimed,
    /// Short histories of the claimed executions, in the order of their leases.
    histories: Vec<ShortHistory>,
}

impl Write for ClaimMany {
    type Answer = ClaimBatch;

    fn run(&self, conn: &Connection, session: &Session) -> Result<ClaimBatch, Fault> {
        let mut candidates = Vec::new();
        if self.request.recover {
            self.abandoned(conn, session, &mut candidates)?;
            self.blocked(conn, &mut candidates)?;
        }
        for handler in &self.worker.handlers {
            self.due(conn, &handler.name, &mut candidates)?;
        }
        let admits_at = queues::admit(conn, &self.worker, self.request, &mut candidates)?;
        candidates.sort_by_key(|candidate| candidate.at);
        let (mut leases, mut histories) = (Vec::new(), Vec::new());
        for candidate in candidates.into_iter().take(self.request.limit) {
            if let Some((lease, history)) = self.grant(conn, session, &candidate)? {
                leases.push(lease);
                histories.push(history);
            }
        }
        let claimed = Claimed {
            leases,
            next_due: [self.next_due(conn)?, admits_at]
                .into_iter()
                .flatten()
                .min(),
            next_firing: next_firing(conn)?,
        };
        Ok(ClaimBatch { claimed, histories })
    }

    fn settled(&self, outcome: &mut Result<ClaimBatch, StoreError>, session: &Session) {
        let Ok(batch) = outcome else {
            return;
        };
        let histories = std::mem::take(&mut batch.histories);
        for (lease, history) in batch.claimed.leases.iter().zip(histories) {
            if let Some(token) = Token::of(&lease.fence) {
                session.remember(token, history);
            }
        }
    }
}

impl ClaimMany {
    /// Adds executions of a handler that are due and in no queue.
    fn due(
        &self,
        conn: &Connection,
        handler: &str,
        candidates: &mut Vec<Candidate>,
    ) -> Result<(), Fault> {
        let select = "SELECT key, due FROM executions WHERE handler = ?1 AND due <= ?2 ORDER BY due LIMIT ?3";
        let limit = i64::try_from(self.request.limit).unwrap_or(i64::MAX);
        let mut statement = conn.prepare_cached(select)?;
        let mut rows = statement.query(params![handler, self.request.now.as_millis(), limit])?;
        while let Some(row) = rows.next()? {
            candidates.push(Candidate::due(row.get(0)?, row.get(1)?));
        }
        Ok(())
    }

    /// Returns when the next execution becomes due that is in no queue.
    fn next_due(&self, conn: &Connection) -> Result<Option<Timestamp>, Fault> {
        let select = "SELECT min(due) FROM executions WHERE handler = ?1 AND due IS NOT NULL";
        let mut statement = conn.prepare_cached(select)?;
        let mut next = None;
        for handler in &self.worker.handlers {
            let due: Option<i64> = statement.query_row([&handler.name], |row| row.get(0))?;
            next = [next, due].into_iter().flatten().min();
        }
        Ok(next.map(Timestamp::from_millis))
    }

    /// Adds executions whose holder is dead, or alive but no longer renewing its lease.
    fn abandoned(
        &self,
        conn: &Connection,
        session: &Session,
        candidates: &mut Vec<Candidate>,
    ) -> Result<(), Fault> {
        let now = self.request.now.as_millis();
        let next = "SELECT min(owner) FROM leases WHERE owner > ?1";
        let of_owner = "SELECT l.execution, l.fence, l.expires_at, e.handler FROM leases l JOIN executions e ON \
                        e.key = l.execution WHERE l.owner = ?1 AND l.expires_at <= ?2";
        let (mut next, mut of_owner) = (conn.prepare_cached(next)?, conn.prepare_cached(of_owner)?);
        let mut owner = String::new();
        while let Some(found) = next.query_row([&owner], |row| row.get::<_, Option<String>>(0))? {
            owner = found;
            let alive = session.owner.is_alive(&session.path, &owner);
            let until = if alive { now } else { i64::MAX };
            let mut rows = of_owner.query(params![owner, until])?;
            while let Some(row) = rows.next()? {
                let token = Token {
                    key: row.get(0)?,
                    number: row.get(1)?,
                };
                let known = row
                    .get_ref(3)?
                    .as_str()
                    .is_ok_and(|name| self.build(name).is_some());
                let expires_at = row.get(2)?;
                if known && (!alive || session.stays_expired(token, expires_at, self.request.ttl)) {
                    candidates.push(Candidate {
                        was_interrupted: true,
                        ..Candidate::due(token.key, now)
                    });
                }
                if candidates.len() >= self.request.limit {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Adds blocked executions that the worker's build has not tried yet.
    fn blocked(&self, conn: &Connection, candidates: &mut Vec<Candidate>) -> Result<(), Fault> {
        let select = "SELECT key FROM executions WHERE status = 'blocked' AND handler = ?1 AND paused = 0 AND \
                      instr(coalesce(tried, ''), ?2 || char(10)) = 0 LIMIT ?3";
        let mut statement = conn.prepare_cached(select)?;
        for HandlerBuild { name, build } in &self.worker.handlers {
            let room = self.request.limit.saturating_sub(candidates.len());
            let limit = i64::try_from(room).unwrap_or(i64::MAX);
            let mut rows = statement.query(params![name, build, limit])?;
            while let Some(row) = rows.next()? {
                let now = self.request.now.as_millis();
                candidates.push(Candidate::due(row.get(0)?, now));
            }
        }
        Ok(())
    }

    /// Returns the worker's build of a handler, if it serves that handler.
    fn build(&self, handler: &str) -> Option<&str> {
        let mut handlers = self.worker.handlers.iter();
        let of_name = handlers.find(|known| known.name == handler);
        of_name.map(|known| known.build.as_str())
    }

    /// Grants a lease of a candidate, and reads its history if that is short. Blocks an execution whose row cannot
    /// be decoded.
    fn grant(
        &self,
        conn: &Connection,
        session: &Session,
        candidate: &Candidate,
    ) -> Result<Option<(Lease, ShortHistory)>, Fault> {
        let execution = match reads::by_key(conn, &session.path, candidate.key)? {
            Some(Ok(execution)) => execution,
            Some(Err(Fault::Refused(damage))) => {
                self.block(conn, candidate.key, &damage)?;
                return Ok(None);
            }
            Some(Err(fault)) => return Err(fault),
            None => return Ok(None),
        };
        if execution.ensure_claimable().is_err() {
            return Ok(None);
        }
        let history = reads::short_history(conn, &session.path, candidate.key, &execution);
        if let Some(queue) = &candidate.starts_in {
            queues::note_start(conn, queue, self.request.now)?;
        }
        let grant = Grant {
            now: self.request.now,
            ttl: self.request.ttl,
            build: self.build(&execution.handler),
            was_interrupted: candidate.was_interrupted,
        };
        let lease = grant.write(conn, session, candidate.key, execution)?;
        Ok(Some((lease, history)))
    }

    /// Blocks an execution that cannot be read, so that no worker claims it again and again.
    fn block(&self, conn: &Connection, key: i64, damage: &StoreError) -> Result<(), Fault> {
        tracing::error!(%damage, "an execution that cannot be read was blocked");
        let builds = self
            .worker
            .handlers
            .iter()
            .map(|handler| format!("{}\n", handler.build));
        let update = "UPDATE executions SET status = ?2, report = ?3, tried = coalesce(tried, '') || ?4, due = NULL, \
                      enqueued = NULL, held = NULL, wake_at = NULL, report_checksum = NULL WHERE key = ?1";
        let blocked = ExecutionStatus::Blocked.as_str();
        conn.prepare_cached(update)?.execute(params![
            key,
            blocked,
            damage.to_string(),
            builds.collect::<String>()
        ])?;
        conn.prepare_cached("DELETE FROM leases WHERE execution = ?1")?
            .execute([key])?;
        Ok(())
    }
}

/// Returns when the next schedule fires.
fn next_firing(conn: &Connection) -> Result<Option<Timestamp>, Fault> {
    let select = "SELECT min(next_at) FROM schedules WHERE paused = 0 AND next_at IS NOT NULL";
    let next: Option<i64> = conn
        .prepare_cached(select)?
        .query_row([], |row| row.get(0))?;
    Ok(next.map(Timestamp::from_millis))
}

/// Whether the execution has a lease that has not expired and whose holder may be alive.
pub(crate) fn is_leased(
    conn: &Connection,
    session: &Session,
    key: i64,
    now: Timestamp,
) -> Result<bool, Fault> {
    let select = "SELECT owner, expires_at FROM leases WHERE execution = ?1";
    let held: Option<(String, i64)> = conn
        .prepare_cached(select)?
        .query_row([key], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(held.is_some_and(|(owner, expires_at)| {
        now.as_millis() < expires_at && session.owner.is_alive(&session.path, &owner)
    }))
}
