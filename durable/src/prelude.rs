//! Everything a file with a durable function needs.

pub use std::time::Duration;

pub use crate::{
    BoxError, CallError, ErrorKind, ExecutionId, Retry, ScopeError, StepError, StepInfo, fatal,
};
pub use crate::{call, durable, execution, record, scope, step, wait};
