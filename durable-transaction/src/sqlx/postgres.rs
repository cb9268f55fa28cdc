//! PostgreSQL with sqlx.

use std::time::Duration;

use durable_core::transaction::{
    Key, RecordedOutcome, Transaction, TransactionError, Transactional,
};
use sqlx::{Error, PgConnection, PgPool, Postgres};

use super::{Sqlx, failed, is_duplicate, outcome};
use crate::schema::POSTGRES as SCHEMA;
use crate::statements::POSTGRES as STATEMENTS;
use crate::table::Table;

pool!(
    Postgres,
    PgPool,
    PgConnection,
    PgTransaction,
    "postgres",
    STATEMENTS,
    SCHEMA
);

async fn begin(pool: &PgPool) -> Result<sqlx::Transaction<'static, Postgres>, Error> {
    pool.begin().await
}

async fn raise_fence(connection: &mut PgConnection, key: &Key, fence: i64) -> Result<bool, Error> {
    let raised = sqlx::query(STATEMENTS.raise_fence)
        .bind(key.execution())
        .bind(key.lineage())
        .bind(fence)
        .execute(connection)
        .await?;
    Ok(raised.rows_affected() > 0)
}

fn seconds(age: Duration) -> f64 {
    age.as_secs_f64()
}
