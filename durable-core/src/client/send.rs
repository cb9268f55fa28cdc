//! Messages to executions.

use std::future::IntoFuture;

use serde::Serialize;

use super::Client;
use crate::model::codec;
use crate::model::payload::Payload;
use crate::store::{ExecutionStatus, Message, NewMessage, StoreError, StoreErrorKind};
use crate::{BoxFuture, ExecutionId, InvalidExecutionId};

/// Message to send. Created by [`Client::send`] and sent by awaiting it.
#[must_use = "nothing is sent until this is awaited"]
pub struct SendMessage {
    client: Client,
    to: Result<ExecutionId, InvalidExecutionId>,
    name: String,
    payload: Result<Payload, StoreError>,
    id: Option<String>,
}

impl SendMessage {
    /// Sets the message's id. An execution takes each id once, so a sender that does not know whether an earlier call
    /// succeeded repeats it with the same id. Without one, every call sends a new message.
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    async fn send(self) -> Result<(), StoreError> {
        let to = self.to.map_err(invalid_id)?;
        let message = NewMessage::given(self.id, self.name, self.payload?)?;
        self.client.deliver(to, &message).await
    }
}

impl IntoFuture for SendMessage {
    type Output = Result<(), StoreError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

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
    pub fn send<T: Serialize + ?Sized>(&self, to: &str, name: &str, value: &T) -> SendMessage {
        let payload = codec::encode_one_way(value).map(Payload::json);
        let payload = payload.map_err(|error| {
            let message =
                format!("the message `{name}` to `{to}` cannot be encoded as JSON: {error}");
            StoreError::new(StoreErrorKind::Unusable, message)
        });
        SendMessage {
            client: self.clone(),
            to: to.parse(),
            name: name.to_owned(),
            payload,
            id: None,
        }
    }

    /// Sends a message to an execution, or to the last one of its chain.
    pub(super) async fn deliver(
        &self,
        mut to: ExecutionId,
        message: &NewMessage,
    ) -> Result<(), StoreError> {
        loop {
            let sent = self.store.send(&to, message.clone(), self.clock.now());
            match sent.await {
                Err(error) if error.kind() == StoreErrorKind::Conflict => {
                    // A continued execution receives through the one that took over.
                    let execution = self.store.get(&to).await?;
                    match execution.next {
                        Some(next) if execution.status == ExecutionStatus::Continued => to = next,
                        _ => return Err(error),
                    }
                }
                sent => return sent,
            }
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

pub(super) fn invalid_id(error: InvalidExecutionId) -> StoreError {
    StoreError::new(StoreErrorKind::Unusable, error.to_string())
}
