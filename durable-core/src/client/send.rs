//! Messages to executions.

use std::future::IntoFuture;

use serde::Serialize;

use super::Client;
use super::transaction::Target;
use crate::model::codec;
use crate::model::payload::Payload;
use crate::store::{
    ExecutionStatus, Message, NewMessage, StoreError, StoreErrorKind, TransactionStore,
};
use crate::{BoxFuture, ExecutionId, InvalidExecutionId, Timestamp};

/// Message to send. Created by [`Client::send`] and sent by awaiting it. `'t` is the lifetime of a transaction of the caller.
#[must_use = "nothing is sent until this is awaited"]
pub struct SendMessage<'t> {
    client: Client,
    pub(super) target: Target<'t>,
    to: Result<ExecutionId, InvalidExecutionId>,
    name: String,
    payload: Result<Payload, StoreError>,
    id: Option<String>,
}

impl<'t> SendMessage<'t> {
    /// Sets the message's id. An execution takes each id once, so a sender that does not know whether an earlier call
    /// succeeded repeats it with the same id. Without one, every call sends a new message.
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    async fn send(self) -> Result<(), StoreError> {
        let to = self.to.map_err(invalid_id)?;
        let message = NewMessage::given(self.id, self.name, self.payload?)?;
        let store = self.target.store(&self.client)?;
        deliver(&*store, to, &message, self.client.clock.now()).await
    }
}

impl<'t> IntoFuture for SendMessage<'t> {
    type Output = Result<(), StoreError>;
    type IntoFuture = BoxFuture<'t, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

impl Client {
    /// Sends a message to an execution, for its `receive!` of this name. The value is encoded as JSON.
    ///
    /// The execution need not have run yet. A message to a chain goes to its last execution.
    ///
    /// ```
    /// # use durable_core::{Client, store::StoreError};
    /// # async fn f(client: Client) -> Result<(), StoreError> {
    /// client.send("order-7", "approved", &true).id("approval of 2026-11-28").await
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`StoreErrorKind::NotFound`] for an unknown execution, [`StoreErrorKind::Conflict`] for one that has ended,
    /// [`StoreErrorKind::Unusable`] for an invalid id or a value that cannot be encoded as JSON,
    /// [`StoreErrorKind::TooLarge`], [`StoreErrorKind::Unsupported`] on a store without messages.
    pub fn send<T: Serialize + ?Sized>(
        &self,
        to: &str,
        name: &str,
        value: &T,
    ) -> SendMessage<'static> {
        let payload = codec::encode_one_way(value).map(Payload::json);
        let payload = payload.map_err(|error| {
            let message =
                format!("the message `{name}` to `{to}` cannot be encoded as JSON: {error}");
            StoreError::new(StoreErrorKind::Unusable, message)
        });
        SendMessage {
            client: self.clone(),
            target: Target::Own,
            to: to.parse(),
            name: name.to_owned(),
            payload,
            id: None,
        }
    }

    /// Returns the messages to an execution in the order in which they were accepted, received ones included.
    ///
    /// # Errors
    ///
    /// [`StoreErrorKind::NotFound`], [`StoreErrorKind::Unsupported`] on a store without messages.
    pub async fn messages(&self, id: &str) -> Result<Vec<Message>, StoreError> {
        self.store.messages(&id.parse().map_err(invalid_id)?).await
    }
}

/// Sends a message to an execution, or to the last one of its chain.
pub(super) async fn deliver(
    store: &dyn TransactionStore,
    mut to: ExecutionId,
    message: &NewMessage,
    now: Timestamp,
) -> Result<(), StoreError> {
    loop {
        match store.send(&to, message.clone(), now).await {
            Err(error) if error.kind() == StoreErrorKind::Conflict => {
                // A continued execution receives through the one that took over.
                let execution = store.get(&to).await?;
                match execution.next {
                    Some(next) if execution.status == ExecutionStatus::Continued => to = next,
                    _ => return Err(error),
                }
            }
            sent => return sent,
        }
    }
}

pub(super) fn invalid_id(error: InvalidExecutionId) -> StoreError {
    StoreError::new(StoreErrorKind::Unusable, error.to_string())
}
