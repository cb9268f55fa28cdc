//! Counts of executions by handler and status.

use std::path::Path;

use durable_core::Timestamp;
use durable_core::store::{Count, Counts, ExecutionStatus};
use rusqlite::{Connection, OptionalExtension};

use crate::error::{Fault, corrupt};

/// Finds the next handler of a status. SQLite does not search for pairs of values.
pub(super) const NEXT_HANDLER: &str = "SELECT status, handler FROM executions INDEXED BY executions_state WHERE status <> \
                                       'running' AND status = ?1 AND handler > ?2 ORDER BY handler LIMIT 1";

/// Finds the first handler of the next status.
const NEXT_STATUS: &str = "SELECT status, handler FROM executions INDEXED BY executions_state WHERE status <> 'running' AND \
                           status > ?1 ORDER BY status, handler LIMIT 1";

/// Finds the handlers of running executions.
const RUNNING: &str = "SELECT DISTINCT status, handler FROM leases CROSS JOIN executions ON key = execution WHERE status = \
                       'running'";

/// Statement on the executions of a group, which stand between `$before` and `$after`.
macro_rules! on_group {
    ($before:literal, $after:literal) => {
        OnGroup {
            not_running: concat!(
                $before,
                " FROM executions INDEXED BY executions_state WHERE status <> 'running' AND status = ?1 AND handler = ?2",
                $after
            ),
            running: concat!(
                $before,
                " FROM leases CROSS JOIN executions ON key = execution WHERE status = ?1 AND handler = ?2",
                $after
            ),
        }
    };
}

pub(super) const COUNT: OnGroup = on_group!("SELECT count(*) FROM (SELECT 1", " LIMIT ?3)");

const OLDEST: OnGroup = on_group!("SELECT min(created_at)", "");

/// The last change among those that were started last.
const UPDATED: OnGroup = on_group!(
    "SELECT max(updated_at) FROM (SELECT updated_at",
    " ORDER BY created_at DESC, id DESC LIMIT 100)"
);

/// Statement on the executions of one handler in one state. The index by states leaves out running executions, which are
/// found by their leases.
pub(super) struct OnGroup {
    pub(super) not_running: &'static str,
    pub(super) running: &'static str,
}

impl OnGroup {
    pub(super) fn select(&self, group: &Group) -> &'static str {
        if group.status == ExecutionStatus::Running.as_str() {
            self.running
        } else {
            self.not_running
        }
    }
}

/// Executions of one handler in one state.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Group {
    pub(super) status: String,
    pub(super) handler: String,
}

/// Finds all groups, in the order of their states, with a search of the index for each.
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
            None => break,
        }
    }
    let mut running = conn.prepare_cached(RUNNING)?;
    for group in running.query_map([], group)? {
        groups.push(group?);
    }
    groups.sort();
    Ok(groups)
}

/// Counts executions; about `limit` entries of the index are read.
pub(crate) fn counts(conn: &Connection, path: &Path, limit: usize) -> Result<Counts, Fault> {
    let groups = groups(conn)?;
    let share = Counts::share(limit, groups.len());
    let most = i64::try_from(share).unwrap_or(i64::MAX).saturating_add(1);
    let mut counts = Vec::with_capacity(groups.len());
    for group in groups {
        let of = (&group.status, &group.handler);
        let statement = |on: &OnGroup| conn.prepare_cached(on.select(&group));
        let executions: i64 = statement(&COUNT)?.query_row((of.0, of.1, most), |row| row.get(0))?;
        let time = |row: &rusqlite::Row<'_>| row.get(0).map(Timestamp::from_millis);
        let oldest = statement(&OLDEST)?.query_row(of, time)?;
        let updated = statement(&UPDATED)?.query_row(of, time)?;
        let Group { status, handler } = group;
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
