//! Grants leases: one statement for all executions of a build, and one for their leases.

use std::collections::BTreeMap;
use std::time::Duration;

use durable_core::Timestamp;
use durable_core::store::{ExecutionStatus, Lease};
use rusqlite::{Connection, params};

use crate::error::Fault;
use crate::reads::{Unclaimed, json};
use crate::rows::{MAX_SEQ, row_key};
use crate::session::{Session, Token};

/// `?1` is a JSON array of keys, here and below.
pub(crate) const MARK_RUNNING: &str = "UPDATE executions SET fence = fence + 1, status = ?2, updated_at = ?3, last_batch = NULL, wake_at = \
    NULL, due = NULL, enqueued = NULL, held = NULL, admitted = queue IS NOT NULL, report = NULL, report_checksum = \
    NULL, build = coalesce(?4, build), crashes = 0 WHERE key IN (SELECT value FROM json_each(?1))";

pub(crate) const INSERT_LEASES: &str = "INSERT OR REPLACE INTO leases (execution, fence, owner, expires_at) SELECT key, fence, ?2, ?3 FROM executions \
    WHERE key IN (SELECT value FROM json_each(?1))";

/// Leases to be granted in one transaction.
pub(crate) struct Grant<'a> {
    now: Timestamp,
    ttl: Duration,
    /// Executions, each with the number of its crashes in a row if an earlier holder left a lease behind.
    executions: Vec<(Unclaimed, Option<u32>)>,
    /// Their keys, by the build of the handler that claims them. An execution that is claimed by its id has none.
    builds: BTreeMap<Option<&'a str>, Vec<i64>>,
}

impl<'a> Grant<'a> {
    pub(crate) fn new(now: Timestamp, ttl: Duration) -> Self {
        Self {
            now,
            ttl,
            executions: Vec::new(),
            builds: BTreeMap::new(),
        }
    }

    /// Adds an execution, which must be claimable. `was_interrupted` says whether an earlier holder left a lease
    /// behind: then the crash is counted.
    pub(crate) fn add(
        &mut self,
        conn: &Connection,
        unclaimed: Unclaimed,
        build: Option<&'a str>,
        was_interrupted: bool,
    ) -> Result<(), Fault> {
        let crashes = match was_interrupted {
            true => Some(count_crash(conn, unclaimed.key)?),
            false => None,
        };
        self.builds.entry(build).or_default().push(unclaimed.key);
        self.executions.push((unclaimed, crashes));
        Ok(())
    }

    /// Grants the leases.
    pub(crate) fn write(self, conn: &Connection, session: &Session) -> Result<Vec<Lease>, Fault> {
        if self.executions.is_empty() {
            return Ok(Vec::new());
        }
        for (build, keys) in &self.builds {
            self.mark_running(conn, keys, *build)?;
        }
        self.record_crashes(conn)?;
        // The new holders read all records, changed or not.
        let changed = self.keys(|of| of.execution.changes > 0);
        if !changed.is_empty() {
            let delete = "DELETE FROM changes WHERE execution IN (SELECT value FROM json_each(?1))";
            conn.prepare_cached(delete)?.execute([json(changed)])?;
        }
        self.write_leases(conn, session)?;
        Ok(self.into_leases(session))
    }

    /// Returns the keys of some executions.
    fn keys(&self, which: impl Fn(&Unclaimed) -> bool) -> Vec<i64> {
        let executions = self.executions.iter().map(|(of, _)| of);
        executions.filter(|of| which(of)).map(|of| of.key).collect()
    }

    fn mark_running(
        &self,
        conn: &Connection,
        keys: &[i64],
        build: Option<&str>,
    ) -> Result<(), Fault> {
        let running = ExecutionStatus::Running.as_str();
        conn.prepare_cached(MARK_RUNNING)?.execute(params![
            json(keys.iter().copied()),
            running,
            self.now.as_millis(),
            build
        ])?;
        Ok(())
    }

    fn record_crashes(&self, conn: &Connection) -> Result<(), Fault> {
        for (of, crashes) in &self.executions {
            if let Some(crashes) = crashes {
                conn.prepare_cached("UPDATE executions SET crashes = ?2 WHERE key = ?1")?
                    .execute(params![of.key, crashes])?;
            }
        }
        Ok(())
    }

    fn write_leases(&self, conn: &Connection, session: &Session) -> Result<(), Fault> {
        let expires_at = self.now.after(self.ttl).as_millis();
        conn.prepare_cached(INSERT_LEASES)?.execute(params![
            json(self.keys(|_| true)),
            session.owner.token(),
            expires_at
        ])?;
        Ok(())
    }

    fn into_leases(self, session: &Session) -> Vec<Lease> {
        let lease = |(of, crashes): (Unclaimed, Option<u32>)| {
            let mut execution = of.execution;
            if execution.status == ExecutionStatus::Blocked {
                session
                    .notifier
                    .note(&execution.id, execution.changes, false);
            }
            execution.mark_running(self.now);
            let token = Token {
                key: of.key,
                number: of.fence + 1,
            };
            Lease {
                fence: token.fence(execution.id.clone()),
                execution,
                was_interrupted: crashes.is_some(),
                crashes: crashes.unwrap_or_default(),
            }
        };
        self.executions.into_iter().map(lease).collect()
    }
}

/// Counts the crashes in a row, including this one, during which no new operation was recorded.
fn count_crash(conn: &Connection, key: i64) -> Result<u32, Fault> {
    let select = "SELECT crashes, crashed_at, coalesce((SELECT max(place) FROM operations WHERE place > ?2 AND \
                  place <= ?3), 0) FROM executions WHERE key = ?1";
    let range = params![key, row_key(key, 0), row_key(key, MAX_SEQ)];
    let (crashes, before, last): (u32, i64, i64) = conn
        .prepare_cached(select)?
        .query_row(range, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    if last == before {
        return Ok(crashes.saturating_add(1));
    }
    conn.prepare_cached("UPDATE executions SET crashed_at = ?2 WHERE key = ?1")?
        .execute([key, last])?;
    Ok(1)
}
