//! What an outside party completes a callback by.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::str::FromStr;

use super::{Execution, StoreError, StoreErrorKind};
use crate::model::record::{Kind, Record};
use crate::{ExecutionId, OperationId};

/// The id an outside party completes a callback by.
///
/// It names the execution and the operation, so that no store has to search for it, and holds 128
/// bits that cannot be guessed, so that knowing an execution is not enough to settle its callbacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallbackId {
    execution: ExecutionId,
    seq: u64,
    operation: OperationId,
    text: String,
}

impl CallbackId {
    /// An id for an operation of an execution that nobody can guess.
    pub(crate) fn unguessable(execution: &ExecutionId, seq: u64, operation: OperationId) -> Self {
        // Hashes under a key from the operating system's randomness: who does not know the key, and
        // nobody does, cannot tell one from another's.
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

    /// The execution that waits.
    pub fn execution(&self) -> &ExecutionId {
        &self.execution
    }

    /// [`Record::seq`] of the operation that waits.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// [`Record::id`] of the operation that waits.
    pub fn operation(&self) -> OperationId {
        self.operation
    }

    /// The id as it is handed out.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// For stores: the record that may be settled by this id, out of what is stored of the
    /// execution under the number [`seq`](Self::seq).
    ///
    /// # Errors
    ///
    /// [`StoreErrorKind::NotFound`] when the record is not of the callback that was given this id,
    /// [`StoreErrorKind::Conflict`] when it was settled before or the execution has ended.
    pub fn resolve<R>(&self, execution: &Execution, record: Option<R>) -> Result<R, StoreError>
    where
        R: std::ops::Deref<Target = Record>,
    {
        let known = |record: &R| {
            record.kind == Kind::Callback && record.handle.as_deref() == Some(self.as_str())
        };
        let record = record.filter(known).ok_or_else(|| {
            let message =
                format!("there is no callback `{self}`: give the id as it was handed out");
            StoreError::new(StoreErrorKind::NotFound, message)
        })?;
        let why = if record.status.is_terminal() {
            "it was settled before"
        } else if execution.status.is_terminal() {
            "its execution has ended"
        } else {
            return Ok(record);
        };
        let message = format!("callback `{self}` is closed: {why}");
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
            let message = format!("{text:?} is no callback id: give it as it was handed out");
            StoreError::new(StoreErrorKind::NotFound, message)
        })
    }
}

/// An id of an execution may hold colons, the other parts do not.
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
    fn an_id_is_read_as_it_was_written() {
        let execution: ExecutionId = "a:b:1".parse().unwrap();
        let operation = OperationId::from_bytes([7; 16]);
        let id = CallbackId::unguessable(&execution, 3, operation);
        assert_eq!(id.as_str().parse::<CallbackId>().unwrap(), id);
        assert_ne!(id, CallbackId::unguessable(&execution, 3, operation));
    }

    #[test]
    fn other_text_is_no_id() {
        for text in ["", "a", "a:3:07:x:y", ":3:07:x", "a:b:07:x", "a:3:no:x"] {
            let error = text.parse::<CallbackId>().unwrap_err();
            assert_eq!(error.kind(), StoreErrorKind::NotFound, "{text}");
        }
    }
}
