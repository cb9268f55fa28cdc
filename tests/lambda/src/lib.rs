//! Fake of Lambda and its durable service on a loopback port.
//!
//! [`Fake`] serves the Runtime API and the durable API to a function, keeps executions by the service's rules, runs
//! timers (accelerated by [`Config::speedup`]), kills processes that exceed their deadline, injects faults into the
//! calls that a test selects ([`Fault`]), and records everything ([`Recording`]).
//!
//! Where the service's rules are not known, the fake takes the stricter reading: every update repeats type, subtype,
//! name and parent, nothing is written inside a closed context, and only started operations can end.

mod client;
mod config;
mod execution;
mod execution_handle;
mod fake;
mod fault;
mod functions;
mod http;
mod operation;
mod recording;
mod sandbox;
mod signature;
mod state;
mod wire;

pub use client::{Client, Response, TakenInvocation};
pub use config::Config;
pub use execution::{ExecutionOutcome, Paging, Quotas, Usage};
pub use execution_handle::ExecutionHandle;
pub use fake::Fake;
pub use fault::Fault;
pub use operation::{CallbackTimers, Operation};
pub use recording::{CallOutcome, CheckpointCall, Invocation, InvocationEnd, Recording, StateCall};
pub use sandbox::Program;
pub use signature::Credentials;
pub use wire::{
    Action, ApiError, CallbackOptions, ChainedInvokeOptions, ContextOptions, ErrorObject, Kind,
    Status, StepOptions, Update, WaitOptions,
};
