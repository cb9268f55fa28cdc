//! Imports for a file with durable functions: `use durable::prelude::*;`

pub use std::ops::ControlFlow;
pub use std::time::Duration;

pub use crate::{
    Backoff, BatchResult, BoxError, BranchOutcome, CallError, CallbackError, Complete, ErrorKind,
    ExecutionId, InvokeError, PollError, Reason, Retry, RunError, ScopeError, StepError, StepInfo,
    Units, fatal,
};
pub use crate::{
    batches, callback, continue_as, invoke, map, parallel, poll, publish, race, receive, send,
};
pub use crate::{call, durable, execution, record, scope, step, wait};
