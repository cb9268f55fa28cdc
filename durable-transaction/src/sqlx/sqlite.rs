//! SQLite with sqlx.

use std::time::Duration;

use durable_core::transaction::{
    Key, RecordedOutcome, Transaction, TransactionError, Transactional,
};
use sqlx::{Error, Sqlite, SqliteConnection, SqlitePool};

use super::{Sqlx, failed, is_duplicate, outcome};
use crate::schema::SQLITE as SCHEMA;
use crate::statements::SQLITE as STATEMENTS;
use crate::table::Table;

pool!(
    Sqlite,
    SqlitePool,
    SqliteConnection,
    SqliteTransaction,
    "sqlite",
    STATEMENTS,
    SCHEMA
);

/// Begins a transaction that may write. One that begins by reading fails if another connection has written before it
/// writes.
async fn begin(pool: &SqlitePool) -> Result<sqlx::Transaction<'static, Sqlite>, Error> {
    pool.begin_with("BEGIN IMMEDIATE").await
}

conditional_fence!(SqliteConnection, STATEMENTS);

fn seconds(age: Duration) -> i64 {
    i64::try_from(age.as_secs()).unwrap_or(i64::MAX)
}
