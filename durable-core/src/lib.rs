//! Engine, operations and store traits of the `durable` crate.
//!
//! Applications depend on `durable`, which re-exports the public items. Depend on this crate to write a store, or a host
//! that starts invocations itself.
//!
//! | to do this | use |
//! |---|---|
//! | write a store | [`store::CheckpointStore`], [`store::ExecutionStore`] and the other traits in [`store`] |
//! | wrap a store | [`store::forward_store!`] |
//! | test a store | `conformance::run_supported` (feature `conformance`) |
//! | run one invocation on a host | [`Invocation`] |
//! | run executions | [`run`](fn@run), [`Worker`] |
//! | start and manage executions | [`Client`] |
//!
//! # Features
//!
//! | feature | adds |
//! |---|---|
//! | `aes-gcm` | `store::AesGcm`, the payload codec that encrypts with AES-256-GCM |
//! | `checksum` | `store::Checksum`, for stores that detect corrupted data |
//! | `conformance` | the module `conformance`, a test suite for stores |
//! | `lock` | the module `lock`, which compares the names of operations with a committed file |
//! | `msgpack` | the codec `MessagePack` |
//! | `schedule` | the module `schedule`, and workers that fire schedules |
//! | `signal` | workers that stop gracefully on signals |
//! | `testing` | the module `testing`, a testing kit for handlers |
//! | `tracing-subscriber` | `ReplayFilter`, which hides log lines of replayed code |

mod client;
#[cfg(feature = "conformance")]
pub mod conformance;
mod engine;
mod handler;
#[cfg(feature = "lock")]
pub mod lock;
#[cfg(feature = "metrics")]
pub mod metrics;
#[cfg(not(feature = "metrics"))]
mod metrics;
mod model;
#[doc(hidden)]
pub mod private;
#[cfg(feature = "tracing-subscriber")]
mod replay;
mod run;
mod runtime;
#[cfg(feature = "schedule")]
pub mod schedule;
#[cfg(feature = "signal")]
mod signal;
pub mod store;
#[cfg(feature = "testing")]
pub mod testing;
pub mod transaction;
pub mod worker;

#[doc(hidden)]
pub use model::json;
pub use model::{error, record};

pub use client::{
    Bulk, Changed, Client, ClientTransaction, Fork, Handle, PublishedValue, RetryFrom, Selection,
    SendMessage, Start,
};
pub use engine::{Drift, Successor};
#[cfg(feature = "msgpack")]
pub use model::codec::MessagePack;
pub use model::codec::{Codec, Json, Raw, Text};
pub use model::error::{
    BoxError, CallError, CallbackError, ErrorKind, InvokeError, OperationError, PollError,
    PublishError, ReceiveError, ScopeError, SendError, StepError,
};
pub use model::fingerprint::Fingerprint;
pub use model::id::{ExecutionId, InvalidExecutionId, Occurrence, OperationId};
pub use model::labels::{InvalidLabel, Labels};
pub use model::payload::Payload;
pub use model::record::{Completion, Kind, Record, Status};
pub use model::retry::{Backoff, Retry};
pub use model::site::{Manifest, Repeat, Site};
pub use model::time::{BoxFuture, Clock, SystemClock, Timestamp};
pub use model::trace::{InvalidTraceParent, TraceParent};
pub use model::units::Units;
#[cfg(feature = "tracing-subscriber")]
pub use replay::ReplayFilter;
pub use run::{Invocation, Report, Run, RunError, run};
pub use runtime::context::Context;
pub use runtime::driver::Ended;
pub use runtime::failure::{BodyError, fatal};
pub use runtime::handler::{Durable, Handler, HandlerInput, HandlerOutput, IntoHandler};
pub use runtime::operation::{BatchResult, BranchOutcome, Callback, Complete, Reason, StepInfo};
pub use runtime::shared::ExecutionInfo;
pub use store::{IntoStore, OpenStore};
pub use worker::{Worker, WorkerError};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
