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
mod given;
mod invoke;
mod key;
mod options;
mod poll;
mod race;
mod readable;
mod record;
mod scope;
mod step;
mod undo;
mod wait;

pub use attempt::{Attempt, attempted};
pub use batches::{BatchSize, BatchesOp, batch_size, batches};
pub use body::StepInfo;
pub(crate) use bound_codec::BoundCodec;
pub use branches::{
    BatchOptions, Branches, ResultCodec, batch_options, branch, fan, items, moved, result_codec,
};
pub use call::{call, may_undo};
pub use callback::{Callback, CallbackLimits, Submitting, callback, limits, submitting};
pub use callee::given;
pub(crate) use callee::{InputCodec, OutputCodec};
pub use chain::continue_as;
pub(crate) use child::expected;
pub use complete::{BatchResult, BranchOutcome, Complete, Reason};
pub use given::{Every, Moment, RetryPolicy, Textual, text, time};
pub(crate) use invoke::start_child;
pub use invoke::{Invoking, invoke_named, invoking};
pub use key::{Key, key, keys};
pub use options::{Options, options};
pub use poll::{Check, Pace, PollOp, checked, pace, poll};
pub use race::{Arm, Race, Runner, arm, race};
pub use record::{RecordOp, record};
pub use scope::{Enter, ScopeOp, scope};
pub use step::{StepOp, step};
pub use undo::undo_body;
pub use wait::{wait, wait_until};

use crate::runtime::failure::{BodyError, BodyResult, Failure, IntoFailure};

/// What a call site does next.
pub enum Next<T> {
    /// It is answered from its record.
    Done(T),
    /// Its body runs.
    Run(StepInfo),
}

/// A return that is never taken, which pins the error type of a body with `?` in it.
pub fn never<T>() -> Option<Result<T, BodyError>> {
    None
}

/// Result of the body of a scope, with its error or its panic on the way to a record.
///
/// With [`attempted`] the one place that asks a body to be a `Result`.
pub fn finished<R>(ended: Result<R, Failure>) -> Result<R::Value, Failure>
where
    R: BodyResult,
    R::Error: IntoFailure,
{
    ended.and_then(returned)
}

/// Result of a body, with its error on the way to a record.
pub(crate) fn returned<R>(result: R) -> Result<R::Value, Failure>
where
    R: BodyResult,
    R::Error: IntoFailure,
{
    result.into_result().map_err(IntoFailure::into_failure)
}
