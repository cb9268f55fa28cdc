//! Suspended executions: their memory, and the delay of their wake-ups.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use durable::durable;
use durable::prelude::*;
use durable::store::{ExecutionStatus, Filter, Store};
use durable::{Client, Clock, SystemClock, Timestamp, Worker};
use tokio::sync::Notify;

use crate::opened::{Opened, execution_id};
use crate::process;
use crate::report::{Line, Samples};
use crate::settings::Settings;

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

/// Suspends `n` executions whose wake-ups are spread over a time.
pub async fn measure(settings: &Settings) -> Result<(), BoxError> {
    let opened = Opened::open(&settings.store).await?;
    let client = Client::new(opened.store.clone());
    let wake_ups = Arc::new(WakeUps {
        delays: Mutex::default(),
        total: settings.n as usize,
        all_awake: Notify::new(),
    });
    let before = process::rss_kib();
    let worker = Worker::new(opened.store.clone())
        .state(Arc::clone(&wake_ups))
        .register(sleeper)
        .concurrency(settings.concurrency);
    let mut asleep = (0, 0);
    let mut failed = None;
    worker
        .run_until(async {
            match suspend_all(&client, &*opened.store, settings).await {
                Ok(memory) => asleep = memory,
                Err(error) => return failed = Some(error),
            }
            wake_ups.all_awake.notified().await;
        })
        .await?;
    if let Some(error) = failed {
        return Err(error);
    }
    let delays = wake_ups.delays.lock().map(|delays| delays.clone());
    let delays = delays.unwrap_or_default();
    let samples = Samples::of(delays.into_iter().map(|delay| delay as f64));
    Line::new("sleeping", opened.name, settings, "ms_late", &samples)
        .with("spread_s", settings.spread.as_secs_f64())
        .with("rss_before_kib", before as f64)
        .with("rss_asleep_kib", asleep.0 as f64)
        .with("rss_asleep_later_kib", asleep.1 as f64)
        .print()?;
    opened.close()?;
    Ok(())
}

/// Starts the executions and waits until all are suspended. Returns the memory then and shortly before the first
/// wake-up.
async fn suspend_all(
    client: &Client,
    store: &dyn Store,
    settings: &Settings,
) -> Result<(u64, u64), BoxError> {
    let (run, n, spread) = (execution_id(0), settings.n, settings.spread);
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
    while any_awake(store, &run).await? {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let asleep = process::rss_kib();
    let left = lead.saturating_sub(start_time.elapsed());
    if left.is_zero() {
        return Err("the executions were not suspended before the first wake-up".into());
    }
    tokio::time::sleep(left.mul_f64(0.9)).await;
    Ok((asleep, process::rss_kib()))
}

async fn any_awake(store: &dyn Store, run: &str) -> Result<bool, BoxError> {
    let filter = Filter {
        status: vec![ExecutionStatus::Queued, ExecutionStatus::Running],
        prefix: Some(run.to_owned()),
        limit: 1,
        ..Filter::default()
    };
    Ok(!store.list(filter).await?.is_empty())
}
