//! Many concurrent executions, run by a worker.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use durable::durable;
use durable::prelude::*;
use durable::store::{ExecutionStatus, Filter, Store};
use durable::{Client, Worker};
use tokio::sync::Notify;

use crate::floor;
use crate::opened::{Opened, execution_id};
use crate::postgres::PostgresFloor;
use crate::report::{Line, Samples};
use crate::row::Row;
use crate::settings::Settings;

/// Counter of finished handlers that signals the last one.
#[derive(Default)]
pub struct FinishCounter {
    count: AtomicU32,
    total: AtomicU32,
    all_finished: Notify,
}

impl FinishCounter {
    /// Counts a finished handler.
    pub fn count(&self) {
        if self.count.fetch_add(1, Ordering::AcqRel) + 1 == self.total.load(Ordering::Acquire) {
            self.all_finished.notify_one();
        }
    }
}

#[durable]
async fn many(finished: &FinishCounter, steps: u32) -> Result<u64, BoxError> {
    let mut total = 0;
    for i in 0..steps {
        let row = step!("load", key = i, load(i)).await?;
        total += u64::from(row.rows);
    }
    finished.count();
    Ok(total)
}

fn load(n: u32) -> Result<Row, BoxError> {
    Ok(Row::new(n))
}

/// Runs `n` executions of several steps each, then the floor: as many frames, `concurrency` per write.
pub async fn measure(settings: &Settings) -> Result<(), BoxError> {
    let opened = Opened::open(&settings.store).await?;
    let (run, n, steps) = (execution_id(0), settings.n, settings.steps);
    let before_start = Instant::now();
    start_all(&opened.store, &run, n, steps).await?;
    let started = before_start.elapsed();
    let before = opened.counters();
    let took = run_all(&opened.store, &run, n, settings.concurrency).await?;
    let counted = opened.counters().since(before);
    let total_steps = n * steps;
    let per_second = |count: u32, took: Duration| f64::from(count) / took.as_secs_f64();
    let samples = Samples::new([took], total_steps);
    let line = Line::new("many", opened.name, settings, "us_per_step", &samples)
        .with("executions_per_s", per_second(n, took))
        .with("executions_per_s_with_start", per_second(n, started + took))
        .with(
            "steps_per_s_with_start",
            per_second(total_steps, started + took),
        )
        .with(
            "steps_per_commit",
            f64::from(total_steps) / counted.commits.max(1) as f64,
        )
        .with(
            "bytes_per_step",
            counted.bytes as f64 / f64::from(total_steps),
        );
    let group = u32::try_from(settings.concurrency)?;
    let mut line = grouped_floor(&opened, line, total_steps, group).await?;
    line.commits = Some(counted.commits);
    line.reads = Some(counted.reads);
    line.bytes = Some(counted.bytes);
    line.statements = opened.postgres_url().map(|_| counted.statements);
    line.print()?;
    opened.close()?;
    Ok(())
}

/// Writes as many frames as there were steps, `group` per commit.
async fn grouped_floor<'a>(
    opened: &Opened,
    line: Line<'a>,
    frames: u32,
    group: u32,
) -> Result<Line<'a>, BoxError> {
    let size = floor::value_len()?;
    if let Some(url) = opened.postgres_url() {
        let mut table = PostgresFloor::open(url).await?;
        let took = table.insert_grouped(size, frames, group).await?;
        table.close().await?;
        return Ok(line.floor("grouped_insert", &Samples::new([took], frames)));
    }
    let Some(path) = opened.path() else {
        return Ok(line);
    };
    let commits = frames.div_ceil(group);
    let appended = floor::append(path, size * group as usize, commits)?;
    let took: Duration = appended.into_iter().sum();
    let samples = Samples::new([took], commits * group);
    Ok(line.floor("grouped_append_and_fdatasync", &samples))
}

async fn start_all(store: &Arc<dyn Store>, run: &str, n: u32, steps: u32) -> Result<(), BoxError> {
    let client = Client::new(Arc::clone(store));
    let mut starts = tokio::task::JoinSet::new();
    for i in 0..n {
        let start = client.start(many, format!("{run}-{i}"), steps);
        starts.spawn(start.into_future());
    }
    while let Some(started) = starts.join_next().await {
        started??;
    }
    Ok(())
}

async fn run_all(
    store: &Arc<dyn Store>,
    run: &str,
    n: u32,
    concurrency: usize,
) -> Result<Duration, BoxError> {
    let finished = Arc::new(FinishCounter::default());
    finished.total.store(n, Ordering::Release);
    let worker = Worker::new(Arc::clone(store)).state(Arc::clone(&finished));
    let worker = worker.register(many).concurrency(concurrency);
    let start = Instant::now();
    let mut took = Duration::ZERO;
    worker
        .run_until(async {
            finished.all_finished.notified().await;
            // The ends of the last executions may not be written yet.
            while running(&**store, run).await > 0 {
                tokio::task::yield_now().await;
            }
            took = start.elapsed();
        })
        .await?;
    Ok(took)
}

async fn running(store: &dyn Store, run: &str) -> usize {
    let filter = Filter {
        status: vec![ExecutionStatus::Running, ExecutionStatus::Queued],
        prefix: Some(run.to_owned()),
        limit: 1,
        ..Filter::default()
    };
    store.list(filter).await.map_or(1, |found| found.len())
}
