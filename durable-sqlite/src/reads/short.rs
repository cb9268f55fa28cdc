//! Histories that are read together with the claim of their execution.

use std::path::Path;

use durable_core::Record;
use durable_core::store::{Execution, ExecutionStatus};
use rusqlite::Connection;

use super::records;
use crate::rows::row_key;

/// Longest history that is read with a claim. A longer one would keep other writes waiting.
const MAX_RECORDS: u64 = 32;
/// Most bytes of values in it.
const MAX_BYTES: i64 = 16 * 1024;

/// All records of an execution that has few and small ones. `None` for a longer history, and for one that cannot be
/// read: loading it reports the reason.
pub(crate) type ShortHistory = Option<Vec<Record>>;

/// Reads the history of an execution if it is short. One that has never run has none.
pub(crate) fn short_history(
    conn: &Connection,
    path: &Path,
    key: i64,
    execution: &Execution,
) -> ShortHistory {
    if execution.status == ExecutionStatus::Queued {
        return Some(Vec::new());
    }
    // The length of a value is part of its row's header, so that this reads no large value.
    let size = "SELECT count(*), coalesce(sum(length(data)), 0) FROM operations WHERE place > ?1 AND place <= ?2";
    let range = [row_key(key, 0), row_key(key, MAX_RECORDS + 1)];
    let mut statement = conn.prepare_cached(size).ok()?;
    let (count, bytes): (i64, i64) = statement
        .query_row(range, |row| Ok((row.get(0)?, row.get(1)?)))
        .ok()?;
    let is_short = count <= MAX_RECORDS.cast_signed() && bytes <= MAX_BYTES;
    is_short.then(|| records(conn, path, &execution.id, key, 0).ok())?
}
