//! A resume: every step is recorded, and the handler runs over all of them.

use std::sync::Arc;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use durable::durable;
use durable::prelude::*;
use durable::store::MemoryStore;
use serde::{Deserialize, Serialize};

use crate::floor;
use crate::report::{Line, Samples};

/// What a step of an ETL job returns: 170 bytes of JSON, as in the comparison of the peers.
#[derive(Serialize, Deserialize)]
pub struct Row {
    /// A number that is summed up.
    pub rows: u32,
    cursor: String,
    source: String,
}

impl Row {
    /// The value of the `n`-th step.
    pub fn new(n: u32) -> Self {
        Self {
            rows: n,
            cursor: format!("cursor-{n:032}"),
            source: "s".repeat(90),
        }
    }
}

/// How long the loop over the steps took, run by run.
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

/// The clock of the benchmark itself, which the handler reads on every replay by intention.
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

/// Replays `n` recorded steps, several times, in turns with the floor.
pub async fn measure(n: u32) -> Result<(), BoxError> {
    const RUNS: usize = 15;
    let (mut measured, mut floors) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let loops = Loops::default();
        let report = durable::run(replayed, "replay", n)
            .state(&loops)
            .store(Arc::new(MemoryStore::new()))
            .resident(Duration::ZERO)
            .report()
            .await;
        report.output?;
        if report.replayed < u64::from(n) {
            return Err(format!("{} of {n} steps were replayed", report.replayed).into());
        }
        // The first run is live; the second, after the wait, answers every step from its record.
        let replays = loops.0.lock().map_err(|error| error.to_string())?;
        measured.extend(replays.last().copied());
        floors.push(floor::look_up(n)?);
    }
    for (workload, samples) in [("replay", measured), ("map_lookup_and_decode", floors)] {
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
