//! Identity of the rows of a step.

use crate::store::{Capabilities, Lease};
use crate::{ExecutionId, OperationId};

/// Identity of the rows of one step, and the fence under which it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    execution: ExecutionId,
    lineage: String,
    operation: String,
    fence: Option<i64>,
}

impl Key {
    /// Returns the id of the execution: up to 512 printable ASCII characters.
    pub fn execution(&self) -> &str {
        self.execution.as_str()
    }

    /// Returns what tells executions apart that had the same id one after the other: up to 64 ASCII characters.
    pub fn lineage(&self) -> &str {
        &self.lineage
    }

    /// Returns the id of the operation, with a suffix if an operator has let it run again: up to 64 ASCII characters.
    pub fn operation(&self) -> &str {
        &self.operation
    }

    /// Returns the number of the lease, which grows with each lease of the execution. `None` if the leases of the
    /// checkpoint store have no order. Outcome rows are then not removed.
    pub fn fence(&self) -> Option<i64> {
        self.fence
    }
}

/// Part of a key that is the same for all steps of an invocation.
#[derive(Debug, Clone)]
pub(crate) struct Lineage {
    execution: ExecutionId,
    text: String,
    fence: Option<i64>,
}

impl Lineage {
    pub(crate) fn of(lease: &Lease, capabilities: &Capabilities) -> Self {
        let (execution, fence) = (&lease.execution, &lease.fence);
        let started = execution.created_at.as_millis();
        let ordered = fence.ordered().filter(|_| capabilities.ordered_fences);
        let (text, fence) = match ordered {
            Some((prefix, number)) => (format!("{started}-{prefix}"), Some(number)),
            None => (started.to_string(), None),
        };
        Self {
            execution: execution.id.clone(),
            text,
            fence,
        }
    }

    /// Returns the key of an operation. `rerun` differs each time an operator lets it run again.
    pub(crate) fn key(&self, operation: OperationId, rerun: &str) -> Key {
        let operation = match rerun {
            "" => operation.to_string(),
            rerun => format!("{operation}/{rerun}"),
        };
        Key {
            execution: self.execution.clone(),
            lineage: self.text.clone(),
            operation,
            fence: self.fence,
        }
    }
}
