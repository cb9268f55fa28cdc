//! Leases, the answer to a start, and the filter and order of a listing.

use super::{Execution, ExecutionStatus, Fence};
use crate::{ExecutionId, Labels, Timestamp};

/// A granted lease. Its holder may run the execution and write its checkpoints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The fence of the holder's checkpoints.
    pub fence: Fence,
    /// The execution as of the grant: running.
    pub execution: Execution,
    /// Whether the previous holder ended without releasing the lease: it was killed, expired or lost its connection.
    pub was_interrupted: bool,
    /// How often in a row, including this time, a holder ended like that without having recorded a new operation.
    pub crashes: u32,
}

/// Answer to a start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Started {
    /// The execution is new.
    Created(Execution),
    /// An execution with this id existed before. It is unchanged.
    Existing(Execution),
}

/// Order of a listing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Order {
    /// Ascending order of ids.
    #[default]
    Id,
    /// Descending order of their start times; executions of the same time in descending order of their ids.
    Newest {
        /// Start time and id of the last execution of the previous page.
        after: Option<(Timestamp, ExecutionId)>,
    },
}

/// Selects executions for a listing. All conditions must hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    /// Only executions in these states; all states if empty.
    pub status: Vec<ExecutionStatus>,
    /// Only executions of this handler.
    pub handler: Option<String>,
    /// Only executions that were started in this queue.
    pub queue: Option<String>,
    /// Only executions whose id begins with this text.
    pub prefix: Option<String>,
    /// Only executions that were started at this time or later.
    pub created_from: Option<Timestamp>,
    /// Only executions that were started before this time.
    pub created_before: Option<Timestamp>,
    /// Only executions whose state last changed before this time.
    pub updated_before: Option<Timestamp>,
    /// Only executions that have all these labels, with these values.
    pub labels: Labels,
    /// Only paused executions, or only those that are not paused.
    pub paused: Option<bool>,
    /// Only executions whose id comes after this one. The next page of a listing by [`Order::Id`] starts after its last id.
    pub after: Option<ExecutionId>,
    /// Order of the listing.
    pub order: Order,
    /// Most executions to return. Zero means the store's default.
    pub limit: usize,
}
