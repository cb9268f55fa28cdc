//! Calls of a client that take a transaction.

use durable_core::store::StoreError;
use durable_core::{Client, Durable, IntoHandler, SendMessage, Start};
use serde::Serialize;

use super::{CallerTransaction, StoreTransaction};

/// Calls of a [`Client`] that take effect with a transaction of the caller: if and when it commits.
///
/// The client's store has to be a [`PostgresStore`](crate::PostgresStore), opened directly or with `durable::open`, possibly in
/// a [`SealedStore`](durable_core::store::SealedStore), and the transaction has to be on the same database. The connection may
/// use another role if it has the same privileges on the tables of the store.
///
/// ```no_run
/// # use durable_core::{BoxError, Client, Durable, IntoHandler};
/// use durable_postgres::InTransaction;
///
/// # async fn f<H>(client: Client, db: &mut tokio_postgres::Client, ship: impl IntoHandler<Handler = H>) -> Result<(), BoxError>
/// # where H: Durable<Input = i64, Output = ()> {
/// let mut tx = db.transaction().await?;
/// let row = tx.query_one("INSERT INTO orders DEFAULT VALUES RETURNING id", &[]).await?;
/// let order: i64 = row.get(0);
/// client.start_in(&mut tx, ship, format!("ship-{order}"), order).queue("shipping").await?;
/// tx.commit().await?;
/// # Ok(()) }
/// ```
///
/// The transaction is one of tokio-postgres, or with the feature `sqlx` one of sqlx: see [`CallerTransaction`].
#[cfg_attr(feature = "sqlx", doc = include_str!("sqlx.md"))]
///
/// # Errors
///
/// Those of the same call without a transaction, and those of [`StoreTransaction`]. After an error the
/// transaction contains nothing of the call. It can still be committed, unless the database has ended it.
///
/// # Locks
///
/// Until the transaction ends, other starts of the same id wait for it, and so do workers and senders that change an
/// execution it has written to. Keep it short.
pub trait InTransaction {
    /// Starts an execution, as [`Client::start`] does, with the same options. Until the commit, the handle that this
    /// returns finds no execution.
    fn start_in<'t, F: IntoHandler>(
        &self,
        transaction: &'t mut impl CallerTransaction,
        handler: F,
        id: impl Into<String>,
        input: <F::Handler as Durable>::Input,
    ) -> Start<'t, F::Handler>;

    /// Sends a message, as [`Client::send`] does.
    fn send_in<'t, T: Serialize + ?Sized>(
        &self,
        transaction: &'t mut impl CallerTransaction,
        to: &str,
        name: &str,
        value: &T,
    ) -> SendMessage<'t>;

    /// Completes a callback with a value, as [`Client::complete`] does.
    fn complete_in<T: Serialize + Sync + ?Sized>(
        &self,
        transaction: &mut (impl CallerTransaction + Send),
        callback: &str,
        value: &T,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}

impl InTransaction for Client {
    fn start_in<'t, F: IntoHandler>(
        &self,
        transaction: &'t mut impl CallerTransaction,
        handler: F,
        id: impl Into<String>,
        input: <F::Handler as Durable>::Input,
    ) -> Start<'t, F::Handler> {
        let within = self.within(StoreTransaction::of(self, transaction));
        within.start(handler, id, input)
    }

    fn send_in<'t, T: Serialize + ?Sized>(
        &self,
        transaction: &'t mut impl CallerTransaction,
        to: &str,
        name: &str,
        value: &T,
    ) -> SendMessage<'t> {
        let within = self.within(StoreTransaction::of(self, transaction));
        within.send(to, name, value)
    }

    async fn complete_in<T: Serialize + Sync + ?Sized>(
        &self,
        transaction: &mut (impl CallerTransaction + Send),
        callback: &str,
        value: &T,
    ) -> Result<(), StoreError> {
        let within = self.within(StoreTransaction::of(self, transaction));
        within.complete(callback, value).await
    }
}
