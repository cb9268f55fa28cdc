//! The operations that call sites expand to. Each is a thin layer over [`Claim::decide`].
//!
//! [`Claim::decide`]: crate::context::Claim

pub(crate) mod body;
mod call;
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
pub use step::{Attempt, StepOp, step};
pub use wait::{wait, wait_until};

use crate::codec::Codec;
use crate::context::Claim;
use crate::engine::Outcome;
use crate::error::{ErrorKind, OperationError};
use crate::failure::BodyError;

/// What a call site does next.
pub enum Next<T> {
    /// It is answered from its record.
    Done(T),
    /// Its body runs.
    Run(StepInfo),
}

/// Pins the error type of a body that is a block with `?` in it.
pub fn fallible<F, T>(body: F) -> F
where
    F: Future<Output = Result<T, BodyError>>,
{
    body
}

/// The value behind a settled outcome.
fn decode<T, C: Codec<T>>(
    claim: &Claim<'_>,
    codec: &C,
    outcome: Outcome,
) -> Result<T, OperationError> {
    let payload = match outcome {
        Outcome::Value(payload) => payload,
        Outcome::Error(error) => return Err(error),
        Outcome::Done => return Err(codec_error(claim, "no value is recorded")),
    };
    if payload.codec != codec.name() {
        let message = format!(
            "the value was recorded by the codec `{}`, the code now reads it with `{}`",
            payload.codec,
            codec.name()
        );
        return Err(codec_error(claim, &message));
    }
    codec.decode(&payload.data).map_err(|error| {
        let message = format!(
            "the recorded value of {} bytes does not decode as `{}`: {error}",
            payload.len(),
            std::any::type_name::<T>()
        );
        codec_error(claim, &message)
    })
}

fn codec_error(claim: &Claim<'_>, message: &str) -> OperationError {
    let operation = claim.lock().engine.path(claim.op);
    OperationError::new(operation, ErrorKind::Codec, message)
}
