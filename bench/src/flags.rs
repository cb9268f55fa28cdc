//! Flags that the benchmarks of all libraries share.

use std::time::Duration;

use clap::Args;
use tokio::runtime::{Builder, Runtime};

/// Flags of every benchmark. Those that a workload does not use are ignored.
#[derive(Clone, Args)]
pub struct Flags {
    /// Number of steps, executions or items.
    #[arg(long)]
    pub n: Option<u32>,
    /// Steps of each execution in `many`, and the number of batches of a library that does not choose it itself.
    #[arg(long, default_value_t = 5)]
    pub steps: u32,
    /// Threads that run executions.
    #[arg(long, default_value_t = 1)]
    pub threads: usize,
    /// Number of runs, each with its own result line.
    #[arg(long, default_value_t = 1)]
    pub repeat: u32,
    /// Seconds over which the wake-ups of `sleeping` are spread.
    #[arg(long, default_value_t = 10)]
    spread: u64,
}

impl Flags {
    /// Returns the time over which wake-ups are spread.
    pub fn spread(&self) -> Duration {
        Duration::from_secs(self.spread)
    }
}

/// Creates a runtime with this number of threads.
pub fn runtime(threads: usize) -> std::io::Result<Runtime> {
    let mut builder = match threads {
        1 => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    if threads > 1 {
        builder.worker_threads(threads);
    }
    builder.enable_all().build()
}
