//! Testing kit: runs handlers in memory, in milliseconds, with a clock that skips waiting time.
//!
//! | item | purpose |
//! |---|---|
//! | [`TestRun`] | runs a handler once, with external answers and failing bodies given by operation name |
//! | [`crash_everywhere`] | kills the process at every boundary of a run and checks that the result is the same |
//! | [`shuffled`] | varies the order in which bodies and checkpoints finish and checks that the result is the same |
//! | [`names!`](crate::names) | checks the code against a committed list of names, so that executions in flight find their records |
//! | [`replay`] | replays a recorded history with the current code |
//!
//! The kit does not sleep, open ports or write files, so tests can run in parallel. It needs a tokio runtime of
//! either flavor; `#[tokio::test]` is enough.

mod boundaries;
mod clock;
mod crash;
mod diff;
mod export;
mod finding;
mod history;
mod names;
mod outcome;
mod process;
mod replay;
mod rerun;
mod run;
mod run_snapshot;
mod scenario;
mod script;
mod shuffle;
mod stall_timeout;
mod store;
mod world;

#[doc(no_inline)]
pub use crate::names;
pub use boundaries::Boundary;
pub use clock::TestClock;
pub use crash::{CrashEverywhere, Crashes, crash_everywhere};
pub use finding::Finding;
pub use history::{History, Operation};
pub use names::{Names, Observed};
pub use outcome::{End, NoOutput, TestOutcome};
pub use replay::{Replay, Replayed, replay};
pub use run::{Stepper, TestRun};
pub use shuffle::{Shuffled, Shuffles, shuffled};
pub use world::World;
