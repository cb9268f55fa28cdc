//! Executions that sleep: what they cost while they do, and when they wake.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use durable::durable;
use durable::prelude::*;
use durable::sqlite::SqliteStore;
use durable::store::{ExecutionStatus, ExecutionStore, Filter};
use durable::{Client, Clock, SystemClock, Timestamp, Worker};
use serde::Serialize;
use tokio::sync::Notify;

use crate::sequential::execution_id;

/// How late each execution woke, in milliseconds.
struct Woken {
    late: Mutex<Vec<i64>>,
    all: usize,
    done: Notify,
}

#[durable]
async fn sleeper(woken: &Woken, until: i64) -> Result<(), BoxError> {
    wait!(until = Timestamp::from_millis(until)).await;
    step!("note", note(woken, until)).await?;
    Ok(())
}

fn note(woken: &Woken, until: i64) -> Result<(), BoxError> {
    let late = SystemClock.now().as_millis() - until;
    let Ok(mut all) = woken.late.lock() else {
        return Ok(());
    };
    all.push(late);
    if all.len() == woken.all {
        woken.done.notify_one();
    }
    Ok(())
}

#[derive(Serialize)]
struct Line {
    workload: &'static str,
    n: u32,
    spread_s: u64,
    /// Resident memory of the process, in KiB.
    rss_before_kib: u64,
    rss_asleep_kib: u64,
    rss_asleep_later_kib: u64,
    rss_peak_kib: u64,
    late_ms_p50: i64,
    late_ms_p99: i64,
    late_ms_max: i64,
}

/// Puts `n` executions to sleep, which wake within `spread` of each other.
pub async fn measure(path: &Path, n: u32, spread: Duration) -> Result<(), BoxError> {
    let store = SqliteStore::open(path).await?;
    let client = Client::new(store.clone());
    let woken = Arc::new(Woken {
        late: Mutex::default(),
        all: n as usize,
        done: Notify::new(),
    });
    let run = execution_id(0);
    let before = memory("VmRSS:");
    let worker = Worker::new(store.clone())
        .state(Arc::clone(&woken))
        .register(sleeper);
    let mut asleep = (0, 0);
    let mut failed = None;
    worker
        .run_until(async {
            match sleep_all(&client, &store, &run, n, spread).await {
                Ok(memory) => asleep = memory,
                Err(error) => failed = Some(error),
            }
            woken.done.notified().await;
        })
        .await?;
    if let Some(error) = failed {
        return Err(error);
    }
    let mut late = woken
        .late
        .lock()
        .map(|late| late.clone())
        .unwrap_or_default();
    late.sort_unstable();
    let at = |index: usize| late.get(index).copied().unwrap_or_default();
    let line = Line {
        workload: "sleeping",
        n,
        spread_s: spread.as_secs(),
        rss_before_kib: before,
        rss_asleep_kib: asleep.0,
        rss_asleep_later_kib: asleep.1,
        rss_peak_kib: memory("VmHWM:"),
        late_ms_p50: at(late.len() / 2),
        late_ms_p99: at(late.len() * 99 / 100),
        late_ms_max: at(late.len() - 1),
    };
    println!("{}", serde_json::to_string(&line)?);
    Ok(())
}

/// Starts all, waits until they sleep, and answers with the memory at first and a while later.
async fn sleep_all(
    client: &Client,
    store: &SqliteStore,
    run: &str,
    n: u32,
    spread: Duration,
) -> Result<(u64, u64), BoxError> {
    // Enough time for all to fall asleep first.
    let lead = Duration::from_secs(5) + Duration::from_micros(500) * n;
    let (first, begun) = (SystemClock.now().after(lead), Instant::now());
    let mut starts = tokio::task::JoinSet::new();
    for i in 0..n {
        let until = first.after(spread * i / n).as_millis();
        let start = client.start(sleeper, format!("{run}-{i}"), until);
        starts.spawn(start.into_future());
        // Not all at once: it is the sleepers whose memory is measured.
        if starts.len() >= 200 {
            starts.join_next().await.transpose()?.transpose()?;
        }
    }
    while let Some(started) = starts.join_next().await {
        started??;
    }
    while awake(store, run).await? {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let asleep = memory("VmRSS:");
    let left = lead.saturating_sub(begun.elapsed());
    if left.is_zero() {
        return Err("they did not fall asleep in time".into());
    }
    tokio::time::sleep(left.mul_f64(0.9)).await;
    Ok((asleep, memory("VmRSS:")))
}

async fn awake(store: &SqliteStore, run: &str) -> Result<bool, BoxError> {
    let filter = Filter {
        status: vec![ExecutionStatus::Queued, ExecutionStatus::Running],
        prefix: Some(run.to_owned()),
        limit: 1,
        ..Filter::default()
    };
    Ok(!store.list(filter).await?.is_empty())
}

/// A figure of this process's memory, in KiB; zero where nothing tells.
fn memory(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    line.and_then(|kib| kib.trim().trim_end_matches(" kB").parse().ok())
        .unwrap_or(0)
}
