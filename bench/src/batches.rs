//! Loop over many items in batches of automatic size.

use std::time::{Duration, Instant};

use durable::durable;
use durable::prelude::*;

use crate::opened::{Opened, execution_id};
use crate::report::{Line, Samples};
use crate::settings::Settings;

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

/// Sums `n` items with `batches!`, then in a plain loop.
pub async fn measure(settings: &Settings) -> Result<(), BoxError> {
    let opened = Opened::open(&settings.store).await?;
    let n = settings.n;
    let before = opened.counters();
    let start = Instant::now();
    let report = durable::run(items, execution_id(0), u64::from(n))
        .store(opened.store.clone())
        .report()
        .await;
    report.output?;
    let took = start.elapsed();
    let counted = opened.counters().since(before);
    let start = Instant::now();
    let loaded: Vec<u64> = (0..u64::from(n)).collect();
    let plain = sum(std::hint::black_box(&loaded))?;
    let floor = Samples::new([start.elapsed()], n);
    std::hint::black_box(plain);
    let samples = Samples::new([took], n);
    let mut line = Line::new("batches", opened.name, settings, "us_per_item", &samples)
        .with("batches", report.steps_run as f64)
        .floor("plain_loop", &floor);
    line.commits = Some(counted.commits);
    line.bytes = Some(counted.bytes);
    line.print()?;
    opened.close()?;
    Ok(())
}
