//! Claims due executions, many at once, with index lookups only.

use std::collections::HashMap;

use durable_core::Timestamp;
use durable_core::store::{
    ClaimRequest, Claimed, ExecutionStatus, HandlerBuild, Lease, StoreError, WorkerFilter,
};
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::candidate::Candidate;
use crate::error::Fault;
use crate::grants::Grant;
use crate::queues;
use crate::reads::{self, ShortHistory, Unclaimed, Undecodable};
use crate::session::{Session, Token, Write};

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

impl ClaimBatch {
    /// Returns the number of claimed executions.
    pub(crate) fn len(&self) -> usize {
        self.claimed.leases.len()
    }
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
        candidates.truncate(self.request.limit);
        let unclaimed = self.claimable(conn, session, &candidates)?;
        let histories = reads::short_histories(conn, &unclaimed);
        let leases = self.grant(conn, session, &candidates, unclaimed)?;
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

    /// Only claims of abandoned executions count crashes, which must not be forgotten.
    fn must_sync(&self) -> bool {
        self.request.recover
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
        // Leases are few: there is one for each execution that is being run.
        let leases = "SELECT execution, fence, owner, expires_at FROM leases";
        let handler = "SELECT handler FROM executions WHERE key = ?1";
        let mut leases = conn.prepare_cached(leases)?;
        let (mut rows, mut handler) = (leases.query([])?, conn.prepare_cached(handler)?);
        let mut owners: HashMap<String, bool> = HashMap::new();
        while let Some(row) = rows.next()? {
            let token = Token {
                key: row.get(0)?,
                number: row.get(1)?,
            };
            let owner = owners.entry(row.get::<_, String>(2)?);
            let is_alive = |owner: &String| session.owner.is_alive(&session.path, owner);
            let alive = *owner.or_insert_with_key(is_alive);
            let expires_at = row.get(3)?;
            if alive && expires_at > now {
                continue;
            }
            let serves = |row: &Row<'_>| Ok(self.build(row.get_ref(0)?.as_str()?).is_some());
            let known = handler.query_row([token.key], serves).optional()? == Some(true);
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

    /// Reads the candidates that can be claimed. Blocks those whose row cannot be decoded.
    fn claimable(
        &self,
        conn: &Connection,
        session: &Session,
        candidates: &[Candidate],
    ) -> Result<Vec<Unclaimed>, Fault> {
        if candidates.is_empty() {
            return Ok(Vec::new());
        }
        let keys = candidates.iter().map(|candidate| candidate.key);
        let mut claimable = Vec::with_capacity(candidates.len());
        for found in reads::unclaimed(conn, &session.path, keys)? {
            match found {
                Ok(found) if found.execution.ensure_claimable().is_ok() => claimable.push(found),
                Ok(_) => {}
                Err(Undecodable { key, damage }) => self.block(conn, key, &damage)?,
            }
        }
        Ok(claimable)
    }

    /// Grants leases of executions that are all among the candidates.
    fn grant(
        &self,
        conn: &Connection,
        session: &Session,
        candidates: &[Candidate],
        unclaimed: Vec<Unclaimed>,
    ) -> Result<Vec<Lease>, Fault> {
        let candidates = candidates
            .iter()
            .map(|candidate| (candidate.key, candidate));
        let candidates: HashMap<_, _> = candidates.collect();
        let mut grant = Grant::new(self.request.now, self.request.ttl);
        for found in unclaimed {
            let candidate = candidates.get(&found.key);
            if let Some(queue) = candidate.and_then(|candidate| candidate.starts_in.as_ref()) {
                queues::note_start(conn, queue, self.request.now)?;
            }
            let was_interrupted = candidate.is_some_and(|candidate| candidate.was_interrupted);
            let build = self.build(&found.execution.handler);
            grant.add(conn, found, build, was_interrupted)?;
        }
        grant.write(conn, session)
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

#[cfg(test)]
mod tests;
