//! Sealing of what is written in a transaction of the caller.

use std::any::Any;
use std::sync::Arc;

use super::SealedStore;
use crate::model::record::Completion;
use crate::store::{
    CallbackId, CheckpointStore, Execution, NewExecution, NewMessage, Started, Store, StoreError,
    TransactionStore,
};
use crate::{BoxFuture, ExecutionId, Timestamp};

/// Seals what is written to `transaction`, if `store` is a [`SealedStore`].
pub(crate) fn seal_within<'a>(
    store: &'a Arc<dyn Store>,
    transaction: Arc<dyn TransactionStore + 'a>,
) -> Arc<dyn TransactionStore + 'a> {
    let any: &dyn Any = &**store;
    match any.downcast_ref::<SealedStore>() {
        Some(store) => Arc::new(SealedTransaction {
            store,
            inner: seal_within(&store.inner, transaction),
        }),
        None => transaction,
    }
}

impl dyn Store {
    /// Returns the store as a `T`, if it is one. Looks into a [`SealedStore`] for the store that it wraps.
    pub fn backend<T: Store>(&self) -> Option<&T> {
        let any: &dyn Any = self;
        let sealed = || any.downcast_ref::<SealedStore>()?.inner.backend();
        any.downcast_ref().or_else(sealed)
    }
}

/// Transaction in the store that a sealed store wraps.
struct SealedTransaction<'a> {
    store: &'a SealedStore,
    inner: Arc<dyn TransactionStore + 'a>,
}

impl TransactionStore for SealedTransaction<'_> {
    fn writes_to(&self, store: &Arc<dyn Store>) -> bool {
        self.inner.writes_to(store)
    }

    fn start(&self, new: NewExecution) -> BoxFuture<'_, Result<Started, StoreError>> {
        let store = self.store;
        Box::pin(async move {
            store.capabilities().admit_input(&new.input)?;
            let new = store.sealer.seal_new(&new)?;
            store.opened(self.inner.start(new).await?)
        })
    }

    fn start_with_message(
        &self,
        new: NewExecution,
        message: NewMessage,
    ) -> BoxFuture<'_, Result<Started, StoreError>> {
        let store = self.store;
        Box::pin(async move {
            store.capabilities().admit_input(&new.input)?;
            let message = store.seal_message(&new.id, message)?;
            let new = store.sealer.seal_new(&new)?;
            store.opened(self.inner.start_with_message(new, message).await?)
        })
    }

    fn get<'a>(&'a self, id: &'a ExecutionId) -> BoxFuture<'a, Result<Execution, StoreError>> {
        Box::pin(async move {
            let execution = self.inner.get(id).await?;
            self.store.sealer.open_execution(execution)
        })
    }

    fn send<'a>(
        &'a self,
        to: &'a ExecutionId,
        message: NewMessage,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let message = self.store.seal_message(to, message)?;
            self.inner.send(to, message, now).await
        })
    }

    fn complete<'a>(
        &'a self,
        callback: &'a CallbackId,
        outcome: Completion,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            self.store.capabilities().admit_completion(&outcome)?;
            let outcome = self.store.sealer.seal_completion(callback, &outcome)?;
            self.inner.complete(callback, outcome, now).await
        })
    }
}
