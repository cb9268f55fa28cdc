//! Client: starts, awaits and manages executions and completes callbacks.

mod admin;
mod fork;
mod published;
mod queues;
mod rewind;
mod selection;
mod send;
mod start;

use std::sync::Arc;

use serde::Serialize;

pub use fork::Fork;
pub use published::PublishedValue;
pub use rewind::RetryFrom;
pub use selection::{Bulk, Changed, Selection};
pub use send::SendMessage;
pub use start::{Handle, Start};

use crate::model::codec::{self, Codec};
use crate::model::error::{BoxError, ErrorKind, OperationError};
use crate::model::payload::Payload;
use crate::model::record::Completion;
use crate::run::RunError;
use crate::runtime::handler::{Durable, IntoHandler};
use crate::store::IntoStore;
use crate::store::{CallbackId, Store, StoreError, StoreErrorKind, cancel_chain};
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
    ) -> Start<F::Handler> {
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
    /// still completes the callback, and the handler gets an error of kind [`ErrorKind::Codec`].
    ///
    /// # Errors
    ///
    /// [`StoreErrorKind::NotFound`] for an unknown callback, [`StoreErrorKind::Conflict`] for a completed one,
    /// [`StoreErrorKind::Unusable`] for a value that cannot be encoded as JSON.
    pub async fn complete<T: Serialize + Sync + ?Sized>(
        &self,
        callback: &str,
        value: &T,
    ) -> Result<(), StoreError> {
        let encoded = codec::encode_one_way(value).map(Payload::json);
        self.succeed(callback, encoded).await
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

    /// Fails a callback with this error.
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
        self.store.complete(&id, outcome, self.clock.now()).await
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
    /// [`StoreErrorKind::NotFound`] if there is no such execution.
    pub async fn cancel(&self, execution: &ExecutionId) -> Result<(), StoreError> {
        cancel_chain(&*self.store, execution.clone(), self.clock.now()).await
    }
}
