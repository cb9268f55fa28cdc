//! Client: starts, awaits and manages executions and completes callbacks.

mod admin;
mod fork;
mod published;
mod queues;
mod rewind;
mod selection;
mod send;
mod start;
mod transaction;

use std::sync::Arc;

use serde::Serialize;

pub use fork::Fork;
pub use published::PublishedValue;
pub use rewind::RetryFrom;
pub use selection::{Bulk, Changed, Selection};
pub use send::SendMessage;
pub use start::{Handle, Start};
pub use transaction::ClientTransaction;

use crate::model::codec::Codec;
use crate::model::error::BoxError;
use crate::run::RunError;
use crate::runtime::handler::{Durable, IntoHandler};
use crate::store::IntoStore;
use crate::store::{CallbackId, Store, StoreError, cancel_chain};
use crate::{Clock, ExecutionId, InvalidExecutionId, SystemClock};

/// Starts, awaits, inspects and manages executions, from any process that can reach the store. A
/// [`Worker`](crate::Worker) or [`run`](crate::run()) runs them.
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
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Client {
    /// Creates a client of this store.
    pub fn new(store: impl IntoStore) -> Self {
        Self {
            store: store.into_store(),
            clock: Arc::new(SystemClock),
        }
    }

    /// Sets the clock.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Starts an execution of `handler`, unless there is already one with this id. An id belongs to one handler
    /// and one input, and may be started any number of times.
    ///
    /// ```
    /// # use durable_core::{BoxError, Client, Durable, IntoHandler};
    /// # async fn f<H>(client: Client, etl: impl IntoHandler<Handler = H>) -> Result<(), BoxError>
    /// # where H: Durable<Input = u32, Output = String> {
    /// let execution = client.start(etl, "import-7", 17).queue("imports").await?;
    /// let output: String = execution.result().await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`RunError::IdInUse`] if the id belongs to another handler or input, [`RunError::Usage`] for an invalid
    /// id or label, [`RunError::Codec`] for an input that cannot be encoded, [`RunError::Store`].
    pub fn start<F: IntoHandler>(
        &self,
        _handler: F,
        id: impl Into<String>,
        input: <F::Handler as Durable>::Input,
    ) -> Start<'static, F::Handler> {
        Start::new(self, id.into(), &input)
    }

    /// Returns a handle to the execution with this id, whether or not it exists.
    ///
    /// # Errors
    ///
    /// [`RunError::Usage`] for an invalid id.
    pub fn handle<F: IntoHandler>(
        &self,
        _handler: F,
        id: &str,
    ) -> Result<Handle<F::Handler>, RunError> {
        let id = id
            .parse()
            .map_err(|error: InvalidExecutionId| RunError::Usage(error.to_string()))?;
        Ok(Handle::new(self, id))
    }

    /// Completes a callback with a value.
    ///
    /// The client does not know the type that the handler expects. A value that cannot be decoded as that type
    /// still completes the callback, and the handler gets an error of kind [`ErrorKind::Codec`](crate::ErrorKind::Codec).
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::store::StoreErrorKind::NotFound) for an unknown callback,
    /// [`Conflict`](crate::store::StoreErrorKind::Conflict) for a completed one,
    /// [`Unusable`](crate::store::StoreErrorKind::Unusable) for a value that cannot be encoded as JSON.
    pub async fn complete<T: Serialize + Sync + ?Sized>(
        &self,
        callback: &str,
        value: &T,
    ) -> Result<(), StoreError> {
        self.own().complete(callback, value).await
    }

    /// Completes a callback with a value of another codec than [`Json`](crate::Json): the `codec = …` of its
    /// call site.
    ///
    /// ```
    /// # use durable_core::{Client, Raw, store::StoreError};
    /// # async fn f(client: Client, callback: &str, scan: Vec<u8>) -> Result<(), StoreError> {
    /// client.complete_with(callback, Raw, &scan).await
    /// # }
    /// ```
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
        self.own().complete_with(callback, codec, value).await
    }

    /// Fails a callback with this error.
    ///
    /// # Errors
    ///
    /// Errors of [`Client::complete`].
    pub async fn fail(&self, callback: &str, error: impl Into<BoxError>) -> Result<(), StoreError> {
        self.own().fail(callback, error).await
    }

    /// Sends a heartbeat for a callback, which restarts its heartbeat timeout.
    ///
    /// # Errors
    ///
    /// Errors of [`Client::complete`].
    pub async fn heartbeat(&self, callback: &str) -> Result<(), StoreError> {
        let id: CallbackId = callback.parse()?;
        self.store.heartbeat(&id, self.clock.now()).await
    }

    /// Requests the cancellation of an execution, or of the last one of its chain. It stops at its next durable
    /// boundary, runs its undo bodies, and ends as cancelled. An execution that has ended is left unchanged.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::store::StoreErrorKind::NotFound) if there is no such execution.
    pub async fn cancel(&self, execution: &ExecutionId) -> Result<(), StoreError> {
        cancel_chain(&*self.store, execution.clone(), self.clock.now()).await
    }
}
