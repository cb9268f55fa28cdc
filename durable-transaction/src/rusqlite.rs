//! SQLite with rusqlite.

use std::sync::Arc;
use std::time::Duration;

use durable_core::transaction::{
    Key, RecordedOutcome, Transaction, TransactionError, Transactional,
};
use rusqlite::{Connection, Error, OptionalExtension, params};
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::task::spawn_blocking;

use crate::statements::SQLITE as STATEMENTS;
use crate::table::Table;

/// SQLite connection for steps in a transaction, and for everything else.
///
/// A step holds the connection until its transaction ends; other steps and [`lock`](Self::lock) wait. Beginning,
/// committing and the statements around the body run on tokio's threads for blocking work. The statements of the body run
/// where the body runs: put long ones into [`tokio::task::block_in_place`].
///
/// ```
/// use durable_transaction::Rusqlite;
///
/// # async fn f() -> Result<(), Box<dyn std::error::Error>> {
/// let database = Rusqlite::new(rusqlite::Connection::open("bank.db")?);
/// durable_transaction::migrate(&database).await?;
/// let balance: i64 = database.lock().await.query_row("SELECT sum(cents) FROM accounts", [], |row| row.get(0))?;
/// # let _ = balance;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Rusqlite {
    connection: Arc<Mutex<Connection>>,
}

impl Rusqlite {
    /// Takes a connection. Set its [`busy_timeout`](Connection::busy_timeout) if others write to the file.
    pub fn new(connection: Connection) -> Self {
        Self {
            connection: Arc::new(Mutex::new(connection)),
        }
    }

    /// Waits for the connection and returns it. It must not have an open transaction when the guard is dropped.
    pub async fn lock(&self) -> OwnedMutexGuard<Connection> {
        Arc::clone(&self.connection).lock_owned().await
    }

    /// Runs `work` on the connection, on a thread for blocking work.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, TransactionError> {
        let mut connection = self.lock().await;
        joined(spawn_blocking(move || work(&mut connection)).await)
    }
}

/// Connection with an open transaction, which is rolled back when this is dropped.
#[derive(Debug)]
struct Open(OwnedMutexGuard<Connection>);

impl Open {
    fn is_ended(&self) -> bool {
        self.0.is_autocommit()
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if !self.is_ended() {
            // A connection that cannot roll back fails at its next `BEGIN`.
            let _ = self.0.execute_batch("ROLLBACK");
        }
    }
}

/// Open transaction of a [`Rusqlite`].
#[derive(Debug)]
pub struct RusqliteTransaction(Open);

impl RusqliteTransaction {
    /// Returns the connection, if the body has not ended the transaction itself.
    fn connection(&self) -> Result<&Connection, TransactionError> {
        match self.0.is_ended() {
            true => Err(TransactionError::database(
                "the body has committed or rolled back itself: leave that to the step",
            )),
            false => Ok(&self.0.0),
        }
    }
}

/// Converts the result of work on another thread.
fn joined<T>(
    result: Result<Result<T, Error>, tokio::task::JoinError>,
) -> Result<T, TransactionError> {
    match result {
        Ok(result) => result.map_err(failed),
        Err(error) => Err(TransactionError::database(error)),
    }
}

fn failed(error: Error) -> TransactionError {
    match &error {
        Error::SqliteFailure(_, Some(message)) if message.starts_with("no such table") => {
            crate::table::missing("sqlite")
        }
        _ => TransactionError::database(error),
    }
}

impl Transactional for Rusqlite {
    type Transaction = RusqliteTransaction;

    async fn begin(&self) -> Result<RusqliteTransaction, TransactionError> {
        let open = Open(self.lock().await);
        // Waits for other writers, up to the busy timeout.
        let begun = spawn_blocking(move || {
            open.0.execute_batch("BEGIN IMMEDIATE")?;
            Ok(RusqliteTransaction(open))
        });
        joined(begun.await)
    }

    async fn find(&self, key: &Key) -> Result<Option<RecordedOutcome>, TransactionError> {
        let key = key.clone();
        let found = self.blocking(move |connection| {
            let key = params![key.execution(), key.lineage(), key.operation()];
            let mut statement = connection.prepare_cached(STATEMENTS.find)?;
            statement
                .query_row(key, |row| {
                    Ok((row.get::<_, Option<String>>(0)?, row.get::<_, Vec<u8>>(1)?))
                })
                .optional()
        });
        let found = found.await?;
        let outcome = found.map(|(codec, data)| RecordedOutcome::from_columns(codec, data));
        outcome.transpose().map_err(TransactionError::database)
    }

    async fn remove(&self, key: &Key) -> Result<(), TransactionError> {
        let key = key.clone();
        let removed = self.blocking(move |connection| {
            let key = params![key.execution(), key.lineage(), key.operation()];
            connection.prepare_cached(STATEMENTS.remove)?.execute(key)
        });
        removed.await.map(drop)
    }
}

impl Transaction for RusqliteTransaction {
    type Handle<'t> = &'t mut Connection;

    fn handle(&mut self) -> &mut Connection {
        &mut self.0.0
    }

    async fn raise_fence(&mut self, key: &Key, fence: i64) -> Result<bool, TransactionError> {
        let connection = self.connection()?;
        let raised = connection
            .prepare_cached(STATEMENTS.raise_fence)
            .and_then(|mut statement| {
                statement.execute(params![key.execution(), key.lineage(), fence])
            });
        raised.map(|rows| rows > 0).map_err(failed)
    }

    async fn insert(
        &mut self,
        key: &Key,
        outcome: &RecordedOutcome,
    ) -> Result<bool, TransactionError> {
        let connection = self.connection()?;
        let inserted = connection
            .prepare_cached(STATEMENTS.insert)
            .and_then(|mut statement| {
                statement.execute(params![
                    key.execution(),
                    key.lineage(),
                    key.operation(),
                    key.fence().unwrap_or_default(),
                    outcome.codec(),
                    outcome.data(),
                ])
            });
        inserted.map(|rows| rows > 0).map_err(failed)
    }

    async fn commit(self) -> Result<(), TransactionError> {
        // Waits for the disk.
        let committed = spawn_blocking(move || self.0.0.execute_batch("COMMIT"));
        joined(committed.await)
    }

    async fn roll_back(self) -> Result<(), TransactionError> {
        drop(self);
        Ok(())
    }
}

impl Table for Rusqlite {
    async fn migrate(&self) -> Result<(), TransactionError> {
        self.blocking(|connection| connection.execute_batch(crate::schema::SQLITE))
            .await
    }

    async fn prune(&self, age: Duration) -> Result<u64, TransactionError> {
        let seconds = i64::try_from(age.as_secs()).unwrap_or(i64::MAX);
        let pruned =
            self.blocking(move |connection| connection.execute(STATEMENTS.prune, [seconds]));
        pruned.await.map(|rows| rows as u64)
    }
}
