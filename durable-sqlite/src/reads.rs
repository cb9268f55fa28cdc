//! What is asked of the database.

use std::path::Path;

use durable_core::store::{
    Execution, ExecutionStatus, Filter, ScheduleEntry, StoreError, StoreErrorKind,
};
use durable_core::{ExecutionId, Record, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, Rows, params};

use crate::cells::Damage;
use crate::error::{Fault, corrupt};
use crate::rows::{self, LAST, execution_columns, place, record_columns, schedule_columns};

const ONE: &str = concat!(
    "SELECT ",
    execution_columns!(),
    " FROM executions WHERE id = ?1"
);

const RECORDS: &str = concat!(
    "SELECT ",
    record_columns!(),
    " FROM operations WHERE place > ?1 AND place <= ?2 ORDER BY place"
);

const CHANGED: &str = concat!(
    "SELECT ",
    record_columns!(),
    " FROM operations WHERE place IN (SELECT ?1 << 32 | seq FROM changes WHERE execution = ?1 AND number > ?2) \
      ORDER BY place"
);

const ONE_BY_KEY: &str = concat!(
    "SELECT ",
    execution_columns!(),
    " FROM executions WHERE key = ?1"
);

const MANY: &str = concat!(
    "SELECT ",
    execution_columns!(),
    " FROM executions WHERE id > ?1 AND id >= ?5 AND (?6 IS NULL OR id < ?6) AND (?2 IS NULL OR handler = ?2) \
      AND (?3 IS NULL OR status IN (SELECT value FROM json_each(?3))) AND (?7 IS NULL OR queue = ?7) \
      AND (?8 IS NULL OR created_at >= ?8) AND (?9 IS NULL OR created_at < ?9) \
      AND (?10 IS NULL OR updated_at < ?10) AND (?11 IS NULL OR paused = ?11) ORDER BY id LIMIT ?4"
);

const SCHEDULES: &str = concat!(
    "SELECT ",
    schedule_columns!(),
    " FROM schedules ORDER BY name"
);

const SCHEDULES_DUE: &str = concat!(
    "SELECT ",
    schedule_columns!(),
    " FROM schedules WHERE paused = 0 AND next_at <= ?1 ORDER BY name"
);

/// Key and state of the execution called `id`, if there is one.
pub(crate) fn find(
    conn: &Connection,
    path: &Path,
    id: &ExecutionId,
) -> Result<Option<(i64, Execution)>, Fault> {
    let mut statement = conn.prepare_cached(ONE)?;
    let mut rows = statement.query([id.as_str()])?;
    let found = rows.next()?;
    found.map(|row| execution(row, path)).transpose()
}

/// Key and state of the execution called `id`.
pub(crate) fn existing(
    conn: &Connection,
    path: &Path,
    id: &ExecutionId,
) -> Result<(i64, Execution), Fault> {
    find(conn, path, id)?.ok_or_else(|| not_found(path, id).into())
}

pub(crate) fn list(
    conn: &Connection,
    path: &Path,
    filter: &Filter,
) -> Result<Vec<Execution>, Fault> {
    let words: Vec<_> = filter.status.iter().map(|status| status.as_str()).collect();
    let status = (!words.is_empty()).then(|| format!("[\"{}\"]", words.join("\",\"")));
    let after = filter.after.as_ref().map_or("", ExecutionId::as_str);
    let limit = i64::try_from(filter.page()).unwrap_or(i64::MAX);
    let mut statement = conn.prepare_cached(MANY)?;
    let prefix = filter.prefix.as_deref().unwrap_or("");
    // No id holds a character behind this one.
    let beyond = filter
        .prefix
        .as_ref()
        .map(|prefix| format!("{prefix}\u{10ffff}"));
    let millis = |at: Option<Timestamp>| at.map(Timestamp::as_millis);
    let mut rows = statement.query(params![
        after,
        filter.handler,
        status,
        limit,
        prefix,
        beyond,
        filter.queue,
        millis(filter.created_from),
        millis(filter.created_before),
        millis(filter.updated_before),
        filter.paused,
    ])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(execution(row, path)?.1);
    }
    Ok(found)
}

/// The state of the execution with this key; `Err` inside when it cannot be read.
pub(crate) fn by_key(
    conn: &Connection,
    path: &Path,
    key: i64,
) -> Result<Option<Result<Execution, Fault>>, Fault> {
    let mut statement = conn.prepare_cached(ONE_BY_KEY)?;
    let mut rows = statement.query([key])?;
    let found = rows.next()?;
    Ok(found.map(|row| execution(row, path).map(|(_, execution)| execution)))
}

/// The schedules that fire by this time, or all.
pub(crate) fn schedules(
    conn: &Connection,
    path: &Path,
    due_by: Option<Timestamp>,
) -> Result<Vec<ScheduleEntry>, Fault> {
    let select = if due_by.is_some() {
        SCHEDULES_DUE
    } else {
        SCHEDULES
    };
    let mut statement = conn.prepare_cached(select)?;
    let mut rows = match due_by {
        Some(by) => statement.query([by.as_millis()])?,
        None => statement.query([])?,
    };
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(rows::schedule(row).map_err(|damage| {
            let name = row.get_ref(0).ok().and_then(|name| name.as_str().ok());
            let name = name.unwrap_or("?");
            let row = format!(
                "schedules SET checksum = NULL WHERE name = {}",
                quoted(name)
            );
            undecodable(path, format_args!("schedule `{name}`"), &damage, &row)
        })?);
    }
    Ok(found)
}

/// How often an execution was changed from outside, and whether nothing happens to it any more.
pub(crate) type Changes = (u64, bool);

/// The changes of the execution called `id`.
pub(crate) fn changes(conn: &Connection, path: &Path, id: &ExecutionId) -> Result<Changes, Fault> {
    count_changes(conn, id)?.ok_or_else(|| not_found(path, id).into())
}

pub(crate) fn count_changes(
    conn: &Connection,
    id: &ExecutionId,
) -> rusqlite::Result<Option<Changes>> {
    conn.prepare_cached("SELECT changes, status FROM executions WHERE id = ?1")?
        .query_row([id.as_str()], |row| {
            let status = ExecutionStatus::from_word(row.get_ref(1)?.as_str()?);
            let settled = status.is_some_and(ExecutionStatus::is_settled);
            Ok((row.get::<_, i64>(0)?.cast_unsigned(), settled))
        })
        .optional()
}

/// All records of the execution called `id`.
pub(crate) fn history(
    conn: &Connection,
    path: &Path,
    id: &ExecutionId,
) -> Result<Vec<Record>, Fault> {
    let mut statement =
        conn.prepare_cached("SELECT key, created_at FROM executions WHERE id = ?1")?;
    let key = statement
        .query_row([id.as_str()], |row| row.get(0))
        .optional()?;
    match key {
        Some(key) => records(conn, path, id, key, 0),
        None => Err(not_found(path, id).into()),
    }
}

/// The records behind a position, in one range read.
pub(crate) fn records(
    conn: &Connection,
    path: &Path,
    id: &ExecutionId,
    key: i64,
    after: u64,
) -> Result<Vec<Record>, Fault> {
    let mut statement = conn.prepare_cached(RECORDS)?;
    let rows = statement.query([place(key, after), place(key, LAST)])?;
    let records = decoded(path, id, rows)?;
    let mut expected = records.iter().zip(after.saturating_add(1)..);
    match expected.find(|(record, seq)| record.seq != *seq) {
        None => Ok(records),
        Some((_, missing)) => {
            let what = format_args!(
                "record {missing} of execution `{id}` is gone, and later ones are there"
            );
            Err(corrupt(path, what).into())
        }
    }
}

/// The record at a position, if there is one.
pub(crate) fn record(
    conn: &Connection,
    path: &Path,
    id: &ExecutionId,
    key: i64,
    seq: u64,
) -> Result<Option<Record>, Fault> {
    if !(1..=LAST).contains(&seq) {
        return Ok(None);
    }
    let mut statement = conn.prepare_cached(RECORDS)?;
    let rows = statement.query([place(key, seq - 1), place(key, seq)])?;
    Ok(decoded(path, id, rows)?.pop())
}

/// The records that the outside has changed since there were so many changes.
pub(crate) fn changed(
    conn: &Connection,
    path: &Path,
    id: &ExecutionId,
    key: i64,
    seen: u64,
) -> Result<Vec<Record>, Fault> {
    let mut statement = conn.prepare_cached(CHANGED)?;
    decoded(path, id, statement.query([key, seen.cast_signed()])?)
}

fn decoded(path: &Path, id: &ExecutionId, mut rows: Rows<'_>) -> Result<Vec<Record>, Fault> {
    let mut records = Vec::new();
    while let Some(row) = rows.next()? {
        records.push(rows::record(row).map_err(|damage| damaged_record(row, path, id, &damage))?);
    }
    Ok(records)
}

fn damaged_record(row: &Row<'_>, path: &Path, id: &ExecutionId, damage: &Damage) -> StoreError {
    let place = row.get_ref(0).ok().and_then(|place| place.as_i64().ok());
    let place = place.unwrap_or_default();
    let seq = rows::seq_of(place);
    let name = row.get_ref(4).ok().and_then(|name| name.as_str().ok());
    let what = format!(
        "operation `{}` (record {seq} of execution `{id}`)",
        name.unwrap_or("?")
    );
    let row = format!("operations SET checksum = NULL WHERE place = {place}");
    undecodable(path, what, damage, &row)
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn execution(row: &Row<'_>, path: &Path) -> Result<(i64, Execution), Fault> {
    rows::execution(row).map_err(|damage| {
        let id = row.get_ref(1).ok().and_then(|id| id.as_str().ok());
        let id = id.unwrap_or("?");
        let column = damage.column;
        let row = format!(
            "executions SET {column}_checksum = NULL WHERE id = {}",
            quoted(id)
        );
        undecodable(path, format_args!("execution `{id}`"), &damage, &row).into()
    })
}

/// The error about a row that cannot be read. `row` is what an `UPDATE` needs to take it without its checksum.
pub(crate) fn undecodable(
    path: &Path,
    what: impl std::fmt::Display,
    damage: &Damage,
    row: &str,
) -> StoreError {
    let Damage { column, why, sum } = damage;
    let accept = match sum {
        true => format!(". If it is right as it stands, keep it with `UPDATE {row}`"),
        false => String::new(),
    };
    corrupt(
        path,
        format_args!("{what} cannot be read, column `{column}`: {why}{accept}"),
    )
}

fn not_found(path: &Path, id: &ExecutionId) -> StoreError {
    StoreError::new(
        StoreErrorKind::NotFound,
        format!("there is no execution `{id}` in `{}`", path.display()),
    )
}
