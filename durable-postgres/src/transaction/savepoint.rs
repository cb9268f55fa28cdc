//! Savepoint around a call with tokio-postgres.

use tokio_postgres::Client;

use crate::connection::send;

/// Savepoint that is rolled back to if the call is dropped before it is complete.
pub(super) struct Savepoint<'t> {
    client: &'t Client,
    is_set: bool,
}

impl<'t> Savepoint<'t> {
    /// Sets the savepoint ahead of the next statement.
    pub(super) fn set(client: &'t Client) -> Self {
        send(client, "SAVEPOINT durable_call");
        Self {
            client,
            is_set: true,
        }
    }

    pub(super) fn release(&mut self) {
        if std::mem::take(&mut self.is_set) {
            send(self.client, "RELEASE SAVEPOINT durable_call");
        }
    }

    /// Notes that the transaction was aborted before the savepoint was set.
    pub(super) fn forget(&mut self) {
        self.is_set = false;
    }
}

impl Drop for Savepoint<'_> {
    fn drop(&mut self) {
        if self.is_set {
            let text = "ROLLBACK TO SAVEPOINT durable_call; RELEASE SAVEPOINT durable_call";
            send(self.client, text);
        }
    }
}
