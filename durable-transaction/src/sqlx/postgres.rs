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

conditional_fence!(PgConnection, STATEMENTS);

fn seconds(age: Duration) -> f64 {
    age.as_secs_f64()
}
