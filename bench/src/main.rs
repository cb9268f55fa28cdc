//! Measures the library beside bare metal: `durable-bench replay --n 10000`.
//!
//! Each run prints one JSON line for the workload and one for the same work without the library,
//! measured in turns within the same run, so that the ratio means something on a noisy machine.

mod floor;
mod items;
mod long;
mod many;
mod postgres;
mod replay;
mod report;
mod sequential;
mod sleeping;
mod start_latency;

use clap::{Parser, Subcommand};
use durable::prelude::BoxError;

#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    workload: Workload,
}

#[derive(Subcommand)]
enum Workload {
    /// Answers N recorded steps from memory; floor: a map look-up and the decoding of the value.
    Replay {
        /// Recorded steps.
        #[arg(long, default_value_t = 10_000)]
        n: u32,
    },
    /// Runs N steps one after the other; floor: append and fdatasync of the same bytes.
    Sequential {
        /// Where the checkpoints are kept: `sqlite:PATH`, `postgres://…` or `memory:`.
        #[arg(long)]
        store: String,
        /// Steps.
        #[arg(long, default_value_t = 1_000)]
        n: u32,
    },
    /// Runs N executions by a worker, many at once; floor: as many frames appended, many in one write.
    Many {
        /// Where the checkpoints are kept: `sqlite:PATH`, `postgres://…` or `memory:`.
        #[arg(long)]
        store: String,
        /// Executions.
        #[arg(long, default_value_t = 2_000)]
        n: u32,
        /// Steps of each.
        #[arg(long, default_value_t = 5)]
        steps: u32,
        /// Executions at once.
        #[arg(long, default_value_t = 64)]
        concurrency: usize,
        /// Threads that run executions.
        #[arg(long, default_value_t = 1)]
        threads: usize,
    },
    /// From a start to the first body, and from a callback to the body behind it, N times.
    #[command(name = "start_latency")]
    StartLatency {
        /// Where the checkpoints are kept: `sqlite:PATH`, `postgres://…` or `memory:`.
        #[arg(long)]
        store: String,
        /// Executions.
        #[arg(long, default_value_t = 200)]
        n: u32,
    },
    /// Puts N executions to sleep on a file: their memory, and how late they wake.
    Sleeping {
        /// The file.
        #[arg(long)]
        path: std::path::PathBuf,
        /// Executions.
        #[arg(long, default_value_t = 10_000)]
        n: u32,
        /// Seconds over which they wake.
        #[arg(long, default_value_t = 10)]
        spread: u64,
    },
    /// Runs N steps in one execution on a file, then measures what a resume costs.
    Long {
        /// The file.
        #[arg(long)]
        path: std::path::PathBuf,
        /// Steps.
        #[arg(long, default_value_t = 100_000)]
        n: u32,
    },
    /// Puts N items through `batches!` on a file.
    Batches {
        /// The file.
        #[arg(long)]
        path: std::path::PathBuf,
        /// Items.
        #[arg(long, default_value_t = 1_000_000)]
        n: u64,
    },
}

fn main() -> Result<(), BoxError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    match Arguments::parse().workload {
        Workload::Replay { n } => runtime.block_on(replay::measure(n)),
        Workload::Sequential { store, n } => runtime.block_on(sequential::measure(&store, n)),
        Workload::Many {
            store,
            n,
            steps,
            concurrency,
            threads,
        } => on_threads(threads)?.block_on(many::measure(&store, n, steps, concurrency)),
        Workload::StartLatency { store, n } => runtime.block_on(start_latency::measure(&store, n)),
        Workload::Sleeping { path, n, spread } => {
            let spread = std::time::Duration::from_secs(spread);
            runtime.block_on(sleeping::measure(&path, n, spread))
        }
        Workload::Long { path, n } => runtime.block_on(long::measure(&path, n)),
        Workload::Batches { path, n } => runtime.block_on(items::measure(&path, n)),
    }
}

fn on_threads(threads: usize) -> std::io::Result<tokio::runtime::Runtime> {
    if threads == 1 {
        return tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
    }
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build()
}
