//! Writes in a transaction of the caller.

use std::sync::Arc;

use super::{CallbackId, Execution, NewExecution, NewMessage, Started, Store, StoreError};
use crate::model::record::Completion;
use crate::{BoxFuture, ExecutionId, Timestamp};

/// The part of a store that a [`Client`](crate::Client) can use in a transaction of its caller.
///
/// For stores in the same database as the caller's own data. [`Client::within`](crate::Client::within) takes it.
///
/// # Contract
///
/// * The methods are those of [`ExecutionStore`](super::ExecutionStore), [`MessageStore`](super::MessageStore) and
///   [`CallbackStore`](super::CallbackStore), except that their effects exist only once the caller commits.
/// * They neither commit nor roll back the transaction. A call that fails or is dropped leaves no effects in it, and the
///   transaction can still be used unless the database has ended it.
/// * Workers and waiters are notified when the transaction commits.
pub trait TransactionStore: Send + Sync {
    /// Returns whether this writes to `store`, or to the one that it wraps.
    fn writes_to(&self, store: &Arc<dyn Store>) -> bool;

    /// Starts an execution, unless one with its id exists.
    fn start(&self, new: NewExecution) -> BoxFuture<'_, Result<Started, StoreError>>;

    /// Starts an execution that a message waits for, unless one with its id exists.
    fn start_with_message(
        &self,
        new: NewExecution,
        message: NewMessage,
    ) -> BoxFuture<'_, Result<Started, StoreError>>;

    /// Returns the execution with this id, as the transaction sees it.
    fn get<'a>(&'a self, id: &'a ExecutionId) -> BoxFuture<'a, Result<Execution, StoreError>>;

    /// Sends a message to an execution that has not ended.
    fn send<'a>(
        &'a self,
        to: &'a ExecutionId,
        message: NewMessage,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Completes or fails a callback.
    fn complete<'a>(
        &'a self,
        callback: &'a CallbackId,
        outcome: Completion,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<(), StoreError>>;
}

/// Writes to a store in transactions of its own.
pub(crate) struct OwnTransactions<'a>(pub(crate) &'a Arc<dyn Store>);

impl TransactionStore for OwnTransactions<'_> {
    fn writes_to(&self, store: &Arc<dyn Store>) -> bool {
        Arc::ptr_eq(self.0, store)
    }

    fn start(&self, new: NewExecution) -> BoxFuture<'_, Result<Started, StoreError>> {
        self.0.start(new)
    }

    fn start_with_message(
        &self,
        new: NewExecution,
        message: NewMessage,
    ) -> BoxFuture<'_, Result<Started, StoreError>> {
        self.0.start_with_message(new, message)
    }

    fn get<'a>(&'a self, id: &'a ExecutionId) -> BoxFuture<'a, Result<Execution, StoreError>> {
        self.0.get(id)
    }

    fn send<'a>(
        &'a self,
        to: &'a ExecutionId,
        message: NewMessage,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        self.0.send(to, message, now)
    }

    fn complete<'a>(
        &'a self,
        callback: &'a CallbackId,
        outcome: Completion,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        self.0.complete(callback, outcome, now)
    }
}
