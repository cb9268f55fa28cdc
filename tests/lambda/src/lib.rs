//! A Lambda and its durable service on a loopback port, for tests of what runs on them.
//!
//! [`Fake`] speaks the Runtime API to a function and the durable API back to it, keeps executions
//! by the service's rules, runs timers (faster than asked, see [`Config::pace`]), kills what overruns
//! its deadline, has any call go wrong that a test names ([`Fault`]), and writes down everything
//! ([`Record`]).
//!
//! It is strict where the service's rules are known, and where they are not it takes the stricter
//! reading: type, sub type, name and parent have to be repeated in every update, nothing is written
//! below a closed context, and nothing ends that was not started.

mod client;
mod config;
mod execution;
mod fake;
mod fault;
mod functions;
mod http;
mod operation;
mod record;
mod sandbox;
mod signature;
mod started;
mod state;
mod wire;

pub use client::{Answer, Client, Taken};
pub use config::Config;
pub use execution::{Ended, Paging, Quotas, Used};
pub use fake::Fake;
pub use fault::Fault;
pub use operation::{CallbackTimes, Operation};
pub use record::{CallEnd, CheckpointCall, Invocation, InvocationEnd, Record, StateCall};
pub use sandbox::Program;
pub use signature::Credentials;
pub use started::Started;
pub use wire::{
    Action, CallbackOptions, ChainedInvokeOptions, ContextOptions, ErrorObject, Kind, Refusal,
    Status, StepOptions, Update, WaitOptions,
};
