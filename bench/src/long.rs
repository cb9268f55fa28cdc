//! Cost of resuming an execution with a long history.

use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use durable::durable;
use durable::prelude::*;
use durable::sqlite::SqliteStore;
use serde::Serialize;

/// Start of the handler and end of its loop, for each run.
#[derive(Default)]
struct Passes(Mutex<Vec<(Instant, Instant)>>);

#[durable]
async fn long(passes: &Passes, n: u32) -> Result<u64, BoxError> {
    let start = now();
    let mut total = 0;
    for i in 0..n {
        total += step!("add", key = i, add(i)).await?;
    }
    if let Ok(mut passes) = passes.0.lock() {
        passes.push((start, now()));
    }
    wait!("end", Duration::from_millis(1)).await;
    Ok(total)
}

/// Reads the benchmark's clock, on every replay on purpose.
fn now() -> Instant {
    Instant::now()
}

fn add(n: u32) -> Result<u64, BoxError> {
    Ok(u64::from(n))
}

#[derive(Serialize)]
struct Line {
    workload: &'static str,
    n: u32,
    live_us_per_step: f64,
    resume_ms: f64,
    resume_us_per_step: f64,
    peak_rss_mib: f64,
}

/// Runs `n` steps on a SQLite store, then measures a resume from the claim to the end of the loop.
pub async fn measure(path: &Path, n: u32) -> Result<(), BoxError> {
    let store = SqliteStore::open(path).await?;
    let passes = Passes::default();
    let id = format!("long-{}", std::process::id());
    let start = Instant::now();
    let report = durable::run(long, id, n)
        .state(&passes)
        .store(store)
        .suspend_after(Duration::ZERO)
        .report()
        .await;
    report.output?;
    let passes = passes.0.lock().map_err(|error| error.to_string())?;
    let (Some(first), Some(last)) = (passes.first(), passes.last()) else {
        return Err("the handler did not finish its loop".into());
    };
    let resume = last.1 - first.1;
    let line = Line {
        workload: "long",
        n,
        live_us_per_step: (first.1 - start).as_secs_f64() * 1e6 / f64::from(n),
        resume_ms: resume.as_secs_f64() * 1e3,
        resume_us_per_step: resume.as_secs_f64() * 1e6 / f64::from(n),
        peak_rss_mib: peak_rss_mib(),
    };
    println!("{}", serde_json::to_string(&line)?);
    Ok(())
}

/// Returns the peak resident memory of the process in MiB, or zero on systems without `/proc`.
pub fn peak_rss_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let field = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = field.and_then(|text| text.trim().trim_end_matches(" kB").parse::<f64>().ok());
    kib.unwrap_or(0.0) / 1024.0
}
