//! Engine, operations and store traits of the `durable` crate.

mod client;
mod codec;
#[cfg(feature = "conformance")]
pub mod conformance;
mod context;
mod driver;
mod earlier;
mod engine;
pub mod error;
mod failure;
mod fingerprint;
mod handler;
mod id;
#[doc(hidden)]
pub mod json;
mod lease;
#[cfg(feature = "lock")]
pub mod lock;
mod near;
mod observer;
mod operation;
mod panic;
#[doc(hidden)]
pub mod private;
pub mod record;
#[cfg(feature = "tracing-subscriber")]
mod replay;
mod retry;
mod run;
#[cfg(feature = "schedule")]
pub mod schedule;
#[cfg(feature = "signal")]
mod signal;
mod site;
pub mod store;
#[cfg(feature = "testing")]
pub mod testing;
mod time;
mod units;
pub mod worker;

pub use client::{Bulk, Changed, Client, Handle, RetryFrom, Selection, Start};
#[cfg(feature = "msgpack")]
pub use codec::MessagePack;
pub use codec::{Codec, Json, Raw, Text};
pub use context::{Context, ExecutionInfo};
pub use driver::Ended;
pub use engine::{Drift, Successor};
pub use error::{
    BoxError, CallError, CallbackError, ErrorKind, InvokeError, OperationError, PollError,
    ScopeError, StepError,
};
pub use failure::{BodyError, fatal};
pub use fingerprint::Fingerprint;
pub use id::{ExecutionId, InvalidExecutionId, Occurrence, OperationId};
pub use operation::{BatchResult, BranchOutcome, Callback, Complete, Reason, StepInfo};
pub use record::{Completion, Kind, Payload, Record, Status};
#[cfg(feature = "tracing-subscriber")]
pub use replay::ReplayFilter;
pub use retry::{Backoff, Retry};
pub use run::{IntoStore, Invocation, OpenStore, Report, Run, RunError, run};
pub use site::{
    Durable, Handler, HandlerInput, HandlerOutput, IntoHandler, Manifest, Repeat, Site,
};
pub use time::{BoxFuture, Clock, SystemClock, Timestamp};
pub use units::Units;
pub use worker::{Worker, WorkerError};
