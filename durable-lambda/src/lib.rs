//! Runs durable functions on AWS Lambda durable functions: the service keeps the checkpoints, waits without
//! compute, and invokes again.
//!
//! [`run`] is all that `main` needs, in a binary named `bootstrap`; the durable function is the one that runs
//! everywhere else. Each durable call is an operation of the service: its id is the 128 bits that identify it here
//! too, its name is how histories write it.
//!
//! | call | type | sub type |
//! |---|---|---|
//! | `step!`, `record!`, a batch of `batches!`, an undo body | `STEP` | `Step`, `Record`, `Batch`, `Undo` |
//! | `poll!` | `STEP` | `WaitForCondition` |
//! | `wait!` | `WAIT` | `Wait` |
//! | the pause between two slices of a long loop | `WAIT` | `Slice` |
//! | the note that a body was cut off by the end of its invocation | `STEP` | `CutOff` |
//! | how many operations stand in contexts that are over, which the service no longer tells of | `STEP` | `Count` |
//! | `scope!`, `call!`, `race!` | `CONTEXT` | `RunInChildContext`, `Call`, `Race` |
//! | `map!` and its items | `CONTEXT` | `Map`, `MapIteration` |
//! | `parallel!` and its branches | `CONTEXT` | `Parallel`, `ParallelBranch` |
//! | `callback!` | `CALLBACK` | `Callback` |
//! | `callback!` with `submit` | `CONTEXT` | `WaitForCallback` |
//! | `invoke!` | `CHAINED_INVOKE` | `ChainedInvoke` |
//! | `continue_as!` | `CHAINED_INVOKE` of the function itself | `Continue` |
//!
//! What the service limits is known to the engine: a value over 256 KiB, the 3 000th operation, an error that is too
//! long end as errors of the call that they belong to, not of the execution.

mod client;
mod clock;
mod invocation;
pub mod log;
mod setup;
mod sign;
mod store;
mod wire;

pub use setup::{Function, function, run};
