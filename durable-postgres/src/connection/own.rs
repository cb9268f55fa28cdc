//! Connections of the store.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio_postgres::Client;

use super::{Conn, send};
use crate::driver::SqlError;

/// Connection of the store, which begins and ends its own transactions.
pub(crate) struct OwnConn {
    conn: Conn<'static>,
    client: Arc<Client>,
    /// Whether a transaction was begun whose end was not confirmed.
    in_transaction: AtomicBool,
}

impl OwnConn {
    pub(super) fn new(conn: Conn<'static>, client: Arc<Client>) -> Self {
        Self {
            conn,
            client,
            in_transaction: AtomicBool::new(false),
        }
    }

    /// Runs statements without parameters.
    pub(crate) async fn batch(&self, text: &str) -> Result<(), SqlError> {
        Ok(self.client.batch_execute(text).await?)
    }

    /// Begins a transaction without waiting for the answer: `BEGIN` is sent ahead of the next statement.
    pub(crate) fn begin(&self) {
        self.in_transaction.store(true, Ordering::Relaxed);
        send(&self.client, "BEGIN");
    }

    pub(crate) async fn commit(&self) -> Result<(), SqlError> {
        self.end("COMMIT").await
    }

    pub(crate) async fn roll_back(&self) -> Result<(), SqlError> {
        self.end("ROLLBACK").await
    }

    async fn end(&self, text: &str) -> Result<(), SqlError> {
        self.batch(text).await?;
        self.in_transaction.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// Whether another caller may use the connection.
    pub(crate) fn is_usable(&self) -> bool {
        !self.is_closed() && !self.in_transaction.load(Ordering::Relaxed)
    }

    /// Whether the connection has ended.
    pub(crate) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }
}

impl Deref for OwnConn {
    type Target = Conn<'static>;

    fn deref(&self) -> &Conn<'static> {
        &self.conn
    }
}
