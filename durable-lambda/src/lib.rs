//! Runtime that runs durable functions on AWS Lambda durable functions.
//!
//! The service stores the checkpoints, waits without compute time and invokes the function again when it can make
//! progress. A Lambda binary is named `bootstrap` and only calls [`run`] from `main`; the durable function itself is
//! the same as on any other host.
//!
//! Each durable call is one operation of the service. Its id is the hex form of the 128-bit
//! [`OperationId`](durable_core::OperationId), and its name is the display name that histories show.
//!
//! | call | type | subtype |
//! |---|---|---|
//! | `step!`, `record!`, a batch of `batches!`, an undo body | `STEP` | `Step`, `Record`, `Batch`, `Undo` |
//! | `poll!` | `STEP` | `WaitForCondition` |
//! | `wait!` | `WAIT` | `Wait` |
//! | the pause between two slices of a long loop | `WAIT` | `Slice` |
//! | marker of a body interrupted by the end of its invocation | `STEP` | `CutOff` |
//! | number of operations inside finished contexts, which the service no longer returns | `STEP` | `Count` |
//! | `scope!`, `call!`, `race!` | `CONTEXT` | `RunInChildContext`, `Call`, `Race` |
//! | `map!` and its items | `CONTEXT` | `Map`, `MapIteration` |
//! | `parallel!` and its branches | `CONTEXT` | `Parallel`, `ParallelBranch` |
//! | `callback!` | `CALLBACK` | `Callback` |
//! | `callback!` with `submit` | `CONTEXT` | `WaitForCallback` |
//! | `invoke!` | `CHAINED_INVOKE` | `ChainedInvoke` |
//! | `continue_as!` | `CHAINED_INVOKE` of the function itself | `Continue` |
//!
//! The engine knows the service's limits. Exceeding one (a value over 256 KiB, more than 3 000 operations, an error
//! that is too long) fails the call that did it, not the whole execution.

mod client;
mod clock;
mod invocation;
pub mod log;
mod setup;
mod sign;
mod store;
mod wire;
mod xray;

pub use setup::{Function, function, run};
/// For fuzz targets. Not public API.
#[doc(hidden)]
pub use wire::decode_messages;
