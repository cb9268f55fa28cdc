//! Flags that all workloads share, and their defaults.

use std::time::Duration;

use clap::{Parser, ValueEnum};

use crate::flags::Flags;

/// Benchmarks of durable executions.
///
/// Each run prints one JSON line. It contains the workload and its floors, which do the same work without the library.
/// Both alternate within the run, so compare their ratio, not the times of different runs.
#[derive(Parser)]
pub struct Arguments {
    /// Workload to run.
    pub workload: Workload,
    /// Store of the checkpoints: `sqlite:PATH`, `postgres://…`, `memory:`, or `sqlite:` for a temporary file.
    #[arg(long)]
    pub store: Option<String>,
    /// Executions that run at once [default: 64 for `many`, and that of a worker for `sleeping`].
    #[arg(long)]
    pub concurrency: Option<usize>,
    /// Flags that the benchmarks of other libraries have too.
    #[command(flatten)]
    flags: Flags,
    /// Install a recorder for Prometheus, to measure the cost of metrics.
    #[cfg(feature = "metrics")]
    #[arg(long)]
    pub metrics: bool,
}

/// What is measured.
#[derive(Clone, Copy, PartialEq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Workload {
    /// N steps in one execution, one after the other.
    Sequential,
    /// Replay of N recorded steps.
    Replay,
    /// N executions with a few steps each, run concurrently by a worker.
    Many,
    /// Time from a start to the first body, and from a callback's completion to the next body.
    StartLatency,
    /// Time from a message to a suspended execution until its handler continues.
    Wake,
    /// Memory and wake-up delay of N suspended executions.
    Sleeping,
    /// Resume of an execution with N recorded steps, from the claim to the end of its loop.
    Resume,
    /// N items processed with `batches!`.
    Batches,
    /// Pages of listings over N executions, with different filters.
    Pages,
    /// Build time and size of the expansion that 100 and 1,000 call sites add.
    Compile,
    /// Only the floors.
    Floor,
}

impl Workload {
    fn default_n(self) -> u32 {
        match self {
            Self::Sequential => 1_000,
            Self::Many => 2_000,
            Self::StartLatency | Self::Wake => 200,
            Self::Batches | Self::Pages => 1_000_000,
            Self::Replay | Self::Sleeping | Self::Resume | Self::Floor => 10_000,
            Self::Compile => 1_000,
        }
    }

    /// Executions that run at once if this many are asked for.
    fn concurrency(self, wanted: Option<usize>) -> usize {
        match self {
            Self::Many => wanted.unwrap_or(64),
            Self::Sleeping => wanted.unwrap_or(256),
            _ => 1,
        }
    }

    fn default_stores(self) -> &'static [&'static str] {
        match self {
            Self::Replay => &["memory:"],
            Self::StartLatency | Self::Wake => &["memory:", "sqlite:"],
            _ => &["sqlite:"],
        }
    }
}

/// Settings of one run.
pub struct Settings {
    /// Store URL.
    pub store: String,
    /// Number of steps, executions or items.
    pub n: u32,
    /// Steps per execution.
    pub steps: u32,
    /// Executions that run at once.
    pub concurrency: usize,
    /// Threads that run executions.
    pub threads: usize,
    /// Time over which wake-ups are spread.
    pub spread: Duration,
    /// Number of the run, from 1.
    pub run: u32,
}

impl Arguments {
    /// Returns the settings of all runs. The stores alternate.
    pub fn runs(&self) -> Vec<Settings> {
        let stores = match &self.store {
            Some(store) => vec![store.clone()],
            None => self
                .workload
                .default_stores()
                .iter()
                .map(ToString::to_string)
                .collect(),
        };
        let of_run = |run| stores.iter().map(move |store| self.settings(run, store));
        (1..=self.flags.repeat).flat_map(of_run).collect()
    }

    fn settings(&self, run: u32, store: &str) -> Settings {
        let several = self.workload == Workload::Many;
        let n = self.flags.n.unwrap_or_else(|| self.workload.default_n());
        Settings {
            store: store.to_owned(),
            n,
            steps: if several { self.flags.steps } else { n },
            concurrency: self.workload.concurrency(self.concurrency),
            threads: self.flags.threads,
            spread: self.flags.spread(),
            run,
        }
    }
}
