//! Benchmarks that compare the library with the same work without it: `durable-bench replay --n 10000`.
//!
//! Each run prints one JSON line for the workload and, for most workloads, one for a baseline. Both are measured within
//! the same run, which keeps their ratio meaningful on a noisy machine.

mod baseline;
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
    /// Install a recorder for Prometheus, to measure the cost of metrics.
    #[cfg(feature = "metrics")]
    #[arg(long)]
    metrics: bool,
    #[command(subcommand)]
    workload: Workload,
}

#[derive(Subcommand)]
enum Workload {
    /// Replay N recorded steps from memory; baseline: map look-up and decoding of the value.
    Replay {
        /// Number of recorded steps.
        #[arg(long, default_value_t = 10_000)]
        n: u32,
    },
    /// Run N steps one after the other; baseline: append and fdatasync of the same bytes.
    Sequential {
        /// Store of the checkpoints: `sqlite:PATH`, `postgres://…` or `memory:`.
        #[arg(long)]
        store: String,
        /// Number of steps.
        #[arg(long, default_value_t = 1_000)]
        n: u32,
    },
    /// Run N executions concurrently with a worker; baseline: the same bytes appended in grouped writes.
    Many {
        /// Store of the checkpoints: `sqlite:PATH`, `postgres://…` or `memory:`.
        #[arg(long)]
        store: String,
        /// Number of executions.
        #[arg(long, default_value_t = 2_000)]
        n: u32,
        /// Steps per execution.
        #[arg(long, default_value_t = 5)]
        steps: u32,
        /// Concurrent executions.
        #[arg(long, default_value_t = 64)]
        concurrency: usize,
        /// Number of threads that run executions.
        #[arg(long, default_value_t = 1)]
        threads: usize,
    },
    /// Measure the latency from a start to the first body and from a callback to the next body, N times.
    #[command(name = "start_latency")]
    StartLatency {
        /// Store of the checkpoints: `sqlite:PATH`, `postgres://…` or `memory:`.
        #[arg(long)]
        store: String,
        /// Number of executions.
        #[arg(long, default_value_t = 200)]
        n: u32,
    },
    /// Measure the memory and the wake-up delay of N suspended executions in a SQLite store.
    Sleeping {
        /// SQLite file of the store.
        #[arg(long)]
        path: std::path::PathBuf,
        /// Number of executions.
        #[arg(long, default_value_t = 10_000)]
        n: u32,
        /// Seconds over which the wake-ups are spread.
        #[arg(long, default_value_t = 10)]
        spread: u64,
    },
    /// Run N steps in one execution on a SQLite store, then measure a resume.
    Long {
        /// SQLite file of the store.
        #[arg(long)]
        path: std::path::PathBuf,
        /// Number of steps.
        #[arg(long, default_value_t = 100_000)]
        n: u32,
    },
    /// Process N items with `batches!` on a SQLite store.
    Batches {
        /// SQLite file of the store.
        #[arg(long)]
        path: std::path::PathBuf,
        /// Number of items.
        #[arg(long, default_value_t = 1_000_000)]
        n: u64,
    },
}

fn main() -> Result<(), BoxError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let arguments = Arguments::parse();
    #[cfg(feature = "metrics")]
    if arguments.metrics {
        metrics_exporter_prometheus::PrometheusBuilder::new().install_recorder()?;
    }
    match arguments.workload {
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
