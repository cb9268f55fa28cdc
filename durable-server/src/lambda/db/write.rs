//! Writes to the state.

use rusqlite::{Connection, params};

use super::ROWS_PER_EXECUTION;
use crate::lambda::service::{Changes, Head};

/// Queued asynchronous invocation of a function that is not durable.
#[derive(Debug, Clone)]
pub(crate) struct Queued {
    pub(crate) id: String,
    pub(crate) function: String,
    pub(crate) payload: Vec<u8>,
    pub(crate) tenant: Option<String>,
    /// Number of failed attempts.
    pub(crate) attempts: u32,
    /// Time of the next attempt.
    pub(crate) due: u64,
}

/// Write to the state.
#[derive(Debug)]
pub(crate) enum Write {
    /// Adds an execution, unless its function has one with this name.
    Add {
        key: i64,
        row: Row,
        changes: Changes,
    },
    Save {
        key: i64,
        row: Row,
        changes: Changes,
    },
    Delete {
        key: i64,
    },
    Queue(Queued),
    Unqueue {
        id: String,
    },
}

/// Columns that queries select executions by.
#[derive(Debug)]
pub(crate) struct Row {
    id: String,
    function: String,
    name: String,
    version: String,
    status: &'static str,
    started: u64,
    expires: Option<u64>,
}

impl Row {
    pub(crate) fn of(head: &Head) -> Self {
        let day = 24 * 60 * 60 * 1_000;
        let kept = u64::from(head.retention_days) * day;
        Self {
            id: head.id.clone(),
            function: head.function.clone(),
            name: head.name.clone(),
            version: head.version.clone(),
            status: head.status().name(),
            started: head.started,
            expires: head.ending.as_ref().map(|ending| ending.at + kept),
        }
    }
}

/// Effect of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Written {
    Done,
    /// The name is in use, so nothing was added.
    NameTaken,
}

pub(super) fn apply(conn: &Connection, write: &Write) -> rusqlite::Result<Written> {
    match write {
        Write::Add { key, row, changes } => return add(conn, *key, row, changes),
        Write::Save { key, row, changes } => {
            conn.prepare_cached(
                "UPDATE executions SET status = ?2, expires = ?3, head = ?4 WHERE key = ?1",
            )?
            .execute(params![key, row.status, row.expires, changes.head])?;
            save(conn, *key, changes)?;
        }
        Write::Delete { key } => delete(conn, *key)?,
        Write::Queue(queued) => {
            conn.prepare_cached("INSERT OR REPLACE INTO queued VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?
                .execute(params![
                    queued.id,
                    queued.function,
                    queued.payload,
                    queued.tenant,
                    queued.attempts,
                    queued.due
                ])?;
        }
        Write::Unqueue { id } => {
            conn.prepare_cached("DELETE FROM queued WHERE id = ?1")?
                .execute([id])?;
        }
    }
    Ok(Written::Done)
}

fn add(conn: &Connection, key: i64, row: &Row, changes: &Changes) -> rusqlite::Result<Written> {
    let taken = "SELECT 1 FROM executions WHERE function = ?1 AND name = ?2 OR id = ?3";
    let taken = conn
        .prepare_cached(taken)?
        .exists(params![row.function, row.name, row.id])?;
    if taken {
        return Ok(Written::NameTaken);
    }
    conn.prepare_cached("INSERT INTO executions VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")?
        .execute(params![
            key,
            row.id,
            row.function,
            row.name,
            row.version,
            row.status,
            row.started,
            row.expires,
            changes.head
        ])?;
    save(conn, key, changes)?;
    Ok(Written::Done)
}

fn save(conn: &Connection, key: i64, changes: &Changes) -> rusqlite::Result<()> {
    let mut put = conn.prepare_cached("INSERT OR REPLACE INTO operations VALUES (?1, ?2)")?;
    for (position, json) in &changes.operations {
        put.execute(params![key * ROWS_PER_EXECUTION + *position as i64, json])?;
    }
    let mut append = conn.prepare_cached("INSERT INTO events VALUES (?1, ?2)")?;
    for (number, json) in &changes.events {
        append.execute(params![key * ROWS_PER_EXECUTION + *number as i64, json])?;
    }
    Ok(())
}

fn delete(conn: &Connection, key: i64) -> rusqlite::Result<()> {
    let places = [key * ROWS_PER_EXECUTION, (key + 1) * ROWS_PER_EXECUTION];
    conn.prepare_cached("DELETE FROM operations WHERE place >= ?1 AND place < ?2")?
        .execute(places)?;
    conn.prepare_cached("DELETE FROM events WHERE place >= ?1 AND place < ?2")?
        .execute(places)?;
    conn.prepare_cached("DELETE FROM executions WHERE key = ?1")?
        .execute([key])?;
    Ok(())
}
