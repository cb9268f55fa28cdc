//! What the outside does to executions.

use std::sync::Arc;

use serde::Serialize;

use crate::error::{BoxError, ErrorKind, OperationError};
use crate::record::{Completion, Payload};
use crate::run::IntoStore;
use crate::store::{CallbackId, ExecutionStore, StoreError, StoreErrorKind};
use crate::{Clock, ExecutionId, SystemClock, Timestamp};

/// Completes callbacks and cancels executions, from any process that can reach the store.
///
/// ```
/// # async fn f(callback: &str) -> Result<(), durable_core::BoxError> {
/// use durable_core::{Client, store::MemoryStore};
///
/// let client = Client::new(MemoryStore::new());
/// client.complete(callback, &"approved").await?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Client {
    store: Arc<dyn ExecutionStore>,
    clock: Arc<dyn Clock>,
}

impl Client {
    /// A client of this store.
    pub fn new(store: impl IntoStore) -> Self {
        Self {
            store: store.into_store(),
            clock: Arc::new(SystemClock),
        }
    }

    /// The same with another clock.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Ends the callback that was handed out as `callback` with this value.
    ///
    /// What type the handler waits for is not known here: a value that does not decode as that ends the
    /// callback all the same, for the handler as an error of the kind [`ErrorKind::Codec`].
    ///
    /// # Errors
    ///
    /// [`StoreErrorKind::NotFound`] for an id that was never handed out, [`StoreErrorKind::Conflict`]
    /// for a callback that has ended, [`StoreErrorKind::Unusable`] for a value that is no JSON.
    pub async fn complete<T: Serialize + Sync + ?Sized>(
        &self,
        callback: &str,
        value: &T,
    ) -> Result<(), StoreError> {
        let encoded = serde_json::to_vec(value).map_err(|error| {
            let message = format!("the value for callback `{callback}` cannot be encoded: {error}");
            StoreError::new(StoreErrorKind::Unusable, message)
        })?;
        let outcome = Completion::Succeed(Payload::json(encoded));
        self.settle(callback, outcome).await
    }

    /// Ends the callback that was handed out as `callback` with this error.
    ///
    /// # Errors
    ///
    /// Those of [`Client::complete`].
    pub async fn fail(&self, callback: &str, error: impl Into<BoxError>) -> Result<(), StoreError> {
        let error = error.into();
        let described =
            OperationError::new("callback", ErrorKind::Failed, "").describe(&*error, "");
        self.settle(callback, Completion::Fail(described)).await
    }

    async fn settle(&self, callback: &str, outcome: Completion) -> Result<(), StoreError> {
        let id: CallbackId = callback.parse()?;
        self.store.complete(&id, outcome, self.clock.now()).await
    }

    /// Says that whoever will end the callback is alive.
    ///
    /// # Errors
    ///
    /// Those of [`Client::complete`].
    pub async fn heartbeat(&self, callback: &str) -> Result<(), StoreError> {
        let id: CallbackId = callback.parse()?;
        self.store.heartbeat(&id, self.clock.now()).await
    }

    /// Asks for the cancellation of an execution, or of the one that goes on in its place: it stops at its next durable boundary, takes back what
    /// has an undo body, and ends as cancelled.
    ///
    /// # Errors
    ///
    /// [`StoreErrorKind::NotFound`]. An execution that has ended is left as it is.
    pub async fn cancel(&self, execution: &ExecutionId) -> Result<(), StoreError> {
        cancel(&*self.store, execution.clone(), self.clock.now()).await
    }
}

/// Cancels the execution, and what has gone on in its place meanwhile.
pub(crate) async fn cancel(
    store: &dyn ExecutionStore,
    mut id: ExecutionId,
    now: Timestamp,
) -> Result<(), StoreError> {
    loop {
        store.cancel(&id, now).await?;
        match store.get(&id).await?.next {
            Some(next) => id = next,
            None => return Ok(()),
        }
    }
}
