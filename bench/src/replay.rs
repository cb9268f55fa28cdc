//! Replay of a handler whose steps are all recorded.

use std::sync::Arc;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use durable::durable;
use durable::prelude::*;
use durable::store::MemoryStore;
use serde::{Deserialize, Serialize};

use crate::baseline;
use crate::report::{Line, Samples};

/// Value of a step in an ETL job: 170 bytes of JSON.
#[derive(Serialize, Deserialize)]
pub struct Row {
    /// Number of rows.
    pub rows: u32,
    cursor: String,
    source: String,
}

impl Row {
    /// Creates the value of the `n`-th step.
    pub fn new(n: u32) -> Self {
        Self {
            rows: n,
            cursor: format!("cursor-{n:032}"),
            source: "s".repeat(90),
        }
    }
}

/// Duration of the loop over the steps, for each run.
#[derive(Default)]
struct Loops(Mutex<Vec<Duration>>);

#[durable]
async fn replayed(loops: &Loops, n: u32) -> Result<u64, BoxError> {
    let start = Timer::start();
    let mut total = 0;
    for i in 0..n {
        let row = step!("load", key = i, load(i).await).await?;
        total += u64::from(row.rows);
    }
    start.stop(loops);
    wait!("end", Duration::from_millis(1)).await;
    Ok(total)
}

async fn load(n: u32) -> Result<Row, BoxError> {
    Ok(Row::new(n))
}

/// Timer of the benchmark, which the handler reads on every replay on purpose.
struct Timer(Instant);

impl Timer {
    fn start() -> Self {
        Self(Instant::now())
    }

    fn stop(&self, loops: &Loops) {
        if let Ok(mut loops) = loops.0.lock() {
            loops.push(self.0.elapsed());
        }
    }
}

/// Replays `n` recorded steps several times, alternating with the baseline.
pub async fn measure(n: u32) -> Result<(), BoxError> {
    const RUNS: usize = 15;
    let (mut measured, mut baselines) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let loops = Loops::default();
        let report = durable::run(replayed, "replay", n)
            .state(&loops)
            .store(Arc::new(MemoryStore::new()))
            .suspend_after(Duration::ZERO)
            .report()
            .await;
        report.output?;
        if report.steps_replayed < u64::from(n) {
            return Err(
                format!("only {} of {n} steps were replayed", report.steps_replayed).into(),
            );
        }
        // The first run executes the steps. The second one, after the wait, replays them all.
        let replays = loops.0.lock().map_err(|error| error.to_string())?;
        measured.extend(replays.last().copied());
        baselines.push(baseline::look_up(n)?);
    }
    for (workload, samples) in [("replay", measured), ("map_lookup_and_decode", baselines)] {
        let samples = Samples::new(samples, n);
        Line {
            workload,
            store: "memory:",
            n,
            us_per_step_p50: samples.p50(),
            us_per_step_mean: samples.mean(),
            commits: 0,
            bytes_written: 0,
        }
        .print()?;
    }
    Ok(())
}
