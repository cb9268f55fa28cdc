//! Pools of sqlx.

use durable_core::transaction::{RecordedOutcome, TransactionError};
use sqlx::Error;

/// Driver of the pools of sqlx, the parameter of their [`Transactional`](crate::Transactional).
#[derive(Debug)]
pub enum Sqlx {}

/// Decodes the row that was found.
fn outcome(
    row: Option<(Option<String>, Vec<u8>)>,
) -> Result<Option<RecordedOutcome>, TransactionError> {
    row.map(|(codec, data)| RecordedOutcome::from_columns(codec, data))
        .transpose()
        .map_err(TransactionError::database)
}

/// Converts an error of a statement on the table.
fn failed(error: Error, dialect: &str) -> TransactionError {
    let missing = error.as_database_error().is_some_and(|error| {
        let code = error.code();
        matches!(code.as_deref(), Some("42P01" | "42S02"))
            || dialect == "sqlite" && error.message().starts_with("no such table")
    });
    match missing {
        true => crate::table::missing(dialect),
        false => TransactionError::database(error),
    }
}

/// Implements the traits for the pool of one database.
macro_rules! pool {
    ($database:ident, $pool:ty, $connection:ty, $transaction:ident, $dialect:literal, $statements:expr, $schema:expr) => {
        #[doc = concat!("Open transaction of a [`", stringify!($pool), "`].")]
        #[derive(Debug)]
        pub struct $transaction(::sqlx::Transaction<'static, ::sqlx::$database>);

        impl Transactional<Sqlx> for $pool {
            type Transaction = $transaction;

            async fn begin(&self) -> Result<$transaction, TransactionError> {
                let begun = begin(self).await;
                begun.map($transaction).map_err(TransactionError::database)
            }

            async fn find(&self, key: &Key) -> Result<Option<RecordedOutcome>, TransactionError> {
                let found = ::sqlx::query_as($statements.find)
                    .bind(key.execution())
                    .bind(key.lineage())
                    .bind(key.operation())
                    .fetch_optional(self)
                    .await;
                outcome(found.map_err(|error| failed(error, $dialect))?)
            }

            async fn remove(&self, key: &Key) -> Result<(), TransactionError> {
                let removed = ::sqlx::query($statements.remove)
                    .bind(key.execution())
                    .bind(key.lineage())
                    .bind(key.operation())
                    .execute(self)
                    .await;
                removed.map(drop).map_err(|error| failed(error, $dialect))
            }
        }

        impl Transaction for $transaction {
            type Handle<'t> = &'t mut $connection;

            fn handle(&mut self) -> &mut $connection {
                &mut self.0
            }

            async fn raise_fence(
                &mut self,
                key: &Key,
                fence: i64,
            ) -> Result<bool, TransactionError> {
                let raised = raise_fence(&mut self.0, key, fence).await;
                raised.map_err(|error| failed(error, $dialect))
            }

            async fn insert(
                &mut self,
                key: &Key,
                outcome: &RecordedOutcome,
            ) -> Result<bool, TransactionError> {
                let inserted = ::sqlx::query($statements.insert)
                    .bind(key.execution())
                    .bind(key.lineage())
                    .bind(key.operation())
                    .bind(key.fence().unwrap_or_default())
                    .bind(outcome.codec())
                    .bind(outcome.data())
                    .execute(&mut *self.0)
                    .await;
                match inserted {
                    Ok(done) => Ok(done.rows_affected() > 0),
                    Err(error) if is_duplicate(&error) => Ok(false),
                    Err(error) => Err(failed(error, $dialect)),
                }
            }

            async fn commit(self) -> Result<(), TransactionError> {
                self.0.commit().await.map_err(TransactionError::database)
            }

            async fn roll_back(self) -> Result<(), TransactionError> {
                self.0.rollback().await.map_err(TransactionError::database)
            }
        }

        impl Table for $pool {
            async fn migrate(&self) -> Result<(), TransactionError> {
                let created = ::sqlx::query($schema).execute(self).await;
                created.map(drop).map_err(TransactionError::database)
            }

            async fn prune(&self, age: Duration) -> Result<u64, TransactionError> {
                let pruned = ::sqlx::query($statements.prune)
                    .bind(seconds(age))
                    .execute(self)
                    .await;
                pruned
                    .map(|done| done.rows_affected())
                    .map_err(|error| failed(error, $dialect))
            }
        }
    };
}

/// Raises the fence with an upsert that changes nothing where a higher one stands.
#[cfg(any(feature = "sqlx-postgres", feature = "sqlx-sqlite"))]
macro_rules! conditional_fence {
    ($connection:ty, $statements:expr) => {
        async fn raise_fence(
            connection: &mut $connection,
            key: &Key,
            fence: i64,
        ) -> Result<bool, Error> {
            let raised = ::sqlx::query($statements.raise_fence)
                .bind(key.execution())
                .bind(key.lineage())
                .bind(fence)
                .execute(connection)
                .await?;
            Ok(raised.rows_affected() > 0)
        }
    };
}

/// Whether the row exists.
fn is_duplicate(error: &Error) -> bool {
    error
        .as_database_error()
        .is_some_and(|error| error.is_unique_violation())
}

#[cfg(feature = "sqlx-mysql")]
mod mysql;
#[cfg(feature = "sqlx-postgres")]
mod postgres;
#[cfg(feature = "sqlx-sqlite")]
mod sqlite;

#[cfg(feature = "sqlx-mysql")]
pub use mysql::MySqlTransaction;
#[cfg(feature = "sqlx-postgres")]
pub use postgres::PgTransaction;
#[cfg(feature = "sqlx-sqlite")]
pub use sqlite::SqliteTransaction;
