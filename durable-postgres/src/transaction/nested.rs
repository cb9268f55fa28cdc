//! Savepoint around a call with sqlx.

use std::mem::ManuallyDrop;

use sqlx::{Connection, Error, PgConnection, Postgres, Transaction};

/// Sets a savepoint. sqlx rolls back to it when the value is dropped before it is committed.
pub(super) async fn begin(
    connection: &mut PgConnection,
) -> Result<Transaction<'_, Postgres>, Error> {
    // If the savepoint cannot be set, sqlx rolls back the caller's transaction, and the statements that follow would
    // commit on their own. An aborted transaction is therefore recognized first.
    sqlx::raw_sql("SELECT 1").execute(&mut *connection).await?;
    // The same happens if the future is dropped while it is pending. It leaks instead: the transaction then has a savepoint
    // that nobody rolls back to.
    let mut begun = ManuallyDrop::new(Box::pin(connection.begin()));
    let done = begun.as_mut().await;
    drop(ManuallyDrop::into_inner(begun));
    done
}
