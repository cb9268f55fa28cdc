//! The testing kit: handlers proven in milliseconds, in memory, with time that skips ahead.
//!
//! | what | for |
//! |---|---|
//! | [`TestRun`] | one run, with answers from outside and failing bodies given by name |
//! | [`crash_everywhere`] | the process dies at every boundary of a run: nothing changes |
//! | [`shuffled`] | the scheduler decides otherwise: nothing changes |
//! | [`names!`](crate::names) | the committed list of names: what executions in flight have recorded is found again |
//! | [`replay`] | a recorded history against today's code: it goes on as it should |
//!
//! Nothing here sleeps, opens a port or writes a file, so tests run in parallel. All of it takes a
//! tokio runtime, of whatever flavour: `#[tokio::test]` will do.

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
