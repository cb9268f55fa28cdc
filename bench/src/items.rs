//! Loop over many items in batches of automatic size.

use std::path::Path;
use std::time::{Duration, Instant};

use durable::durable;
use durable::prelude::*;
use durable::sqlite::SqliteStore;
use serde::Serialize;

use crate::long::peak_rss_mib;

#[durable]
async fn items(n: u64) -> Result<u64, BoxError> {
    let items: Vec<u64> = (0..n).collect();
    let sums = batches!("sum", items, target = Duration::from_millis(50), |batch| {
        sum(batch)
    })
    .await?;
    Ok(sums.iter().sum())
}

fn sum(batch: &[u64]) -> Result<u64, BoxError> {
    Ok(batch.iter().map(|item| std::hint::black_box(*item)).sum())
}

#[derive(Serialize)]
struct Line {
    workload: &'static str,
    n: u64,
    ns_per_item: f64,
    batches: u64,
    peak_rss_mib: f64,
}

/// Sums `n` items with `batches!` on a SQLite store.
pub async fn measure(path: &Path, n: u64) -> Result<(), BoxError> {
    let store = SqliteStore::open(path).await?;
    let start = Instant::now();
    let id = format!("items-{n}-{}", std::process::id());
    let report = durable::run(items, id, n).store(store).report().await;
    report.output?;
    let line = Line {
        workload: "batches",
        n,
        ns_per_item: start.elapsed().as_secs_f64() * 1e9 / n as f64,
        batches: report.steps_run,
        peak_rss_mib: peak_rss_mib(),
    };
    println!("{}", serde_json::to_string(&line)?);
    Ok(())
}
