//! The operations that call sites expand to. Each is a thin layer over [`Claim::decide`].
//!
//! [`Claim::decide`]: crate::context::Claim

pub(crate) mod body;
mod call;
mod coder;
mod key;
mod options;
mod record;
mod scope;
mod step;
mod wait;

pub use body::StepInfo;
pub use call::call;
pub use key::{Key, key, keys};
pub use options::{Options, options};
pub use record::{RecordOp, record};
pub use scope::{Enter, ScopeOp, scope};
pub use step::{Attempt, StepOp, attempted, step};
pub use wait::{time, wait, wait_until};

use crate::failure::{BodyError, BodyResult, Failure, IntoFailure};

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

/// What a body returned, with its error on the way to a record.
///
/// With [`attempted`] the one place that asks a body to be a `Result`.
pub fn returned<R>(result: R) -> Result<R::Value, Failure>
where
    R: BodyResult,
    R::Error: IntoFailure,
{
    result.into_result().map_err(IntoFailure::into_failure)
}
