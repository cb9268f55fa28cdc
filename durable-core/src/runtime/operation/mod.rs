//! The operations that call sites expand to. Each is a thin layer over [`Operation::decide`].
//!
//! [`Operation::decide`]: crate::runtime::registered::Operation

mod attempt;
mod batch;
mod batches;
pub(crate) mod body;
mod bound_codec;
mod branches;
mod call;
mod callback;
mod callee;
mod chain;
mod child;
mod complete;
mod invoke;
mod key;
mod option_values;
mod options;
mod poll;
mod publish;
mod race;
mod readable;
mod receive;
mod record;
mod scope;
mod send;
mod step;
mod transaction;
mod undo;
mod wait;

pub use attempt::{Attempt, attempted};
pub use batches::{BatchSize, BatchesOp, batch_size, batches};
pub use body::StepInfo;
pub(crate) use bound_codec::BoundCodec;
pub use branches::{
    BatchOptions, Branches, ResultCodec, batch_options, branch, items, moved, result_codec,
    start_branches,
};
pub use call::{call, may_undo};
pub use callback::{Callback, CallbackLimits, Submitting, callback, limits, submitting};
pub use callee::custom_codec;
pub(crate) use callee::{InputCodec, OutputCodec};
pub use chain::continue_as;
pub(crate) use child::expected;
pub use complete::{BatchResult, BranchOutcome, Complete, Reason};
pub(crate) use invoke::start_child;
pub use invoke::{Invoking, invoke_named, invoking};
pub use key::{Key, key, keys};
pub use option_values::{Every, Moment, RetryPolicy, Textual, text, time};
pub use options::{Options, options};
pub use poll::{Check, Pace, PollOp, checked, pace, poll};
pub use race::{Arm, Race, Runner, arm, race};
pub use receive::{Receiving, receive, receiving};
pub use record::{RecordOp, record};
pub use scope::{Enter, ScopeOp, scope};
pub use send::{Sending, send, sending};
pub use step::{StepOp, step};
pub use transaction::{
    Begun, TransactionOp, TransactionRunner, TransactionWork, handle, transaction,
};
pub use undo::undo_body;
pub use wait::{wait, wait_until};

use crate::runtime::failure::{BodyError, BodyResult, Failure, IntoFailure};

/// Next action of a call site.
pub enum Next<T> {
    /// Return this recorded value.
    Done(T),
    /// Run the body.
    Run(StepInfo),
}

/// Fixes the error type of a body with `?` in it, in a `return` that never happens.
pub fn never<T>() -> Option<Result<T, BodyError>> {
    None
}

/// Converts what the body of a scope returned into a value or a failure.
///
/// Only this function and [`attempted`] require that a body returns a `Result`.
pub fn finished<R>(ended: Result<R, Failure>) -> Result<R::Value, Failure>
where
    R: BodyResult,
    R::Error: IntoFailure,
{
    ended.and_then(returned)
}

/// Converts the `Result` of a body into a value or a failure.
pub fn returned<R>(result: R) -> Result<R::Value, Failure>
where
    R: BodyResult,
    R::Error: IntoFailure,
{
    result.into_result().map_err(IntoFailure::into_failure)
}
