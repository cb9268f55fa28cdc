//! Workloads, flags and result lines that the benchmarks of all peers share. They are those of `durable-bench`.

mod arguments;
#[path = "../../../src/call_sites.rs"]
mod call_sites;
mod compile;
#[path = "../../../src/flags.rs"]
mod flags;
mod line;
#[path = "../../../src/point.rs"]
mod point;
pub mod probes;
#[path = "../../../src/process.rs"]
pub mod process;
mod recovery;
#[path = "../../../src/row.rs"]
mod row;
#[path = "../../../src/samples.rs"]
mod samples;
mod sleeping;
mod workloads;

use std::future::Future;

use clap::Parser;

pub use arguments::Arguments;
pub use call_sites::Template;
pub use compile::measure as compile;
pub use line::Line;
pub use row::Row;
pub use samples::Samples;

/// Error of a benchmark.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Execution that a workload starts.
pub enum Job {
    /// This number of steps, one after the other.
    Sequential(u32),
    /// This number of steps. Many such executions run at once.
    Many(u32),
    /// One step.
    First,
    /// A wait for a message, then one step.
    Receiver,
    /// A sleep until a time in milliseconds since 1970, then one step.
    Sleeper(i64),
    /// A sum of `n` numbers in this number of batches, each of them a step.
    Batches {
        /// Number of items.
        n: u32,
        /// Number of batches.
        batches: u32,
    },
    /// This number of steps, then a sleep of an hour.
    Long(u32),
}

/// Library that runs workflows in this process.
pub trait Peer: Send + Sync + Sized + 'static {
    /// Name of the library.
    const LIBRARY: &'static str;

    /// Handle of a started workflow.
    type Handle: Send + 'static;

    /// Opens the store. Workflows of other values of `version` are left alone.
    fn open(
        arguments: &Arguments,
        version: &str,
    ) -> impl Future<Output = Result<Self, BoxError>> + Send;

    /// Starts to run workflows.
    fn launch(&self) -> impl Future<Output = Result<(), BoxError>> + Send;

    /// Starts to run workflows, at first those of a process that ended.
    fn recover(&self) -> impl Future<Output = Result<(), BoxError>> + Send;

    /// Starts a workflow.
    fn start(&self, job: Job) -> impl Future<Output = Result<Self::Handle, BoxError>> + Send;

    /// Returns the id of a workflow.
    fn id(handle: &Self::Handle) -> String;

    /// Waits for the end of a workflow.
    fn result(handle: Self::Handle) -> impl Future<Output = Result<u64, BoxError>> + Send;

    /// Sends a number to a workflow.
    fn send(&self, id: &str, number: u32) -> impl Future<Output = Result<(), BoxError>> + Send;

    /// Returns the names of the operations that a workflow has recorded.
    fn recorded(&self, id: &str) -> impl Future<Output = Result<Vec<String>, BoxError>> + Send;

    /// Returns the text of the crate that `compile` builds.
    fn template() -> Template;
}

/// Runs the benchmark of a peer.
pub fn run<P: Peer>() -> Result<(), BoxError> {
    let arguments = Arguments::parse();
    if arguments.workload == "compile" {
        return compile(P::LIBRARY, &arguments, P::template);
    }
    for run in 1..=arguments.flags.repeat {
        match arguments.workload.as_str() {
            "replay" | "resume" => recovery::measure::<P>(&arguments, run)?,
            _ => arguments
                .runtime()?
                .block_on(workloads::measure::<P>(&arguments, run))?,
        }
    }
    Ok(())
}
