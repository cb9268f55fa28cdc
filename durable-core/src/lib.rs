//! Engine, operations and store traits of the `durable` crate.

pub mod error;
mod id;
pub mod record;
pub mod store;
mod time;

pub use error::{BoxError, CallError, ErrorKind, OperationError, ScopeError, StepError};
pub use id::{ExecutionId, InvalidExecutionId, Occurrence, OperationId};
pub use record::{Kind, Payload, Record, Status};
pub use time::{BoxFuture, Clock, SystemClock, Timestamp};
