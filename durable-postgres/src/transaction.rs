//! Starts, messages and completions in a transaction of the caller.

mod call;
mod caller;
mod client;
#[cfg(feature = "sqlx")]
mod nested;
mod savepoint;

use std::sync::Arc;

use durable_core::store::{
    CallbackId, CheckpointStore, Execution, NewExecution, NewMessage, Started, Store, StoreError,
    TransactionStore,
};
use durable_core::{BoxFuture, Client, Completion, ExecutionId, Timestamp};
use tokio::sync::Mutex;

use crate::executions::Get;
use crate::external::Complete;
use crate::messages::{Send, StartWithMessage};
use crate::start::{Fork, Start};
use crate::store::PostgresStore;
use call::{Calls, foreign_store};

pub use caller::CallerTransaction;
pub use client::InTransaction;

/// A [`PostgresStore`] in a transaction of the caller's connection. Created by [`PostgresStore::within`].
///
/// Its calls write to the tables of the store through the transaction and neither commit it nor roll it back. They change
/// no settings of the connection and prepare no statements on it. A call that fails or is dropped undoes what it wrote,
/// with a savepoint.
///
/// With sqlx, a call that is dropped while it releases its savepoint makes the transaction fail: the next statement, or the
/// commit, reports an error.
///
/// # Errors
///
/// Apart from those of the call itself:
///
/// * [`StoreErrorKind::Unusable`](durable_core::store::StoreErrorKind::Unusable) if the transaction is on another database
///   than the store or cannot see its tables, is read-only, or was aborted by an earlier error,
/// * [`StoreErrorKind::TooNew`](durable_core::store::StoreErrorKind::TooNew) if a newer release has migrated the tables,
/// * [`StoreErrorKind::Unavailable`](durable_core::store::StoreErrorKind::Unavailable) for a lost connection, a deadlock
///   or a serialization failure. Unlike calls of the store, those in a transaction are not repeated: run the transaction
///   again.
pub struct StoreTransaction<'t> {
    /// `None` if the client has another kind of store.
    store: Option<PostgresStore>,
    calls: Mutex<Calls<'t>>,
}

impl PostgresStore {
    /// Returns this store in a transaction of the caller.
    ///
    /// [`InTransaction`] has shorter forms for the most common calls.
    ///
    /// ```no_run
    /// # use durable_core::Client;
    /// # use durable_postgres::PostgresStore;
    /// # use tokio_postgres::Transaction;
    /// # async fn f(store: &PostgresStore, mut tx: Transaction<'_>, callback: &str) -> Result<(), durable_core::BoxError> {
    /// let client = Client::new(store.clone());
    /// let within = client.within(store.within(&mut tx));
    /// within.fail(callback, "the payment was refused").await?;
    /// within.send("order-7", "refused", &()).id("payment 12").await?;
    /// drop(within);
    /// tx.commit().await?;
    /// # Ok(()) }
    /// ```
    pub fn within<'t>(&self, transaction: &'t mut impl CallerTransaction) -> StoreTransaction<'t> {
        StoreTransaction::new(Some(self.clone()), transaction)
    }
}

impl<'t> StoreTransaction<'t> {
    fn new(store: Option<PostgresStore>, transaction: &'t mut impl CallerTransaction) -> Self {
        Self {
            store,
            calls: Mutex::new(Calls::new(transaction.caller())),
        }
    }

    /// The store of `client` in a transaction.
    fn of(client: &Client, transaction: &'t mut impl CallerTransaction) -> Self {
        Self::new(client.backend().cloned(), transaction)
    }

    fn store(&self) -> Result<&PostgresStore, StoreError> {
        self.store.as_ref().ok_or_else(foreign_store)
    }
}

impl TransactionStore for StoreTransaction<'_> {
    fn writes_to(&self, store: &Arc<dyn Store>) -> bool {
        // Without a store, every call fails with a message that says so.
        let Some(own) = &self.store else {
            return true;
        };
        let identity = |store: &PostgresStore| store.database().session.identity.clone();
        let other = store.backend::<PostgresStore>();
        other.is_some_and(|other| identity(other) == identity(own))
    }

    fn start(&self, new: NewExecution) -> BoxFuture<'_, Result<Started, StoreError>> {
        Box::pin(async move {
            let store = self.store()?;
            store.capabilities().admit_input(&new.input)?;
            let start = Start::new(Execution::queued(new));
            // The writer of the store groups starts; this is a start alone.
            let records = Vec::new();
            let mut calls = self.calls.lock().await;
            calls.run(store.database(), Fork { start, records }).await
        })
    }

    fn start_with_message(
        &self,
        new: NewExecution,
        message: NewMessage,
    ) -> BoxFuture<'_, Result<Started, StoreError>> {
        Box::pin(async move {
            let store = self.store()?;
            store.capabilities().admit_input(&new.input)?;
            store.capabilities().admit_input(&message.payload)?;
            let start = Start::new(Execution::queued(new));
            let mut calls = self.calls.lock().await;
            let start = StartWithMessage { start, message };
            calls.run(store.database(), start).await
        })
    }

    fn get<'a>(&'a self, id: &'a ExecutionId) -> BoxFuture<'a, Result<Execution, StoreError>> {
        Box::pin(async move {
            let store = self.store()?;
            let mut calls = self.calls.lock().await;
            calls.run(store.database(), Get(id.clone())).await
        })
    }

    fn send<'a>(
        &'a self,
        to: &'a ExecutionId,
        message: NewMessage,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let store = self.store()?;
            store.capabilities().admit_input(&message.payload)?;
            let to = to.clone();
            let mut calls = self.calls.lock().await;
            calls.run(store.database(), Send { to, message, now }).await
        })
    }

    fn complete<'a>(
        &'a self,
        callback: &'a CallbackId,
        outcome: Completion,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let store = self.store()?;
            store.capabilities().admit_completion(&outcome)?;
            let complete = Complete {
                callback: callback.clone(),
                outcome,
                now,
            };
            let mut calls = self.calls.lock().await;
            calls.run(store.database(), complete).await
        })
    }
}
