//! Flags of the benchmarks.

use std::time::{SystemTime, UNIX_EPOCH};

use clap::Parser;
use tokio::runtime::Runtime;

use crate::BoxError;
use crate::flags::{Flags, runtime};

/// Flags of a benchmark.
#[derive(Clone, Parser)]
pub struct Arguments {
    /// Workload of `durable-bench`. Those that the library does not have fail.
    pub workload: String,
    /// Store of the checkpoints: `sqlite:PATH`, `postgres://…` or `memory:`.
    #[arg(long)]
    store: Option<String>,
    /// Executions that run at once.
    #[arg(long, default_value_t = 64)]
    pub concurrency: usize,
    /// What an acknowledged step survives: `power`, or `process` for settings that do not sync.
    #[arg(long, default_value = "power")]
    pub durability: String,
    /// Flags that `durable-bench` has too.
    #[command(flatten)]
    pub flags: Flags,
}

impl Arguments {
    /// Whether the peer has to sync before it acknowledges a step.
    pub fn syncs(&self) -> bool {
        self.durability == "power"
    }

    /// Returns the store.
    pub fn store(&self) -> &str {
        match &self.store {
            Some(store) => store,
            None if self.workload == "replay" => "memory:",
            None => "",
        }
    }

    /// Returns the number of steps, executions or items.
    pub fn n(&self) -> u32 {
        self.flags.n.unwrap_or(match self.workload.as_str() {
            "replay" | "resume" | "sleeping" => 10_000,
            "many" => 2_000,
            "start_latency" | "wake" => 200,
            "batches" => 1_000_000,
            _ => 1_000,
        })
    }

    /// Returns the same flags with another number of steps, executions or items.
    pub(crate) fn with_n(&self, n: u32) -> Self {
        let mut arguments = self.clone();
        arguments.flags.n = Some(n);
        arguments
    }

    /// Returns the error for a workload that the peer does not have.
    pub fn unsupported(&self) -> BoxError {
        format!("unsupported workload `{}`", self.workload).into()
    }

    /// Returns the error for a store that the peer does not have.
    pub fn unsupported_store(&self, expected: &str) -> BoxError {
        format!("unsupported store `{}`: expected {expected}", self.store()).into()
    }

    /// Creates the runtime.
    pub fn runtime(&self) -> std::io::Result<Runtime> {
        runtime(self.flags.threads)
    }
}

/// Returns a version of the application that no earlier process had, so that its workflows are left alone.
pub(crate) fn new_version() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    format!("bench-{}", now.unwrap_or_default().as_nanos())
}
