//! Queries of the state.

use rusqlite::{Connection, OptionalExtension, params};

use super::{Queued, ROWS_PER_EXECUTION};
use crate::lambda::service::{Head, Operation};

/// Stored execution.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) key: i64,
    pub(crate) head: Head,
    pub(crate) operations: Vec<Operation>,
}

fn invalid(error: serde_json::Error) -> rusqlite::Error {
    let text = rusqlite::types::Type::Text;
    rusqlite::Error::FromSqlConversionFailure(0, text, Box::new(error))
}

/// Reads the execution with this id.
pub(crate) fn execution(conn: &Connection, id: &str) -> rusqlite::Result<Option<Stored>> {
    let head = conn
        .prepare_cached("SELECT key, head FROM executions WHERE id = ?1")?
        .query_row([id], |row| Ok((row.get(0)?, row.get::<_, String>(1)?)))
        .optional()?;
    let Some((key, head)) = head else {
        return Ok(None);
    };
    let mut operations = conn.prepare_cached(
        "SELECT json FROM operations WHERE place >= ?1 AND place < ?2 ORDER BY place",
    )?;
    let rows = operations.query_map(
        [key * ROWS_PER_EXECUTION, (key + 1) * ROWS_PER_EXECUTION],
        |row| {
            let json: String = row.get(0)?;
            serde_json::from_str(&json).map_err(invalid)
        },
    )?;
    Ok(Some(Stored {
        key,
        head: serde_json::from_str(&head).map_err(invalid)?,
        operations: rows.collect::<rusqlite::Result<_>>()?,
    }))
}

/// Execution found by its name.
#[derive(Debug)]
pub(crate) struct Named {
    pub(crate) key: i64,
    pub(crate) id: String,
    pub(crate) expires: Option<u64>,
}

pub(crate) fn named(
    conn: &Connection,
    function: &str,
    name: &str,
) -> rusqlite::Result<Option<Named>> {
    conn.prepare_cached(
        "SELECT key, id, expires FROM executions WHERE function = ?1 AND name = ?2",
    )?
    .query_row([function, name], |row| {
        Ok(Named {
            key: row.get(0)?,
            id: row.get(1)?,
            expires: row.get(2)?,
        })
    })
    .optional()
}

/// Reads the ids of executions that have not ended.
pub(crate) fn open_executions(conn: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut ids = conn.prepare("SELECT id FROM executions WHERE expires IS NULL ORDER BY key")?;
    let rows = ids.query_map([], |row| row.get(0))?;
    rows.collect()
}

/// Reads the keys of executions whose retention has ended.
pub(crate) fn expired(conn: &Connection, now: u64) -> rusqlite::Result<Vec<i64>> {
    let mut keys = conn.prepare_cached("SELECT key FROM executions WHERE expires <= ?1")?;
    let rows = keys.query_map([now], |row| row.get(0))?;
    rows.collect()
}

pub(crate) fn queued(conn: &Connection) -> rusqlite::Result<Vec<Queued>> {
    let mut all = conn.prepare("SELECT * FROM queued ORDER BY due")?;
    let rows = all.query_map([], |row| {
        Ok(Queued {
            id: row.get(0)?,
            function: row.get(1)?,
            payload: row.get(2)?,
            tenant: row.get(3)?,
            attempts: row.get(4)?,
            due: row.get(5)?,
        })
    })?;
    rows.collect()
}

/// Reads the largest key in use.
pub(crate) fn last_key(conn: &Connection) -> rusqlite::Result<i64> {
    conn.query_row("SELECT coalesce(max(key), 0) FROM executions", [], |row| {
        row.get(0)
    })
}

/// Reads a page of events as JSON, forwards or backwards from event `from`.
pub(crate) fn events(
    conn: &Connection,
    key: i64,
    from: Option<i64>,
    reverse: bool,
    most: usize,
) -> rusqlite::Result<Vec<(i64, String)>> {
    let (first, last) = (key * ROWS_PER_EXECUTION, (key + 1) * ROWS_PER_EXECUTION - 1);
    let (first, last, order) = match (reverse, from) {
        (false, from) => (first + from.unwrap_or(0), last, "ASC"),
        (true, from) => (
            first,
            first + from.unwrap_or(ROWS_PER_EXECUTION - 1),
            "DESC",
        ),
    };
    let sql = format!(
        "SELECT place, json FROM events WHERE place BETWEEN ?1 AND ?2 ORDER BY place {order} LIMIT ?3"
    );
    let mut events = conn.prepare_cached(&sql)?;
    let rows = events.query_map(params![first, last, most as i64], |row| {
        Ok((
            row.get::<_, i64>(0)? - key * ROWS_PER_EXECUTION,
            row.get(1)?,
        ))
    })?;
    rows.collect()
}

/// Filter of a list of executions.
#[derive(Debug, Clone, Default)]
pub(crate) struct ListFilter {
    pub(crate) function: String,
    pub(crate) version: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) statuses: Vec<String>,
    pub(crate) started_after: Option<u64>,
    pub(crate) started_before: Option<u64>,
    /// Start time and key of the last execution on the previous page.
    pub(crate) after: Option<(u64, i64)>,
    /// Lists the oldest first.
    pub(crate) reverse: bool,
    pub(crate) most: usize,
}

/// Lists executions by start time: keys and heads.
pub(crate) fn list(conn: &Connection, filter: &ListFilter) -> rusqlite::Result<Vec<(i64, Head)>> {
    let (order, than) = match filter.reverse {
        true => ("ASC", ">"),
        false => ("DESC", "<"),
    };
    let sql = format!(
        "SELECT key, head FROM executions WHERE function = ?1
         AND (?2 IS NULL OR version = ?2) AND (?3 IS NULL OR name = ?3)
         AND (?4 = '[]' OR status IN (SELECT value FROM json_each(?4)))
         AND (?5 IS NULL OR started > ?5) AND (?6 IS NULL OR started < ?6)
         AND (?7 IS NULL OR (started, key) {than} (?7, ?8))
         ORDER BY started {order}, key {order} LIMIT ?9"
    );
    let statuses = serde_json::to_string(&filter.statuses).map_err(invalid)?;
    let mut list = conn.prepare_cached(&sql)?;
    let values = params![
        filter.function,
        filter.version,
        filter.name,
        statuses,
        filter.started_after,
        filter.started_before,
        filter.after.map(|(started, _)| started),
        filter.after.map(|(_, key)| key),
        filter.most as i64,
    ];
    let rows = list.query_map(values, |row| {
        let head: String = row.get(1)?;
        Ok((row.get(0)?, serde_json::from_str(&head).map_err(invalid)?))
    })?;
    rows.collect()
}

/// Which executions of all functions to list, by function, name and id.
#[cfg(feature = "serve")]
#[derive(Debug, Clone, Default)]
pub(crate) struct AllFilter {
    pub(crate) function: Option<String>,
    pub(crate) statuses: Vec<&'static str>,
    pub(crate) prefix: Option<String>,
    pub(crate) after: Option<String>,
    pub(crate) started_from: Option<i64>,
    pub(crate) started_before: Option<i64>,
    /// Lists the newest first.
    pub(crate) newest: bool,
    /// Start time and path of the last execution on the previous page of a listing with the newest first.
    pub(crate) older_than: Option<(i64, String)>,
    pub(crate) most: usize,
}

/// Lists the ids of executions of all functions.
#[cfg(feature = "serve")]
pub(crate) fn all(conn: &Connection, filter: &AllFilter) -> rusqlite::Result<Vec<String>> {
    let order = match filter.newest {
        true => "started DESC, path DESC",
        false => "path",
    };
    let select = format!(
        "SELECT id FROM (SELECT id, status, started, function, function || '/' || name || '/' || id AS path
         FROM executions)
         WHERE (?1 IS NULL OR function = ?1)
         AND (?2 = '[]' OR status IN (SELECT value FROM json_each(?2)))
         AND (?3 IS NULL OR substr(path, 1, length(?3)) = ?3) AND (?4 IS NULL OR path > ?4)
         AND (?5 IS NULL OR started >= ?5) AND (?6 IS NULL OR started < ?6)
         AND (?8 IS NULL OR (started, path) < (?8, ?9))
         ORDER BY {order} LIMIT ?7"
    );
    let mut list = conn.prepare_cached(&select)?;
    let values = params![
        filter.function,
        serde_json::to_string(&filter.statuses).map_err(invalid)?,
        filter.prefix,
        filter.after,
        filter.started_from,
        filter.started_before,
        filter.most as i64,
        filter.older_than.as_ref().map(|(started, _)| started),
        filter.older_than.as_ref().map(|(_, path)| path),
    ];
    let rows = list.query_map(values, |row| row.get(0))?;
    rows.collect()
}
