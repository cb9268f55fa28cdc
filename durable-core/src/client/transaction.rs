//! Calls of a client in a transaction of the caller.

use std::sync::Arc;

use serde::Serialize;

use super::{Client, SendMessage, Start};
use crate::model::codec::{self, Codec};
use crate::model::error::{BoxError, ErrorKind, OperationError};
use crate::model::payload::Payload;
use crate::model::record::Completion;
use crate::runtime::handler::{Durable, IntoHandler};
use crate::store::{
    CallbackId, OwnTransactions, Store, StoreError, StoreErrorKind, TransactionStore, seal_within,
};

/// Transaction that a call writes in.
#[derive(Clone)]
pub(super) enum Target<'t> {
    /// One that the store begins and commits.
    Own,
    /// One of the caller.
    Caller(Arc<dyn TransactionStore + 't>),
    /// One of the caller in another store.
    Elsewhere,
}

impl Target<'_> {
    /// Returns the store to write to.
    pub(super) fn store<'a>(
        &'a self,
        client: &'a Client,
    ) -> Result<Arc<dyn TransactionStore + 'a>, StoreError> {
        match self {
            Self::Own => Ok(Arc::new(OwnTransactions(&client.store))),
            Self::Caller(transaction) => Ok(seal_within(&client.store, transaction.clone())),
            Self::Elsewhere => Err(StoreError::new(
                StoreErrorKind::Unusable,
                "the transaction belongs to another store than that of the client: create both from the same store",
            )),
        }
    }
}

/// Client whose calls write in a transaction of the caller: they take effect if and when the caller commits. Created by
/// [`Client::within`].
pub struct ClientTransaction<'t> {
    client: Client,
    target: Target<'t>,
}

impl<'t> ClientTransaction<'t> {
    pub(super) fn new(client: &Client, target: Target<'t>) -> Self {
        Self {
            client: client.clone(),
            target,
        }
    }

    /// Starts an execution, as [`Client::start`] does. Until the commit, the [`Handle`](super::Handle) that this returns
    /// finds no execution.
    ///
    /// # Errors
    ///
    /// Errors of [`Client::start`].
    pub fn start<F: IntoHandler>(
        &self,
        handler: F,
        id: impl Into<String>,
        input: <F::Handler as Durable>::Input,
    ) -> Start<'t, F::Handler> {
        let mut start: Start<'t, F::Handler> = self.client.start(handler, id, input);
        start.target = self.target.clone();
        start
    }

    /// Sends a message, as [`Client::send`] does.
    ///
    /// # Errors
    ///
    /// Errors of [`Client::send`].
    pub fn send<T: Serialize + ?Sized>(&self, to: &str, name: &str, value: &T) -> SendMessage<'t> {
        let mut message: SendMessage<'t> = self.client.send(to, name, value);
        message.target = self.target.clone();
        message
    }

    /// Completes a callback with a value, as [`Client::complete`] does.
    ///
    /// # Errors
    ///
    /// Errors of [`Client::complete`].
    pub async fn complete<T: Serialize + Sync + ?Sized>(
        &self,
        callback: &str,
        value: &T,
    ) -> Result<(), StoreError> {
        let encoded = codec::encode_one_way(value).map(Payload::json);
        self.succeed(callback, encoded).await
    }

    /// Completes a callback with a value of another codec, as [`Client::complete_with`] does.
    ///
    /// # Errors
    ///
    /// Errors of [`Client::complete`].
    pub async fn complete_with<T, C>(
        &self,
        callback: &str,
        codec: C,
        value: &T,
    ) -> Result<(), StoreError>
    where
        T: Sync,
        C: Codec<T> + Send,
    {
        let encoded = codec.encode(value).map(|bytes| Payload {
            codec: codec.name().into(),
            data: bytes.into(),
        });
        self.succeed(callback, encoded).await
    }

    async fn succeed(
        &self,
        callback: &str,
        value: Result<Payload, BoxError>,
    ) -> Result<(), StoreError> {
        let value = value.map_err(|error| {
            let message = format!("the value for callback `{callback}` cannot be encoded: {error}");
            StoreError::new(StoreErrorKind::Unusable, message)
        })?;
        self.settle(callback, Completion::Succeed(value)).await
    }

    /// Fails a callback with this error, as [`Client::fail`] does.
    ///
    /// # Errors
    ///
    /// Errors of [`Client::complete`].
    pub async fn fail(&self, callback: &str, error: impl Into<BoxError>) -> Result<(), StoreError> {
        let error = error.into();
        let described =
            OperationError::new("callback", ErrorKind::Failed, "").describe(&*error, "");
        self.settle(callback, Completion::Fail(described)).await
    }

    async fn settle(&self, callback: &str, outcome: Completion) -> Result<(), StoreError> {
        let id: CallbackId = callback.parse()?;
        let store = self.target.store(&self.client)?;
        store.complete(&id, outcome, self.client.clock.now()).await
    }
}

impl Client {
    /// Returns a client whose calls write in this transaction: they take effect if and when the caller commits it.
    ///
    /// Stores that share a database with the caller's data provide the argument, such as `PostgresStore::within` of
    /// `durable-postgres`. If this client seals values with a [`SealedStore`](crate::store::SealedStore), they are sealed in
    /// the transaction too.
    pub fn within<'t>(&self, transaction: impl TransactionStore + 't) -> ClientTransaction<'t> {
        let target = match transaction.writes_to(&self.store) {
            true => Target::Caller(Arc::new(transaction)),
            false => Target::Elsewhere,
        };
        ClientTransaction::new(self, target)
    }

    /// Returns the store that this client uses as a `T`, if it is one or wraps one in
    /// [`SealedStore`](crate::store::SealedStore)s.
    pub fn backend<T: Store>(&self) -> Option<&T> {
        self.store.backend()
    }

    /// Returns a client whose calls write in transactions of the store.
    pub(super) fn own(&self) -> ClientTransaction<'static> {
        ClientTransaction::new(self, Target::Own)
    }
}
