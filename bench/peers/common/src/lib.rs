//! Workload definitions, flags and result lines that the benchmarks of all peers share. They are those of `durable-bench`.

#[path = "../../../src/row.rs"]
mod row;

use std::sync::Mutex;
use std::time::{Duration, Instant};

use clap::Parser;
use serde::Serialize;

pub use row::Row;

/// Error of a benchmark.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Flags of a benchmark. Those that a workload does not use are ignored.
#[derive(Parser)]
pub struct Arguments {
    /// Workload: `sequential`, `many` or `replay`.
    pub workload: String,
    /// Store of the checkpoints: `sqlite:PATH` or `postgres://…`.
    #[arg(long, default_value = "")]
    pub store: String,
    /// Number of steps, or of executions for `many`.
    #[arg(long)]
    pub n: Option<u32>,
    /// Steps per execution for `many`.
    #[arg(long, default_value_t = 5)]
    pub steps: u32,
    /// Executions that run at once.
    #[arg(long, default_value_t = 64)]
    pub concurrency: usize,
    /// Threads of the runtime.
    #[arg(long, default_value_t = 1)]
    pub threads: usize,
    /// Number of runs, each with its own result line.
    #[arg(long, default_value_t = 1)]
    pub repeat: u32,
    /// What an acknowledged step survives: `power`, or `process` for settings that do not sync.
    #[arg(long, default_value = "power")]
    pub durability: String,
}

impl Arguments {
    /// Whether the peer has to sync before it acknowledges a step.
    pub fn syncs(&self) -> bool {
        self.durability == "power"
    }

    /// Returns the number of steps or executions.
    pub fn n(&self) -> u32 {
        self.n.unwrap_or(match self.workload.as_str() {
            "replay" => 10_000,
            "many" => 2_000,
            _ => 1_000,
        })
    }

    /// Returns the error for a workload that the peer does not have.
    pub fn unsupported(&self) -> BoxError {
        format!("unsupported workload `{}`", self.workload).into()
    }

    /// Returns the error for a store that the peer does not have.
    pub fn unsupported_store(&self) -> BoxError {
        format!(
            "unsupported store `{}`: expected `sqlite:PATH` or `postgres://…`",
            self.store
        )
        .into()
    }

    /// Creates the runtime.
    pub fn runtime(&self) -> std::io::Result<tokio::runtime::Runtime> {
        match self.threads {
            1 => tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build(),
            n => tokio::runtime::Builder::new_multi_thread()
                .worker_threads(n)
                .enable_all()
                .build(),
        }
    }
}

/// Times at which the steps of a workflow returned.
pub struct Laps(Mutex<Vec<Instant>>);

impl Laps {
    /// Creates an empty list.
    pub const fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    /// Records the current time.
    pub fn lap(&self) {
        if let Ok(mut laps) = self.0.lock() {
            laps.push(Instant::now());
        }
    }

    /// Removes the times and returns the differences between them.
    pub fn take(&self) -> Vec<Duration> {
        let laps = self
            .0
            .lock()
            .map(|mut laps| std::mem::take(&mut *laps))
            .unwrap_or_default();
        laps.windows(2).map(|pair| pair[1] - pair[0]).collect()
    }
}

impl Default for Laps {
    fn default() -> Self {
        Self::new()
    }
}

#[derive(Serialize)]
struct Line<'a> {
    library: &'a str,
    workload: &'a str,
    store: &'a str,
    durability: &'a str,
    run: u32,
    n: u32,
    steps: u32,
    concurrency: usize,
    threads: usize,
    unit: &'a str,
    p50: f64,
    min: f64,
    max: f64,
    p99: f64,
    mean: f64,
    per_s: f64,
    peak_rss_kib: u64,
}

/// Prints the result line of a run, in microseconds per step. `covers` is the number of steps in each duration.
pub fn print(
    library: &str,
    arguments: &Arguments,
    run: u32,
    durations: &[Duration],
    covers: u32,
) -> Result<(), BoxError> {
    let per = f64::from(covers.max(1));
    let mut micros: Vec<f64> = durations
        .iter()
        .map(|took| took.as_secs_f64() * 1e6 / per)
        .collect();
    micros.sort_unstable_by(f64::total_cmp);
    let at = |index: usize| {
        micros
            .get(index.min(micros.len().saturating_sub(1)))
            .copied()
            .unwrap_or_default()
    };
    let mean = micros.iter().sum::<f64>() / micros.len().max(1) as f64;
    let many = arguments.workload == "many";
    let line = Line {
        library,
        workload: &arguments.workload,
        store: arguments.store.split(':').next().unwrap_or_default(),
        durability: &arguments.durability,
        run,
        n: arguments.n(),
        steps: if many { arguments.steps } else { arguments.n() },
        concurrency: if many { arguments.concurrency } else { 1 },
        threads: arguments.threads,
        unit: "us_per_step",
        p50: at(micros.len() / 2),
        min: at(0),
        max: at(micros.len()),
        p99: at(micros.len() * 99 / 100),
        mean,
        per_s: if mean > 0.0 { 1e6 / mean } else { 0.0 },
        peak_rss_kib: peak_rss_kib(),
    };
    println!("{}", serde_json::to_string(&line)?);
    Ok(())
}

fn peak_rss_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|kib| kib.trim().trim_end_matches(" kB").parse().ok())
        .unwrap_or(0)
}
