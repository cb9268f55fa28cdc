//! Items that the expansion of `#[durable]` names. Not public API: they can change in every release.

pub use crate::model::codec::{Codec, Json, OwnedValue, Reads};
pub use crate::model::error::BoxError;
pub use crate::model::fingerprint::{Input, input};
pub use crate::model::record::Kind;
pub use crate::model::site::{Manifest, Site};
pub use crate::run::invoke;
pub use crate::runtime::context::Context;
pub use crate::runtime::failure::{
    BodyError, BodyResult, HandlerError, HandlerResult, IntoFailure, body_error,
};
pub use crate::runtime::handler::{AnyState, Awaited, Durable, Handler, IntoHandler, WithState};
pub use crate::runtime::operation::{
    Arm, Attempt, BatchOptions, BatchSize, BatchesOp, Begun, Branches, Callback, CallbackLimits,
    Check, Enter, Every, Invoking, Key, Moment, Next, Options, Pace, PollOp, Race, Receiving,
    RecordOp, ResultCodec, RetryPolicy, Runner, ScopeOp, Sending, StepInfo, StepOp, Submitting,
    Textual, TransactionOp, TransactionRunner, TransactionWork, arm, attempted, batch_options,
    batch_size, batches, branch, call, callback, checked, continue_as, custom_codec, finished,
    handle, invoke_named, invoking, items, key, keys, limits, may_undo, moved, never, options,
    pace, poll, race, receive, receiving, record, result_codec, returned, scope, send, sending,
    start_branches, step, submitting, text, time, transaction, undo_body, wait, wait_until,
};
pub use crate::runtime::registered::Operation;
pub use crate::runtime::undo::Undo;

pub use std::future::Future;
pub use std::option::Option::{None, Some};
pub use std::pin::pin;
pub use std::vec::Vec;

pub use crate::__handler as handler;
pub use crate::__site as site;

/// Result of the handler `D`.
pub type Outcome<D> = Result<<D as Durable>::Output, BoxError>;

/// Creates a [`Site`] with the source location of the macro call.
#[doc(hidden)]
#[macro_export]
macro_rules! __site {
    ($kind:ident, $name:expr) => {
        $crate::private::Site::new(
            $crate::private::Kind::$kind,
            $name,
            ::core::file!(),
            ::core::line!(),
        )
    };
}
