//! One execution of many steps, one after the other.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use durable::durable;
use durable::postgres::PostgresStore;
use durable::prelude::*;
use durable::sqlite::SqliteStore;
use durable::store::MemoryStore;

use crate::floor;
use crate::postgres::{Floor, is_postgres};
use crate::replay::Row;
use crate::report::{Line, Samples};

/// When each step's value came back.
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

/// What one run cost.
struct Cost {
    laps: Vec<Duration>,
    commits: u64,
    bytes: u64,
}

/// Turns that the store and the floor take.
const ROUNDS: u32 = 5;

/// Runs `n` steps on the store, in turns with the floor in the same folder.
pub async fn measure(store: &str, n: u32) -> Result<(), BoxError> {
    if is_postgres(store) {
        return beside_inserts(store, n).await;
    }
    let slice = n.div_ceil(ROUNDS);
    let path = store.strip_prefix("sqlite:").map(PathBuf::from);
    let size = serde_json::to_vec(&Row::new(0))?.len();
    let (mut laps, mut floors) = (Vec::new(), Vec::new());
    let (mut commits, mut bytes) = (0, 0);
    // Opened once, as a process does: closing a file empties its log.
    let opened = match &path {
        Some(path) => Some(SqliteStore::open(path).await?),
        None => None,
    };
    for round in 0..ROUNDS {
        let cost = match &opened {
            Some(store) => on_sqlite(store, round, slice).await?,
            None if store == "memory:" => in_memory(round, slice).await?,
            None => return Err(format!("no store of this bench: {store:?}").into()),
        };
        laps.extend(cost.laps);
        commits += cost.commits;
        bytes += cost.bytes;
        if let Some(path) = &path {
            floors.extend(append_beside(path, size, slice)?);
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
    if floors.is_empty() {
        return Ok(());
    }
    let samples = Samples::new(floors, 1);
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
        // The start, the claim and the end of the execution are not its steps'.
        commits: after.commits - before.commits - 3,
        bytes: written_by_process() - written,
    })
}

/// Runs `n` steps on PostgreSQL, in turns with bare inserts into the same database.
async fn beside_inserts(url: &str, n: u32) -> Result<(), BoxError> {
    let store = PostgresStore::connect(url).await?;
    let mut floor = Floor::open(url).await?;
    let (slice, size) = (n.div_ceil(ROUNDS), serde_json::to_vec(&Row::new(0))?.len());
    let (mut laps, mut floors, mut statements) = (Vec::new(), Vec::new(), 0);
    for round in 0..ROUNDS {
        let own = Laps::default();
        let before = store.stats();
        let report = durable::run(sequential, execution_id(round), slice)
            .state(&own)
            .store(store.clone())
            .report()
            .await;
        report.output?;
        laps.extend(own.durations());
        // The start, the claim and the end of the execution are not its steps'.
        statements += store.stats().statements - before.statements - 3;
        floors.extend(floor.insert(size, slice).await?);
    }
    floor.close().await?;
    for (workload, store, laps) in [
        ("sequential", "postgres", laps),
        ("bare_insert", "postgres", floors),
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

/// Bytes this process has handed to the operating system for writing; zero where nothing tells.
pub fn written_by_process() -> u64 {
    let io = std::fs::read_to_string("/proc/self/io").unwrap_or_default();
    let field = io.lines().find_map(|line| line.strip_prefix("wchar: "));
    field.and_then(|bytes| bytes.parse().ok()).unwrap_or(0)
}

/// No two executions of a store share an id, runs of the bench included.
pub fn execution_id(round: u32) -> String {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    format!("bench-{}-{round}", now.as_nanos())
}

/// The floor, on the same file system.
fn append_beside(path: &Path, size: usize, n: u32) -> std::io::Result<Vec<Duration>> {
    let beside = path.with_extension("floor");
    let appended = floor::append(&beside, size, n);
    std::fs::remove_file(&beside)?;
    appended
}
