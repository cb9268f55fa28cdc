//! Measures the library beside bare metal: `durable-bench replay --n 10000`.
//!
//! Each run prints one JSON line for the workload and one for the same work without the library,
//! measured in turns within the same run, so that the ratio means something on a noisy machine.

mod floor;
mod items;
mod long;
mod replay;
mod report;
mod sequential;

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
        /// Where the checkpoints are kept: `sqlite:PATH` or `memory:`.
        #[arg(long)]
        store: String,
        /// Steps.
        #[arg(long, default_value_t = 1_000)]
        n: u32,
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
        Workload::Long { path, n } => runtime.block_on(long::measure(&path, n)),
        Workload::Batches { path, n } => runtime.block_on(items::measure(&path, n)),
    }
}
