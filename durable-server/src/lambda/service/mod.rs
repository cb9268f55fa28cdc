//! The durable execution service as a state machine, without I/O or a clock.
//!
//! An [`Execution`] changes in memory only. [`Execution::take_changes`] returns the changes to store
//! before a response is sent.

mod batch;
mod checkpoint;
mod describe;
mod execution;
mod external;
mod head;
mod history;
mod invocation;
mod operation;
mod paging;
mod pause;
mod timers;
pub(crate) mod token;
mod transition;
mod validation;
mod wire;

#[cfg(test)]
mod tests;

pub(crate) use batch::{Target, Targets, Unresolved};
pub(crate) use execution::{Changes, Execution};
pub(crate) use external::{CallbackOutcome, InvokeOutcome};
pub(crate) use head::{Ending, ExecutionStatus, Head, Limits, Moment, NewExecution, Parent};
pub(crate) use history::without_data;
pub(crate) use operation::{Operation, seconds};
pub(crate) use paging::page_size;
pub(crate) use validation::{
    MAX_CHAINED, MAX_PAYLOAD, check_client_token, check_execution_name, check_reason, check_tenant,
};
pub(crate) use wire::{CheckpointRequest, ErrorObject, Refusal};
#[cfg(feature = "serve")]
pub(crate) use wire::{Kind, Status};
