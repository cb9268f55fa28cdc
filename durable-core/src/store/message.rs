//! Messages to executions.

use super::{StoreError, StoreErrorKind};
use crate::model::payload::Payload;
use crate::{ExecutionId, Timestamp};

/// Largest number of bytes in the id of a message.
const MAX_ID: usize = 512;

/// Message to send to an execution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMessage {
    /// Identifies the message among all messages to one execution. A second message with the same id is ignored, so a
    /// sender may repeat a call whose fate it does not know.
    pub id: String,
    /// Name under which it is received: the name of a `receive!`.
    pub name: String,
    /// The encoded value.
    pub payload: Payload,
}

impl NewMessage {
    /// Creates a message after checking its id.
    ///
    /// # Errors
    ///
    /// [`StoreErrorKind::Unusable`] if the id is empty or has more than 512 bytes.
    pub fn new(
        id: impl Into<String>,
        name: impl Into<String>,
        payload: Payload,
    ) -> Result<Self, StoreError> {
        let (id, name) = (id.into(), name.into());
        if id.is_empty() || id.len() > MAX_ID {
            let message = format!(
                "the id of a message to `{name}` has {} bytes: it needs 1 to {MAX_ID}",
                id.len()
            );
            return Err(StoreError::new(StoreErrorKind::Unusable, message));
        }
        Ok(Self { id, name, payload })
    }

    /// Creates a message with a random id, for a sender that does not repeat it.
    pub fn with_random_id(name: impl Into<String>, payload: Payload) -> Self {
        Self {
            id: format!("{:032x}", fastrand::u128(..)),
            name: name.into(),
            payload,
        }
    }

    /// Creates a message with the id that the sender gave it, or with a random one.
    pub(crate) fn given(
        id: Option<String>,
        name: String,
        payload: Payload,
    ) -> Result<Self, StoreError> {
        match id {
            Some(id) => Self::new(id, name, payload),
            None => Ok(Self::with_random_id(name, payload)),
        }
    }
}

/// Message that an execution has been sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Position among the messages to its execution. Messages are received in this order.
    pub number: u64,
    /// The execution it was sent to. In a chain this may be an earlier one than the one that receives it.
    pub to: ExecutionId,
    /// Id given by the sender.
    pub id: String,
    /// Name under which it is received.
    pub name: String,
    /// The encoded value.
    pub payload: Payload,
    /// When the store accepted it.
    pub sent_at: Timestamp,
    /// [`Record::seq`](crate::Record::seq) of the operation that received it, or `None` while it waits.
    pub received_by: Option<u64>,
}

impl Message {
    /// Returns the error for a message to an execution that has ended.
    pub fn refused(
        name: &str,
        execution: &ExecutionId,
        status: impl std::fmt::Display,
    ) -> StoreError {
        let message = format!(
            "execution `{execution}` has {status} and receives no message `{name}`: send it to an execution that has not \
             ended"
        );
        StoreError::new(StoreErrorKind::Conflict, message)
    }
}
