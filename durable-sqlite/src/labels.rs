//! Index of executions by label.

use durable_core::store::Execution;
use rusqlite::Connection;

use crate::error::Fault;

/// Adds an execution with this key to the index.
pub(crate) fn insert(conn: &Connection, key: i64, execution: &Execution) -> Result<(), Fault> {
    let insert =
        "INSERT INTO labels (label, value, execution_id, execution) VALUES (?1, ?2, ?3, ?4)";
    for (label, value) in execution.labels.iter() {
        conn.prepare_cached(insert)?
            .execute((label, value, execution.id.as_str(), key))?;
    }
    Ok(())
}

/// Removes an execution from the index.
pub(crate) fn delete(conn: &Connection, execution: &Execution) -> Result<(), Fault> {
    let delete = "DELETE FROM labels WHERE label = ?1 AND value = ?2 AND execution_id = ?3";
    for (label, value) in execution.labels.iter() {
        conn.prepare_cached(delete)?
            .execute((label, value, execution.id.as_str()))?;
    }
    Ok(())
}
