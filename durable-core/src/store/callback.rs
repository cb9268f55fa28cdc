//! Ids of callbacks.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::str::FromStr;

use super::{Execution, StoreError, StoreErrorKind};
use crate::model::record::{Kind, Record};
use crate::{ExecutionId, OperationId};

/// Id by which an external system completes a callback.
///
/// It contains the execution and the operation, so that a store finds the callback without a search, and
/// 128 unguessable bits, so that knowing an execution's id is not enough to complete its callbacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallbackId {
    execution: ExecutionId,
    seq: u64,
    operation: OperationId,
    text: String,
}

impl CallbackId {
    /// Creates an id for an operation, with random bits.
    pub(crate) fn unguessable(execution: &ExecutionId, seq: u64, operation: OperationId) -> Self {
        // `RandomState` hashes with a key from the operating system's random source. The key is never
        // disclosed, so the hashes cannot be predicted.
        let (high, low) = (
            RandomState::new().hash_one(seq),
            RandomState::new().hash_one(seq),
        );
        Self {
            execution: execution.clone(),
            seq,
            operation,
            text: format!("{execution}:{seq}:{operation}:{high:016x}{low:016x}"),
        }
    }

    /// Returns the execution that waits for the callback.
    pub fn execution(&self) -> &ExecutionId {
        &self.execution
    }

    /// Returns the [`Record::seq`] of the operation that waits.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// Returns the [`Record::id`] of the operation that waits.
    pub fn operation(&self) -> OperationId {
        self.operation
    }

    /// Returns the id as text, as external systems know it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Checks that this id may settle `record`, which the store has found under [`seq`](Self::seq), and
    /// returns the record. For implementations of stores.
    ///
    /// # Errors
    ///
    /// [`StoreErrorKind::NotFound`] if the record does not belong to a callback with this id,
    /// [`StoreErrorKind::Conflict`] if it was settled before or the execution has ended.
    pub fn resolve<R>(&self, execution: &Execution, record: Option<R>) -> Result<R, StoreError>
    where
        R: std::ops::Deref<Target = Record>,
    {
        let known = |record: &R| {
            record.kind == Kind::Callback && record.handle.as_deref() == Some(self.as_str())
        };
        let record = record.filter(known).ok_or_else(|| {
            let message =
                format!("no callback `{self}`: use the id exactly as the handler passed it on");
            StoreError::new(StoreErrorKind::NotFound, message)
        })?;
        let reason = if record.status.is_terminal() {
            "it was completed before"
        } else if execution.status.is_terminal() {
            "its execution has ended"
        } else {
            return Ok(record);
        };
        let message = format!("callback `{self}` is closed: {reason}");
        Err(StoreError::new(StoreErrorKind::Conflict, message))
    }
}

impl fmt::Display for CallbackId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for CallbackId {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, StoreError> {
        parse(text).ok_or_else(|| {
            let message = format!(
                "invalid callback id {text:?}: use the id exactly as the handler passed it on"
            );
            StoreError::new(StoreErrorKind::NotFound, message)
        })
    }
}

/// Splits from the right, because only the execution's id may contain colons.
fn parse(text: &str) -> Option<CallbackId> {
    let mut parts = text.rsplitn(4, ':');
    let (_, operation, seq, execution) =
        (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let id = u128::from_str_radix(operation, 16).ok()?;
    Some(CallbackId {
        execution: execution.parse().ok()?,
        seq: seq.parse().ok()?,
        operation: OperationId::from_bytes(id.to_be_bytes()),
        text: text.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_parse_from_their_text() {
        let execution: ExecutionId = "a:b:1".parse().unwrap();
        let operation = OperationId::from_bytes([7; 16]);
        let id = CallbackId::unguessable(&execution, 3, operation);
        assert_eq!(id.as_str().parse::<CallbackId>().unwrap(), id);
        assert_ne!(id, CallbackId::unguessable(&execution, 3, operation));
    }

    #[test]
    fn invalid_text_is_not_found() {
        for text in ["", "a", "a:3:07:x:y", ":3:07:x", "a:b:07:x", "a:3:no:x"] {
            let error = text.parse::<CallbackId>().unwrap_err();
            assert_eq!(error.kind(), StoreErrorKind::NotFound, "{text}");
        }
    }
}
