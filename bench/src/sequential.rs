//! Execution with many sequential steps.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use durable::durable;
use durable::postgres::PostgresStore;
use durable::prelude::*;
use durable::sqlite::SqliteStore;
use durable::store::MemoryStore;

use crate::baseline;
use crate::postgres::{PostgresBaseline, is_postgres};
use crate::replay::Row;
use crate::report::{Line, Samples};

/// Times at which each step returned its value.
#[derive(Default)]
struct Laps(Mutex<Vec<Instant>>);

impl Laps {
    fn lap(&self) {
        if let Ok(mut laps) = self.0.lock() {
            laps.push(Instant::now());
        }
    }

    fn durations(&self) -> Vec<Duration> {
        let laps = self.0.lock().map(|laps| laps.clone()).unwrap_or_default();
        laps.windows(2).map(|pair| pair[1] - pair[0]).collect()
    }
}

#[durable]
async fn sequential(laps: &Laps, n: u32) -> Result<u64, BoxError> {
    let mut total = 0;
    laps.lap();
    for i in 0..n {
        let row = step!("load", key = i, load(i).await).await?;
        total += u64::from(row.rows);
        laps.lap();
    }
    Ok(total)
}

async fn load(n: u32) -> Result<Row, BoxError> {
    Ok(Row::new(n))
}

/// Cost of one run.
struct Cost {
    laps: Vec<Duration>,
    commits: u64,
    bytes: u64,
}

/// Rounds in which the store and the baseline alternate.
const ROUNDS: u32 = 5;

/// Runs `n` steps on the store, alternating with the baseline in the same folder or database.
pub async fn measure(store: &str, n: u32) -> Result<(), BoxError> {
    if is_postgres(store) {
        return measure_postgres(store, n).await;
    }
    let slice = n.div_ceil(ROUNDS);
    let path = store.strip_prefix("sqlite:").map(PathBuf::from);
    let size = serde_json::to_vec(&Row::new(0))?.len();
    let (mut laps, mut baselines) = (Vec::new(), Vec::new());
    let (mut commits, mut bytes) = (0, 0);
    // The store is opened once, like in a real process, because closing the file checkpoints its log.
    let opened = match &path {
        Some(path) => Some(SqliteStore::open(path).await?),
        None => None,
    };
    for round in 0..ROUNDS {
        let cost = match &opened {
            Some(store) => on_sqlite(store, round, slice).await?,
            None if store == "memory:" => in_memory(round, slice).await?,
            None => return Err(unsupported_store(store)),
        };
        laps.extend(cost.laps);
        commits += cost.commits;
        bytes += cost.bytes;
        if let Some(path) = &path {
            baselines.extend(append_baseline(path, size, slice)?);
        }
    }
    let samples = Samples::new(laps, 1);
    Line {
        workload: "sequential",
        store,
        n: slice * ROUNDS,
        us_per_step_p50: samples.p50(),
        us_per_step_mean: samples.mean(),
        commits,
        bytes_written: bytes,
    }
    .print()?;
    if baselines.is_empty() {
        return Ok(());
    }
    let samples = Samples::new(baselines, 1);
    Line {
        workload: "append_and_fdatasync",
        store: "file",
        n: slice * ROUNDS,
        us_per_step_p50: samples.p50(),
        us_per_step_mean: samples.mean(),
        commits: u64::from(slice * ROUNDS),
        bytes_written: u64::from(slice * ROUNDS) * size as u64,
    }
    .print()?;
    Ok(())
}

async fn on_sqlite(store: &SqliteStore, round: u32, n: u32) -> Result<Cost, BoxError> {
    let laps = Laps::default();
    let (before, written) = (store.stats(), written_by_process());
    let report = durable::run(sequential, execution_id(round), n)
        .state(&laps)
        .store(store.clone())
        .report()
        .await;
    report.output?;
    let after = store.stats();
    Ok(Cost {
        laps: laps.durations(),
        // Leaves out the start, the claim and the end of the execution.
        commits: after.commits - before.commits - 3,
        bytes: written_by_process() - written,
    })
}

/// Runs `n` steps on PostgreSQL, alternating with plain inserts into the same database.
async fn measure_postgres(url: &str, n: u32) -> Result<(), BoxError> {
    let store = PostgresStore::connect(url).await?;
    let mut baseline = PostgresBaseline::open(url).await?;
    let (slice, size) = (n.div_ceil(ROUNDS), serde_json::to_vec(&Row::new(0))?.len());
    let (mut laps, mut baselines, mut statements) = (Vec::new(), Vec::new(), 0);
    for round in 0..ROUNDS {
        let round_laps = Laps::default();
        let before = store.stats();
        let report = durable::run(sequential, execution_id(round), slice)
            .state(&round_laps)
            .store(store.clone())
            .report()
            .await;
        report.output?;
        laps.extend(round_laps.durations());
        // Leaves out the start, the claim and the end of the execution.
        statements += store.stats().statements - before.statements - 3;
        baselines.extend(baseline.insert(size, slice).await?);
    }
    baseline.close().await?;
    for (workload, store, laps) in [
        ("sequential", "postgres", laps),
        ("bare_insert", "postgres", baselines),
    ] {
        let samples = Samples::new(laps, 1);
        Line {
            workload,
            store,
            n: slice * ROUNDS,
            us_per_step_p50: samples.p50(),
            us_per_step_mean: samples.mean(),
            commits: statements,
            bytes_written: 0,
        }
        .print()?;
        statements = u64::from(slice * ROUNDS);
    }
    Ok(())
}

async fn in_memory(round: u32, n: u32) -> Result<Cost, BoxError> {
    let laps = Laps::default();
    let report = durable::run(sequential, execution_id(round), n)
        .state(&laps)
        .store(Arc::new(MemoryStore::new()))
        .report()
        .await;
    report.output?;
    Ok(Cost {
        laps: laps.durations(),
        commits: report.checkpoints - 1,
        bytes: 0,
    })
}

/// Returns the bytes that this process has passed to the operating system for writing, or zero on systems without
/// `/proc`.
pub fn written_by_process() -> u64 {
    let io = std::fs::read_to_string("/proc/self/io").unwrap_or_default();
    let field = io.lines().find_map(|line| line.strip_prefix("wchar: "));
    field.and_then(|bytes| bytes.parse().ok()).unwrap_or(0)
}

/// Creates an execution id that is unique across runs of the benchmark.
pub fn execution_id(round: u32) -> String {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    format!("bench-{}-{round}", now.as_nanos())
}

/// Returns the error for a store that the benchmarks do not support.
pub fn unsupported_store(store: &str) -> BoxError {
    format!("unsupported store {store:?}: expected `sqlite:PATH`, `postgres://…` or `memory:`")
        .into()
}

/// Measures the baseline on the same file system.
fn append_baseline(path: &Path, size: usize, n: u32) -> std::io::Result<Vec<Duration>> {
    let baseline = path.with_extension("floor");
    let appended = baseline::append(&baseline, size, n);
    std::fs::remove_file(&baseline)?;
    appended
}
