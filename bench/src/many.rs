//! Many concurrent executions, run by a worker.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use durable::durable;
use durable::prelude::*;
use durable::sqlite::{SqliteStore, Stats};
use durable::store::{ExecutionStatus, Filter, Store};
use durable::{Client, Worker};
use serde::Serialize;
use tokio::sync::Notify;

use crate::baseline;
use crate::postgres::{PostgresBaseline, is_postgres};
use crate::replay::Row;
use crate::sequential::{execution_id, unsupported_store, written_by_process};

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

/// Result line of the worker.
#[derive(Serialize)]
struct Line<'a> {
    workload: &'a str,
    store: &'a str,
    n: u32,
    steps: u32,
    concurrency: usize,
    executions_per_s: f64,
    steps_per_s: f64,
    commits: u64,
    steps_per_commit: f64,
    bytes_per_step: f64,
}

/// Result line of the baseline.
#[derive(Serialize)]
struct BaselineLine {
    workload: &'static str,
    frames: u32,
    frames_per_commit: u32,
    frames_per_s: f64,
}

/// Runs `n` executions of `steps` steps each, then appends as many frames, `concurrency` per write.
pub async fn measure(store: &str, n: u32, steps: u32, concurrency: usize) -> Result<(), BoxError> {
    let path = store.strip_prefix("sqlite:").map(PathBuf::from);
    let sqlite = match &path {
        Some(path) => Some(SqliteStore::open(path).await?),
        None if store == "memory:" || is_postgres(store) => None,
        None => return Err(unsupported_store(store)),
    };
    let opened: Arc<dyn Store> = match &sqlite {
        Some(sqlite) => Arc::new(sqlite.clone()),
        None => durable::open(store).await?,
    };
    let run = execution_id(0);
    start_all(&opened, &run, n, steps).await?;
    let stats = || {
        sqlite
            .as_ref()
            .map_or_else(Stats::default, SqliteStore::stats)
    };
    let (before, written) = (stats(), written_by_process());
    let took = run_all(&opened, &run, n, concurrency).await?;
    let (commits, bytes) = (
        stats().commits - before.commits,
        written_by_process() - written,
    );
    let total_steps = f64::from(n * steps);
    let line = Line {
        workload: "many",
        store: if is_postgres(store) {
            "postgres"
        } else {
            store
        },
        n,
        steps,
        concurrency,
        executions_per_s: f64::from(n) / took.as_secs_f64(),
        steps_per_s: total_steps / took.as_secs_f64(),
        commits,
        steps_per_commit: total_steps / commits.max(1) as f64,
        bytes_per_step: bytes as f64 / total_steps,
    };
    println!("{}", serde_json::to_string(&line)?);
    if is_postgres(store) {
        return insert_baseline(store, n * steps, u32::try_from(concurrency)?).await;
    }
    match path {
        Some(path) => append_baseline(&path, n * steps, u32::try_from(concurrency)?),
        None => Ok(()),
    }
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

async fn insert_baseline(url: &str, frames: u32, per_commit: u32) -> Result<(), BoxError> {
    let size = serde_json::to_vec(&Row::new(0))?.len();
    let mut baseline = PostgresBaseline::open(url).await?;
    let took = baseline.insert_grouped(size, frames, per_commit).await?;
    baseline.close().await?;
    let line = BaselineLine {
        workload: "grouped_insert",
        frames,
        frames_per_commit: per_commit,
        frames_per_s: f64::from(frames) / took.as_secs_f64(),
    };
    println!("{}", serde_json::to_string(&line)?);
    Ok(())
}

fn append_baseline(path: &std::path::Path, frames: u32, per_commit: u32) -> Result<(), BoxError> {
    let baseline = path.with_extension("floor");
    let size = serde_json::to_vec(&Row::new(0))?.len();
    let commits = frames.div_ceil(per_commit);
    let appended = baseline::append(&baseline, size * per_commit as usize, commits);
    std::fs::remove_file(&baseline)?;
    let took: Duration = appended?.into_iter().sum();
    let line = BaselineLine {
        workload: "grouped_append_and_fdatasync",
        frames,
        frames_per_commit: per_commit,
        frames_per_s: f64::from(commits * per_commit) / took.as_secs_f64(),
    };
    println!("{}", serde_json::to_string(&line)?);
    Ok(())
}
