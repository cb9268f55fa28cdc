//! Reads of executions, records and schedules.

mod counts;
mod indexed;
mod unclaimed;

use std::path::Path;

use durable_core::store::notifier::Changes;
use durable_core::store::{
    Execution, ExecutionStatus, Filter, Order, ScheduleEntry, StoreError, StoreErrorKind,
};
use durable_core::{ExecutionId, Record, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, Rows, params};

use crate::cells::Damage;
use crate::error::{Fault, corrupt};
pub(crate) use counts::counts;
#[cfg(test)]
pub(crate) use unclaimed::{SELECT_BY_KEYS, SELECT_SHORT};
pub(crate) use unclaimed::{
    ShortHistory, Unclaimed, Undecodable, json, short_histories, unclaimed, unclaimed_by_id,
};

use crate::rows::{self, MAX_SEQ, execution_columns, record_columns, row_key, schedule_columns};

const SELECT_BY_ID: &str = concat!(
    "SELECT ",
    execution_columns!(),
    " FROM executions WHERE id = ?1"
);

/// Reads an execution with at most 64 KiB of values, whose length is in the row's header.
const SELECT_SMALL: &str = concat!(
    "SELECT ",
    execution_columns!(),
    " FROM executions WHERE id = ?1 AND length(input) + coalesce(length(output), 0) <= 65536"
);

const SELECT_RECORDS: &str = concat!(
    "SELECT ",
    record_columns!(),
    " FROM operations WHERE place > ?1 AND place <= ?2 ORDER BY place"
);

const SELECT_PUBLISHED: &str = concat!(
    "SELECT ",
    record_columns!(),
    " FROM operations WHERE place > ?1 AND place <= ?2 AND name = '#published' ORDER BY place"
);

const SELECT_CHANGED: &str = concat!(
    "SELECT ",
    record_columns!(),
    " FROM operations WHERE place IN (SELECT ?1 << 32 | seq FROM changes WHERE execution = ?1 AND number > ?2) \
      ORDER BY place"
);

const SELECT_BY_KEY: &str = concat!(
    "SELECT ",
    execution_columns!(),
    " FROM executions WHERE key = ?1"
);

/// Lists executions from `$from`, in the order of the column `$id`.
macro_rules! select_list {
    ($from:literal, $id:literal) => {
        concat!(
            "SELECT ",
            execution_columns!(),
            " FROM ",
            $from,
            $id,
            " >= ?1 AND ",
            $id,
            " < ?5 AND (?2 IS NULL OR handler = ?2) \
              AND (?3 IS NULL OR status IN (SELECT value FROM json_each(?3))) AND (?6 IS NULL OR queue = ?6) \
              AND (?7 IS NULL OR created_at >= ?7) AND (?8 IS NULL OR created_at < ?8) \
              AND (?9 IS NULL OR updated_at < ?9) AND (?10 IS NULL OR paused = ?10) ORDER BY ",
            $id,
            " LIMIT ?4"
        )
    };
}

const SELECT_LIST: &str = select_list!("executions WHERE ", "id");

const SELECT_QUEUED: &str = select_list!(
    "executions INDEXED BY executions_queue WHERE queue = ?6 AND ",
    "id"
);

/// Lists executions by their first label, and looks up the others, which `?13` holds as a JSON object.
const SELECT_LABELLED: &str = select_list!(
    "labels AS l CROSS JOIN executions ON key = l.execution WHERE l.label = ?11 AND l.value = ?12 AND NOT EXISTS \
     (SELECT 1 FROM json_each(?13) AS w WHERE NOT EXISTS (SELECT 1 FROM labels AS o WHERE o.label = w.key AND o.value = \
     w.value AND o.execution_id = l.execution_id)) AND ",
    "l.execution_id"
);

const SELECT_SCHEDULES: &str = concat!(
    "SELECT ",
    schedule_columns!(),
    " FROM schedules ORDER BY name"
);

const SELECT_SCHEDULES_DUE: &str = concat!(
    "SELECT ",
    schedule_columns!(),
    " FROM schedules WHERE paused = 0 AND next_at <= ?1 ORDER BY name"
);

/// Reads the execution `id` and its key, if there is one.
pub(crate) fn find(
    conn: &Connection,
    path: &Path,
    id: &ExecutionId,
) -> Result<Option<(i64, Execution)>, Fault> {
    select_one(conn, path, SELECT_BY_ID, id)
}

/// Reads the execution `id`, unless its values are large.
pub(crate) fn small(
    conn: &Connection,
    path: &Path,
    id: &ExecutionId,
) -> Result<Option<Execution>, Fault> {
    let found = select_one(conn, path, SELECT_SMALL, id)?;
    Ok(found.map(|(_, execution)| execution))
}

fn select_one(
    conn: &Connection,
    path: &Path,
    select: &str,
    id: &ExecutionId,
) -> Result<Option<(i64, Execution)>, Fault> {
    let mut statement = conn.prepare_cached(select)?;
    let mut rows = statement.query([id.as_str()])?;
    let found = rows.next()?;
    found.map(|row| execution(row, path)).transpose()
}

/// Reads the execution `id` and its key.
pub(crate) fn existing(
    conn: &Connection,
    path: &Path,
    id: &ExecutionId,
) -> Result<(i64, Execution), Fault> {
    find(conn, path, id)?.ok_or_else(|| not_found(path, id).into())
}

/// Reads the page of executions that a filter selects.
pub(crate) fn list(
    conn: &Connection,
    path: &Path,
    filter: &Filter,
) -> Result<Vec<Execution>, Fault> {
    match filter.order {
        Order::Newest { .. } => indexed::newest(conn, path, filter),
        _ => match indexed::few_by_id(conn, path, filter)? {
            Some(few) => Ok(few),
            None => list_by_id(conn, path, filter),
        },
    }
}

fn list_by_id(conn: &Connection, path: &Path, filter: &Filter) -> Result<Vec<Execution>, Fault> {
    let status = status_words(filter);
    let limit = i64::try_from(filter.page_size()).unwrap_or(i64::MAX);
    let label = filter.labels.iter().next();
    let mut statement = conn.prepare_cached(match (label, &filter.queue) {
        (Some(_), _) => SELECT_LABELLED,
        (None, Some(_)) => SELECT_QUEUED,
        (None, None) => SELECT_LIST,
    })?;
    let (first, end) = bounds(filter);
    let millis = |at: Option<Timestamp>| at.map(Timestamp::as_millis);
    let filters = params![
        first,
        filter.handler,
        status,
        limit,
        end,
        filter.queue,
        millis(filter.created_from),
        millis(filter.created_before),
        millis(filter.updated_before),
        filter.paused,
        label.map(|(label, _)| label),
        label.map(|(_, value)| value),
        filter.labels.encode(),
    ];
    // The last three belong to labels only.
    let filters = &filters[..statement.parameter_count()];
    let mut rows = statement.query(filters)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(execution(row, path)?.1);
    }
    Ok(found)
}

/// The states of a filter as a JSON array; `None` for all.
fn status_words(filter: &Filter) -> Option<String> {
    let words: Vec<_> = filter.status.iter().map(|status| status.as_str()).collect();
    (!words.is_empty()).then(|| format!("[\"{}\"]", words.join("\",\"")))
}

/// Texts between which the ids of a page are, the first included. Ids contain only visible ASCII characters.
fn bounds(filter: &Filter) -> (String, String) {
    let prefix = filter.prefix.as_deref().unwrap_or_default();
    // No id is between that of `after` and this text.
    let after = filter.after.as_ref().map(|id| format!("{id}\u{1}"));
    let first = after.map_or(prefix.to_owned(), |after| after.max(prefix.to_owned()));
    (first, format!("{prefix}\u{10ffff}"))
}

/// Reads the execution with this key. The inner result is an error if its row cannot be decoded.
pub(crate) fn by_key(
    conn: &Connection,
    path: &Path,
    key: i64,
) -> Result<Option<Result<Execution, Fault>>, Fault> {
    let mut statement = conn.prepare_cached(SELECT_BY_KEY)?;
    let mut rows = statement.query([key])?;
    let found = rows.next()?;
    Ok(found.map(|row| execution(row, path).map(|(_, execution)| execution)))
}

/// Reads the schedules that fire by this time, or all of them.
pub(crate) fn schedules(
    conn: &Connection,
    path: &Path,
    due_by: Option<Timestamp>,
) -> Result<Vec<ScheduleEntry>, Fault> {
    let select = if due_by.is_some() {
        SELECT_SCHEDULES_DUE
    } else {
        SELECT_SCHEDULES
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

/// Reads the number of external updates of the execution `id`.
pub(crate) fn changes(conn: &Connection, path: &Path, id: &ExecutionId) -> Result<Changes, Fault> {
    count_changes(conn, id)?.ok_or_else(|| not_found(path, id).into())
}

/// Reads the number of external updates of the execution `id`, if there is one.
pub(crate) fn count_changes(
    conn: &Connection,
    id: &ExecutionId,
) -> rusqlite::Result<Option<Changes>> {
    conn.prepare_cached("SELECT changes, status FROM executions WHERE id = ?1")?
        .query_row([id.as_str()], |row| {
            let status = ExecutionStatus::from_word(row.get_ref(1)?.as_str()?);
            let settled = status.is_some_and(ExecutionStatus::is_settled);
            let count = row.get::<_, i64>(0)?.cast_unsigned();
            Ok(Changes { count, settled })
        })
        .optional()
}

/// Counts the records of each execution: the position of its last one.
pub(crate) fn operation_counts(conn: &Connection, ids: &[ExecutionId]) -> Result<Vec<u64>, Fault> {
    let select = "SELECT max(place) FROM operations WHERE place > ?1 AND place <= ?2";
    let mut key = conn.prepare_cached("SELECT key FROM executions WHERE id = ?1")?;
    let mut last = conn.prepare_cached(select)?;
    let mut counts = Vec::with_capacity(ids.len());
    for id in ids {
        let key = key.query_row([id.as_str()], |row| row.get(0)).optional()?;
        let last: Option<i64> = match key {
            Some(key) => {
                last.query_row([row_key(key, 0), row_key(key, MAX_SEQ)], |row| row.get(0))?
            }
            None => None,
        };
        counts.push(last.map_or(0, rows::seq_of));
    }
    Ok(counts)
}

/// Reads all records of the execution `id`.
pub(crate) fn history(
    conn: &Connection,
    path: &Path,
    id: &ExecutionId,
) -> Result<Vec<Record>, Fault> {
    let key = key(conn, path, id)?;
    records(conn, path, id, key, 0)
}

/// Reads the records of the values that the execution `id` has published.
pub(crate) fn published(
    conn: &Connection,
    path: &Path,
    id: &ExecutionId,
) -> Result<Vec<Record>, Fault> {
    let key = key(conn, path, id)?;
    let mut statement = conn.prepare_cached(SELECT_PUBLISHED)?;
    let rows = statement.query([row_key(key, 0), row_key(key, MAX_SEQ)])?;
    decoded(path, id, rows)
}

fn key(conn: &Connection, path: &Path, id: &ExecutionId) -> Result<i64, Fault> {
    let mut statement = conn.prepare_cached("SELECT key FROM executions WHERE id = ?1")?;
    let key = statement.query_row([id.as_str()], |row| row.get(0));
    let key = key.optional()?;
    key.ok_or_else(|| not_found(path, id).into())
}

/// Reads the records after a position, in one range scan.
pub(crate) fn records(
    conn: &Connection,
    path: &Path,
    id: &ExecutionId,
    key: i64,
    after: u64,
) -> Result<Vec<Record>, Fault> {
    let mut statement = conn.prepare_cached(SELECT_RECORDS)?;
    let rows = statement.query([row_key(key, after), row_key(key, MAX_SEQ)])?;
    let records = decoded(path, id, rows)?;
    let mut expected = records.iter().zip(after.saturating_add(1)..);
    match expected.find(|(record, seq)| record.seq != *seq) {
        None => Ok(records),
        Some((_, missing)) => {
            let what = format_args!(
                "record {missing} of execution `{id}` is missing, although later ones exist"
            );
            Err(corrupt(path, what).into())
        }
    }
}

/// Reads the record at a position, if there is one.
pub(crate) fn record(
    conn: &Connection,
    path: &Path,
    id: &ExecutionId,
    key: i64,
    seq: u64,
) -> Result<Option<Record>, Fault> {
    if !(1..=MAX_SEQ).contains(&seq) {
        return Ok(None);
    }
    let mut statement = conn.prepare_cached(SELECT_RECORDS)?;
    let rows = statement.query([row_key(key, seq - 1), row_key(key, seq)])?;
    Ok(decoded(path, id, rows)?.pop())
}

/// Reads the records changed by external updates after the first `seen` ones.
pub(crate) fn changed(
    conn: &Connection,
    path: &Path,
    id: &ExecutionId,
    key: i64,
    seen: u64,
) -> Result<Vec<Record>, Fault> {
    let mut statement = conn.prepare_cached(SELECT_CHANGED)?;
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
    let row_key = row.get_ref(0).ok().and_then(|key| key.as_i64().ok());
    let row_key = row_key.unwrap_or_default();
    let seq = rows::seq_of(row_key);
    let name = row.get_ref(4).ok().and_then(|name| name.as_str().ok());
    let what = format!(
        "operation `{}` (record {seq} of execution `{id}`)",
        name.unwrap_or("?")
    );
    let row = format!("operations SET checksum = NULL WHERE place = {row_key}");
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

/// Builds the error for a row that cannot be decoded. `row` is the rest of the `UPDATE` statement that
/// accepts the row without its checksum.
pub(crate) fn undecodable(
    path: &Path,
    what: impl std::fmt::Display,
    damage: &Damage,
    row: &str,
) -> StoreError {
    let Damage {
        column,
        why,
        only_checksum_differs,
    } = damage;
    let accept = match only_checksum_differs {
        true => format!(". If the stored value is right, accept it with `UPDATE {row}`"),
        false => String::new(),
    };
    corrupt(
        path,
        format_args!("{what} cannot be read, column `{column}`: {why}{accept}"),
    )
}

pub(crate) fn not_found(path: &Path, id: &ExecutionId) -> StoreError {
    StoreError::new(
        StoreErrorKind::NotFound,
        format!("there is no execution `{id}` in `{}`", path.display()),
    )
}

#[cfg(test)]
mod tests;
