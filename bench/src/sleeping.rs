//! Suspended executions: their memory, and the delay of their wake-ups.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use durable::durable;
use durable::prelude::*;
use durable::sqlite::SqliteStore;
use durable::store::{AdminStore, ExecutionStatus, Filter};
use durable::{Client, Clock, SystemClock, Timestamp, Worker};
use serde::Serialize;
use tokio::sync::Notify;

use crate::sequential::execution_id;

/// Delay of each wake-up in milliseconds.
struct WakeUps {
    delays: Mutex<Vec<i64>>,
    /// Expected number of wake-ups.
    total: usize,
    all_awake: Notify,
}

#[durable]
async fn sleeper(wake_ups: &WakeUps, until: i64) -> Result<(), BoxError> {
    wait!(until = Timestamp::from_millis(until)).await;
    step!("note", record_delay(wake_ups, until)).await?;
    Ok(())
}

fn record_delay(wake_ups: &WakeUps, until: i64) -> Result<(), BoxError> {
    let delay = SystemClock.now().as_millis() - until;
    let Ok(mut delays) = wake_ups.delays.lock() else {
        return Ok(());
    };
    delays.push(delay);
    if delays.len() == wake_ups.total {
        wake_ups.all_awake.notify_one();
    }
    Ok(())
}

#[derive(Serialize)]
struct Line {
    workload: &'static str,
    n: u32,
    spread_s: u64,
    /// Resident memory of the process in KiB.
    rss_before_kib: u64,
    rss_asleep_kib: u64,
    rss_asleep_later_kib: u64,
    rss_peak_kib: u64,
    late_ms_p50: i64,
    late_ms_p99: i64,
    late_ms_max: i64,
}

/// Suspends `n` executions whose wake-ups are spread over `spread`.
pub async fn measure(path: &Path, n: u32, spread: Duration) -> Result<(), BoxError> {
    let store = SqliteStore::open(path).await?;
    let client = Client::new(store.clone());
    let wake_ups = Arc::new(WakeUps {
        delays: Mutex::default(),
        total: n as usize,
        all_awake: Notify::new(),
    });
    let run = execution_id(0);
    let before = memory("VmRSS:");
    let worker = Worker::new(store.clone())
        .state(Arc::clone(&wake_ups))
        .register(sleeper);
    let mut asleep = (0, 0);
    let mut failed = None;
    worker
        .run_until(async {
            match suspend_all(&client, &store, &run, n, spread).await {
                Ok(memory) => asleep = memory,
                Err(error) => failed = Some(error),
            }
            wake_ups.all_awake.notified().await;
        })
        .await?;
    if let Some(error) = failed {
        return Err(error);
    }
    let mut delays = wake_ups
        .delays
        .lock()
        .map(|delays| delays.clone())
        .unwrap_or_default();
    delays.sort_unstable();
    let at = |index: usize| delays.get(index).copied().unwrap_or_default();
    let line = Line {
        workload: "sleeping",
        n,
        spread_s: spread.as_secs(),
        rss_before_kib: before,
        rss_asleep_kib: asleep.0,
        rss_asleep_later_kib: asleep.1,
        rss_peak_kib: memory("VmHWM:"),
        late_ms_p50: at(delays.len() / 2),
        late_ms_p99: at(delays.len() * 99 / 100),
        late_ms_max: at(delays.len() - 1),
    };
    println!("{}", serde_json::to_string(&line)?);
    Ok(())
}

/// Starts the executions and waits until all are suspended. Returns the memory then and shortly before the first
/// wake-up.
async fn suspend_all(
    client: &Client,
    store: &SqliteStore,
    run: &str,
    n: u32,
    spread: Duration,
) -> Result<(u64, u64), BoxError> {
    // All executions have to be suspended before the first wake-up.
    let lead = Duration::from_secs(5) + Duration::from_micros(500) * n;
    let (first, start_time) = (SystemClock.now().after(lead), Instant::now());
    let mut starts = tokio::task::JoinSet::new();
    for i in 0..n {
        let until = first.after(spread * i / n).as_millis();
        let start = client.start(sleeper, format!("{run}-{i}"), until);
        starts.spawn(start.into_future());
        // Starts are limited, so that pending ones do not add to the measured memory.
        if starts.len() >= 200 {
            starts.join_next().await.transpose()?.transpose()?;
        }
    }
    while let Some(started) = starts.join_next().await {
        started??;
    }
    while any_awake(store, run).await? {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let asleep = memory("VmRSS:");
    let left = lead.saturating_sub(start_time.elapsed());
    if left.is_zero() {
        return Err("the executions were not suspended before the first wake-up".into());
    }
    tokio::time::sleep(left.mul_f64(0.9)).await;
    Ok((asleep, memory("VmRSS:")))
}

async fn any_awake(store: &SqliteStore, run: &str) -> Result<bool, BoxError> {
    let filter = Filter {
        status: vec![ExecutionStatus::Queued, ExecutionStatus::Running],
        prefix: Some(run.to_owned()),
        limit: 1,
        ..Filter::default()
    };
    Ok(!store.list(filter).await?.is_empty())
}

/// Returns a field of `/proc/self/status` in KiB, or zero on systems without `/proc`.
fn memory(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    line.and_then(|kib| kib.trim().trim_end_matches(" kB").parse().ok())
        .unwrap_or(0)
}
