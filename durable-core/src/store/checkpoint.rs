//! Checkpoints: atomic, fenced writes of a batch of records.

use std::sync::Arc;

use super::{Message, NewExecution, StoreError, StoreErrorKind};
use crate::model::error::OperationError;
use crate::model::payload::Payload;
use crate::model::record::Record;
use crate::{ExecutionId, Timestamp};

/// Permission to write the checkpoints of an execution, as of the last acknowledgement.
///
/// Only the store gives meaning to the token: it compares the token with the one it expects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fence {
    /// The execution that may be written.
    pub execution: ExecutionId,
    /// Token by which the store recognises the lease holder.
    pub token: Arc<str>,
}

impl Fence {
    /// Splits the token of an [ordered](super::Capabilities::ordered_fences) fence into text and number.
    pub(crate) fn ordered(&self) -> Option<(&str, i64)> {
        let (text, number) = self.token.rsplit_once('.')?;
        Some((text, number.parse().ok()?))
    }

    /// Returns the error of a store that expects another token.
    ///
    /// ```
    /// use durable_core::store::{Fence, StoreErrorKind};
    ///
    /// let fence = Fence {
    ///     execution: "order-7".parse()?,
    ///     token: "1".into(),
    /// };
    /// assert_eq!(fence.lost().kind(), StoreErrorKind::FenceLost);
    /// # Ok::<(), durable_core::InvalidExecutionId>(())
    /// ```
    pub fn lost(&self) -> StoreError {
        StoreError::new(
            StoreErrorKind::FenceLost,
            format!(
                "the lease of execution `{}` was released or taken over",
                self.execution
            ),
        )
    }
}

/// Contents of one checkpoint. A store keeps all of it or nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Batch {
    /// Identifies the batch among those written under one fence. A repeated write has the same id.
    pub id: u64,
    /// Records to put, in this order: a scope comes before the operations in it.
    pub records: Vec<Record>,
    /// Executions to start together with the records of the operations that wait for them.
    pub children: Vec<NewExecution>,
    /// Number of external changes the writer knows of: see [`Ack::changes`].
    pub seen: u64,
    /// Asks for the messages after this number that the execution has not received: see [`Ack::messages`].
    pub messages_after: Option<u64>,
    /// Change of the execution's own state.
    pub execution: Option<ExecutionUpdate>,
}

impl Batch {
    /// Releases a lease and writes nothing else. The next holder sees external changes that
    /// happened meanwhile.
    pub(crate) fn release(update: ExecutionUpdate) -> Arc<Self> {
        Arc::new(Self {
            id: u64::MAX,
            seen: u64::MAX,
            execution: Some(update),
            ..Self::default()
        })
    }
}

/// Change of an execution's own state. Every change releases the lease.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExecutionUpdate {
    /// Nothing can run until this time, or until an external event if there is no time.
    Suspend {
        /// When the execution is due again.
        wake_at: Option<Timestamp>,
    },
    /// The handler returned a value.
    Succeed {
        /// The encoded output.
        output: Payload,
    },
    /// The handler returned an error.
    Fail {
        /// The error, as every later call reports it.
        error: OperationError,
    },
    /// Code and history disagree. Nothing runs until a fixed build or a rollback resumes the execution.
    Block {
        /// Describes the disagreement and how to resolve it.
        report: String,
    },
    /// The execution was cancelled and has stopped.
    Cancel {
        /// The error that callers see.
        error: OperationError,
    },
    /// Another execution with a fresh history takes over.
    Continue {
        /// The next execution of the chain. It is started with this checkpoint and has the same parent.
        next: NewExecution,
    },
}

impl ExecutionUpdate {
    /// Returns whether the execution ends with this update.
    pub const fn is_end(&self) -> bool {
        match self {
            Self::Suspend { .. } | Self::Block { .. } => false,
            Self::Succeed { .. }
            | Self::Fail { .. }
            | Self::Cancel { .. }
            | Self::Continue { .. } => true,
        }
    }
}

/// Answer to an accepted checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ack {
    /// The fence of the next checkpoint, if the store changes it each time.
    pub fence: Option<Fence>,
    /// Records of this execution that others changed since [`Batch::seen`].
    pub changed_records: Vec<Record>,
    /// Messages that the execution has not received, in ascending order of their numbers: those after
    /// [`Batch::messages_after`], none if that is not set.
    pub messages: Vec<Message>,
    /// Number of external changes of the execution so far.
    pub changes: u64,
    /// Whether cancellation was requested.
    pub cancel: bool,
    /// Whether the execution must stop at its next durable boundary until it is resumed.
    pub paused: bool,
}

/// One page of an execution's records.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page {
    /// Records in ascending order of [`Record::seq`].
    pub records: Vec<Record>,
    /// The `seq` after which the next page starts, if there is one.
    pub next: Option<u64>,
}
