//! Executions that are to be claimed, and their histories if those are short: one statement for all of each.

use std::collections::HashMap;
use std::path::Path;

use durable_core::store::{Execution, ExecutionStatus, StoreError};
use durable_core::{ExecutionId, Record};
use rusqlite::{Connection, Row};

use super::{execution, not_found};
use crate::error::Fault;
use crate::rows::{execution_columns, record, record_columns};

/// Index of the column `fence` in the statements below.
const FENCE: usize = 33;

macro_rules! select_unclaimed {
    ($from:literal) => {
        concat!("SELECT ", execution_columns!(), ", fence FROM ", $from)
    };
}

const SELECT_BY_ID: &str = select_unclaimed!("executions WHERE id = ?1");

/// `?1` is a JSON array of keys, here and below.
pub(crate) const SELECT_BY_KEYS: &str =
    select_unclaimed!("(SELECT value AS k FROM json_each(?1)) CROSS JOIN executions ON key = k");

/// All records of executions with at most 32 that have at most 16 KiB of values: longer histories would keep other
/// writes waiting. The length of a value is part of its row's header, so that no large value is read.
pub(crate) const SELECT_SHORT: &str = concat!(
    "SELECT ",
    record_columns!(),
    " FROM (SELECT value << 32 AS k FROM json_each(?1)) CROSS JOIN operations ON place > k AND place <= k | 4294967295 \
     WHERE (SELECT count(*) <= 32 AND coalesce(sum(length(data)), 0) <= 16384 FROM (SELECT data FROM operations WHERE \
     place > k AND place <= k | 4294967295 LIMIT 33))"
);

/// Execution and what a claim needs of its row.
pub(crate) struct Unclaimed {
    pub(crate) key: i64,
    /// Number of its newest lease.
    pub(crate) fence: i64,
    pub(crate) execution: Execution,
}

impl Unclaimed {
    fn of(row: &Row<'_>, path: &Path) -> Result<Self, Fault> {
        let (key, execution) = execution(row, path)?;
        let fence = row.get(FENCE)?;
        Ok(Self {
            key,
            fence,
            execution,
        })
    }
}

/// Reads the execution `id`.
pub(crate) fn unclaimed_by_id(
    conn: &Connection,
    path: &Path,
    id: &ExecutionId,
) -> Result<Unclaimed, Fault> {
    let mut statement = conn.prepare_cached(SELECT_BY_ID)?;
    let mut rows = statement.query([id.as_str()])?;
    let found = rows.next()?;
    found.map_or_else(
        || Err(not_found(path, id).into()),
        |row| Unclaimed::of(row, path),
    )
}

/// Execution whose row cannot be decoded.
pub(crate) struct Undecodable {
    pub(crate) key: i64,
    pub(crate) damage: StoreError,
}

/// Reads executions, in the order of their keys in `keys`.
pub(crate) fn unclaimed(
    conn: &Connection,
    path: &Path,
    keys: impl IntoIterator<Item = i64>,
) -> Result<Vec<Result<Unclaimed, Undecodable>>, Fault> {
    let mut statement = conn.prepare_cached(SELECT_BY_KEYS)?;
    let mut rows = statement.query([json(keys)])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(match Unclaimed::of(row, path) {
            Ok(unclaimed) => Ok(unclaimed),
            Err(Fault::Refused(damage)) => Err(Undecodable {
                key: row.get(0)?,
                damage,
            }),
            Err(fault) => return Err(fault),
        });
    }
    Ok(found)
}

/// All records of an execution that has few and small ones. `None` for a longer history, and for one that cannot be
/// read: loading it reports the reason.
pub(crate) type ShortHistory = Option<Vec<Record>>;

/// Reads the short histories of executions, in their order. One that has never run has an empty history.
pub(crate) fn short_histories(conn: &Connection, executions: &[Unclaimed]) -> Vec<ShortHistory> {
    let has_run = |of: &&Unclaimed| of.execution.status != ExecutionStatus::Queued;
    let keys: Vec<i64> = executions.iter().filter(has_run).map(|of| of.key).collect();
    let mut read = match keys.as_slice() {
        [] => HashMap::new(),
        _ => by_key(conn, keys).unwrap_or_default(),
    };
    let histories = executions.iter().map(|of| match has_run(&of) {
        true => read.remove(&of.key).flatten(),
        false => Some(Vec::new()),
    });
    histories.collect()
}

/// Reads short histories by the keys of their executions. Those that cannot be decoded are `None`.
fn by_key(conn: &Connection, keys: Vec<i64>) -> rusqlite::Result<HashMap<i64, ShortHistory>> {
    let mut histories = HashMap::with_capacity(keys.len());
    let mut statement = conn.prepare_cached(SELECT_SHORT)?;
    let mut rows = statement.query([json(keys)])?;
    while let Some(row) = rows.next()? {
        let key = row.get::<_, i64>(0)? >> 32;
        let history = histories.entry(key).or_insert_with(|| Some(Vec::new()));
        let next = history.as_ref().map_or(0, Vec::len) as u64 + 1;
        match (history.as_mut(), record(row)) {
            (Some(records), Ok(record)) if record.seq == next => records.push(record),
            _ => *history = None,
        }
    }
    Ok(histories)
}

/// Encodes keys as a JSON array.
pub(crate) fn json(keys: impl IntoIterator<Item = i64>) -> String {
    let keys: Vec<String> = keys.into_iter().map(|key| key.to_string()).collect();
    format!("[{}]", keys.join(","))
}
