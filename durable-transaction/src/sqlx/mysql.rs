//! MySQL and MariaDB with sqlx.

use std::time::Duration;

use durable_core::transaction::{
    Key, RecordedOutcome, Transaction, TransactionError, Transactional,
};
use sqlx::{Error, MySql, MySqlConnection, MySqlPool};

use super::{Sqlx, failed, is_duplicate, outcome};
use crate::schema::MYSQL as SCHEMA;
use crate::statements::MYSQL as STATEMENTS;
use crate::table::Table;

pool!(
    MySql,
    MySqlPool,
    MySqlConnection,
    MySqlTransaction,
    "mysql",
    STATEMENTS,
    SCHEMA
);

/// Reads the fence that the upsert has left. `FOR UPDATE` reads the newest row instead of one from a snapshot.
const FENCE: &str = "SELECT fence FROM durable_transactions WHERE execution = ? AND lineage = ? AND operation = '' \
                     FOR UPDATE";

async fn begin(pool: &MySqlPool) -> Result<sqlx::Transaction<'static, MySql>, Error> {
    pool.begin().await
}

/// Raises the fence. The upsert of MySQL has no condition, so a higher fence shows only afterwards.
async fn raise_fence(
    connection: &mut MySqlConnection,
    key: &Key,
    fence: i64,
) -> Result<bool, Error> {
    sqlx::query(STATEMENTS.raise_fence)
        .bind(key.execution())
        .bind(key.lineage())
        .bind(fence)
        .execute(&mut *connection)
        .await?;
    let (highest,): (i64,) = sqlx::query_as(FENCE)
        .bind(key.execution())
        .bind(key.lineage())
        .fetch_one(connection)
        .await?;
    Ok(highest <= fence)
}

fn seconds(age: Duration) -> i64 {
    i64::try_from(age.as_secs()).unwrap_or(i64::MAX)
}
