//! Counts of executions by handler and status.

use std::path::Path;

use durable_core::Timestamp;
use durable_core::store::{Count, Counts, ExecutionStatus};
use rusqlite::{Connection, OptionalExtension};

use crate::error::{Fault, corrupt};

/// Finds the next handler of a status. SQLite does not search for pairs of values.
pub(super) const NEXT_HANDLER: &str = "SELECT status, handler FROM executions INDEXED BY executions_state WHERE status = ?1 AND \
                                       handler > ?2 ORDER BY handler LIMIT 1";

/// Finds the first handler of the next status.
const NEXT_STATUS: &str = "SELECT status, handler FROM executions INDEXED BY executions_state WHERE status > ?1 ORDER BY \
                           status, handler LIMIT 1";

pub(super) const COUNT: &str = "SELECT count(*) FROM (SELECT 1 FROM executions INDEXED BY executions_state WHERE status = ?1 AND \
                     handler = ?2 LIMIT ?3)";

const OLDEST: &str = "SELECT min(created_at) FROM executions INDEXED BY executions_state WHERE status = ?1 AND handler = ?2";

/// The last change among those that were started last.
const UPDATED: &str = "SELECT max(updated_at) FROM (SELECT updated_at FROM executions INDEXED BY executions_state WHERE status \
                       = ?1 AND handler = ?2 ORDER BY created_at DESC, id DESC LIMIT 100)";

/// Executions of one handler in one state.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) status: String,
    pub(super) handler: String,
}

/// Finds all groups, with a search of the index for each.
pub(super) fn groups(conn: &Connection) -> Result<Vec<Group>, Fault> {
    let mut next_handler = conn.prepare_cached(NEXT_HANDLER)?;
    let mut next_status = conn.prepare_cached(NEXT_STATUS)?;
    let group = |row: &rusqlite::Row<'_>| {
        Ok(Group {
            status: row.get(0)?,
            handler: row.get(1)?,
        })
    };
    let mut groups: Vec<Group> = Vec::new();
    loop {
        let (status, handler) = match groups.last() {
            Some(last) => (last.status.as_str(), last.handler.as_str()),
            None => ("", ""),
        };
        let next = next_handler
            .query_row((status, handler), group)
            .optional()?;
        let next = match next {
            None => next_status.query_row([status], group).optional()?,
            next => next,
        };
        match next {
            Some(group) => groups.push(group),
            None => return Ok(groups),
        }
    }
}

/// Counts executions; about `limit` entries of the index are read.
pub(crate) fn counts(conn: &Connection, path: &Path, limit: usize) -> Result<Counts, Fault> {
    let groups = groups(conn)?;
    let share = Counts::share(limit, groups.len());
    let most = i64::try_from(share).unwrap_or(i64::MAX).saturating_add(1);
    let (mut count, mut oldest) = (conn.prepare_cached(COUNT)?, conn.prepare_cached(OLDEST)?);
    let mut updated = conn.prepare_cached(UPDATED)?;
    let mut counts = Vec::with_capacity(groups.len());
    for Group { status, handler } in groups {
        let of = (&status, &handler);
        let executions: i64 = count.query_row((&status, &handler, most), |row| row.get(0))?;
        let time = |row: &rusqlite::Row<'_>| row.get(0).map(Timestamp::from_millis);
        let (oldest, updated) = (oldest.query_row(of, time)?, updated.query_row(of, time)?);
        let known = ExecutionStatus::from_word(&status).ok_or_else(|| {
            let why = format_args!("an execution has the unknown status `{status}`");
            corrupt(path, why)
        })?;
        counts.push(Count {
            handler,
            status: known,
            executions: executions.cast_unsigned(),
            oldest,
            updated,
            complete: true,
        });
    }
    Ok(Counts::within(limit, share, counts))
}
