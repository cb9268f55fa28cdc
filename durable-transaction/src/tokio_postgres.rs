//! PostgreSQL with tokio-postgres.

use std::ops::Deref;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use durable_core::BoxError;
use durable_core::transaction::{
    Key, RecordedOutcome, Transaction, TransactionError, Transactional,
};
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error};

use crate::statements::POSTGRES as STATEMENTS;
use crate::table::Table;

/// Source of PostgreSQL connections, such as a pool.
///
/// Implement it for a pool of connections:
///
/// ```
/// use std::ops::Deref;
///
/// use durable_core::BoxError;
/// use durable_transaction::{Clients, TokioPostgres};
///
/// # #[derive(Clone)] struct Pool;
/// # struct Object(tokio_postgres::Client);
/// # impl Pool { async fn get(&self) -> Result<Object, BoxError> { Err("none".into()) } }
/// # impl Deref for Object { type Target = tokio_postgres::Client; fn deref(&self) -> &Self::Target { &self.0 } }
/// struct MyPool(Pool);
///
/// impl Clients for MyPool {
///     type Client = Object;
///
///     async fn client(&self) -> Result<Object, BoxError> {
///         self.0.get().await
///     }
/// }
///
/// # fn f(pool: Pool) {
/// let database = TokioPostgres::from_clients(MyPool(pool));
/// # let _ = database;
/// # }
/// ```
pub trait Clients: Send + Sync {
    /// Connection that is not used by others until it is dropped.
    type Client: Deref<Target = Client> + Send + Sync;

    /// Returns a connection without an open transaction.
    ///
    /// # Errors
    ///
    /// An error of the pool, as text of the step's error.
    fn client(&self) -> impl Future<Output = Result<Self::Client, BoxError>> + Send;
}

impl Clients for Arc<Mutex<Client>> {
    type Client = OwnedMutexGuard<Client>;

    async fn client(&self) -> Result<Self::Client, BoxError> {
        Ok(Arc::clone(self).lock_owned().await)
    }
}

/// PostgreSQL connections for steps in a transaction.
///
/// A step keeps a connection until its transaction ends.
#[derive(Debug, Clone)]
pub struct TokioPostgres<C = Arc<Mutex<Client>>> {
    clients: C,
}

impl TokioPostgres {
    /// Takes a single connection, which steps use one after another. For more than one step at a time, and for new
    /// connections after a failure, use a pool: [`from_clients`](Self::from_clients).
    pub fn new(client: Client) -> Self {
        Self::from_clients(Arc::new(Mutex::new(client)))
    }
}

impl<C: Clients> TokioPostgres<C> {
    /// Takes connections from a pool.
    pub fn from_clients(clients: C) -> Self {
        Self { clients }
    }

    /// Returns the pool.
    pub fn clients(&self) -> &C {
        &self.clients
    }

    async fn client(&self) -> Result<C::Client, TransactionError> {
        self.clients
            .client()
            .await
            .map_err(TransactionError::database)
    }
}

fn failed(error: Error) -> TransactionError {
    match error.code() {
        Some(code) if *code == SqlState::UNDEFINED_TABLE => crate::table::missing("postgres"),
        _ => {
            // The error itself only says that the database has reported one.
            match error.as_db_error().map(ToString::to_string) {
                Some(message) => TransactionError::database(message),
                None => TransactionError::database(error),
            }
        }
    }
}

/// Open transaction of a [`TokioPostgres`].
#[derive(Debug)]
pub struct TokioPostgresTransaction<G: Deref<Target = Client>> {
    client: G,
    open: bool,
}

impl<G: Deref<Target = Client>> Drop for TokioPostgresTransaction<G> {
    fn drop(&mut self) {
        if self.open {
            // A request is sent when its future is polled for the first time. Nobody waits for the answer.
            let rollback = pin!(self.client.batch_execute("ROLLBACK"));
            let _ = rollback.poll(&mut Context::from_waker(Waker::noop()));
        }
    }
}

impl<C: Clients> Transactional for TokioPostgres<C> {
    type Transaction = TokioPostgresTransaction<C::Client>;

    async fn begin(&self) -> Result<Self::Transaction, TransactionError> {
        let client = self.client().await?;
        // Open before the answer: the future may be dropped in between.
        let transaction = TokioPostgresTransaction { client, open: true };
        let begun = transaction.client.batch_execute("BEGIN").await;
        begun.map_err(failed)?;
        Ok(transaction)
    }

    async fn find(&self, key: &Key) -> Result<Option<RecordedOutcome>, TransactionError> {
        let client = self.client().await?;
        let (execution, lineage, operation) = (key.execution(), key.lineage(), key.operation());
        let found = client
            .query_opt(STATEMENTS.find, &[&execution, &lineage, &operation])
            .await
            .map_err(failed)?;
        let Some(row) = found else {
            return Ok(None);
        };
        let codec = row.try_get(0).map_err(failed)?;
        let data = row.try_get(1).map_err(failed)?;
        RecordedOutcome::from_columns(codec, data)
            .map(Some)
            .map_err(TransactionError::database)
    }

    async fn remove(&self, key: &Key) -> Result<(), TransactionError> {
        let client = self.client().await?;
        let (execution, lineage, operation) = (key.execution(), key.lineage(), key.operation());
        let removed = client
            .execute(STATEMENTS.remove, &[&execution, &lineage, &operation])
            .await;
        removed.map(drop).map_err(failed)
    }
}

impl<G: Deref<Target = Client> + Send + Sync> Transaction for TokioPostgresTransaction<G> {
    type Handle<'t>
        = &'t Client
    where
        Self: 't;

    fn handle(&mut self) -> &Client {
        &self.client
    }

    async fn raise_fence(&mut self, key: &Key, fence: i64) -> Result<bool, TransactionError> {
        let (execution, lineage) = (key.execution(), key.lineage());
        let raised = self
            .client
            .execute(STATEMENTS.raise_fence, &[&execution, &lineage, &fence])
            .await;
        raised.map(|rows| rows > 0).map_err(failed)
    }

    async fn insert(
        &mut self,
        key: &Key,
        outcome: &RecordedOutcome,
    ) -> Result<bool, TransactionError> {
        let (execution, lineage, operation) = (key.execution(), key.lineage(), key.operation());
        let (fence, codec) = (key.fence().unwrap_or_default(), outcome.codec());
        let data = outcome.data();
        let inserted = self
            .client
            .execute(
                STATEMENTS.insert,
                &[&execution, &lineage, &operation, &fence, &codec, &data],
            )
            .await;
        inserted.map(|rows| rows > 0).map_err(failed)
    }

    async fn commit(mut self) -> Result<(), TransactionError> {
        let committed = self.client.batch_execute("COMMIT").await;
        self.open = committed.is_err();
        committed.map_err(failed)
    }

    async fn roll_back(mut self) -> Result<(), TransactionError> {
        let rolled_back = self.client.batch_execute("ROLLBACK").await;
        self.open = rolled_back.is_err();
        rolled_back.map_err(failed)
    }
}

impl<C: Clients> Table for TokioPostgres<C> {
    async fn migrate(&self) -> Result<(), TransactionError> {
        let client = self.client().await?;
        client
            .batch_execute(crate::schema::POSTGRES)
            .await
            .map_err(failed)
    }

    async fn prune(&self, age: Duration) -> Result<u64, TransactionError> {
        let client = self.client().await?;
        let seconds = age.as_secs_f64();
        client
            .execute(STATEMENTS.prune, &[&seconds])
            .await
            .map_err(failed)
    }
}
