//! Creation and maintenance of the table.

use std::time::Duration;

use durable_core::transaction::TransactionError;

/// Database that can create the table `durable_transactions` and remove old rows.
pub trait Table: Send + Sync {
    /// Creates the table, unless it exists.
    ///
    /// # Errors
    ///
    /// Errors of the database, for example that the role may not create tables.
    fn migrate(&self) -> impl Future<Output = Result<(), TransactionError>> + Send;

    /// Removes the rows that were written longer ago than `age`. Returns their number.
    ///
    /// # Errors
    ///
    /// Errors of the database.
    fn prune(&self, age: Duration) -> impl Future<Output = Result<u64, TransactionError>> + Send;
}

/// Creates the table `durable_transactions`, unless it exists.
///
/// The role of the application needs the right to create tables for that. Otherwise, run the SQL in
/// [`schema`](crate::schema) as a migration; `durable transaction-schema` prints it.
///
/// # Errors
///
/// Errors of the database.
pub async fn migrate<T: Table>(database: &T) -> Result<(), TransactionError> {
    // Two processes that create it at the same time may get an error, but only once.
    match database.migrate().await {
        Ok(()) => Ok(()),
        Err(_) => database.migrate().await,
    }
}

/// Removes the rows of `durable_transactions` that were written longer ago than `age`. Returns their number.
///
/// Rows with outcomes are removed once the outcome is in the checkpoint store. One row per execution stays, which keeps
/// out a process that has lost its lease. On AWS Lambda, and after a crash between commit and checkpoint, rows with outcomes
/// stay too.
///
/// Choose an age that is longer than any outage: of a process that hangs and wakes up again, and of an execution whose
/// process has crashed and that waits for a worker. An interrupted step whose row is gone runs again. A month is
/// plenty for most applications.
///
/// # Errors
///
/// Errors of the database.
pub async fn prune<T: Table>(database: &T, age: Duration) -> Result<u64, TransactionError> {
    database.prune(age).await
}

/// Advice in errors about a missing table.
#[cfg(any(
    feature = "rusqlite",
    feature = "sqlx-mysql",
    feature = "sqlx-postgres",
    feature = "sqlx-sqlite",
    feature = "tokio-postgres"
))]
pub(crate) fn missing(dialect: &str) -> TransactionError {
    let advice = format!(
        "call `durable::transaction::migrate`, or run the SQL that `durable transaction-schema {dialect}` prints"
    );
    TransactionError::missing_table(crate::schema::TABLE, &advice)
}
