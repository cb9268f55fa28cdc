//! Latency from a start to the first body, and from a callback's completion to the next body, in one process.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use durable::durable;
use durable::prelude::*;
use durable::sqlite::SqliteStore;
use durable::store::Store;
use durable::{Client, Worker};
use serde::Serialize;
use tokio::sync::Notify;

use crate::baseline;
use crate::sequential::execution_id;

/// Start of the last body and id of the last callback, with a signal for both.
#[derive(Default)]
struct Events {
    at: Mutex<Option<Instant>>,
    callback: Mutex<Option<String>>,
    signal: Notify,
}

impl Events {
    fn record_body(&self) {
        if let Ok(mut at) = self.at.lock() {
            *at = Some(Instant::now());
        }
        self.signal.notify_one();
    }

    /// Waits for the next body and returns the time from `start` to its start.
    async fn body_since(&self, start: Instant) -> Duration {
        self.signal.notified().await;
        let at = self.at.lock().ok().and_then(|at| *at);
        at.map_or(Duration::ZERO, |at| at - start)
    }
}

#[durable]
async fn waits_for_callback(events: &Events) -> Result<(), BoxError> {
    step!("first", body(events)).await?;
    let answer = callback!("answer", submit = |id| submit(events, id));
    let _: u32 = answer.await?;
    step!("second", body(events)).await?;
    Ok(())
}

fn body(events: &Events) -> Result<(), BoxError> {
    events.record_body();
    Ok(())
}

fn submit(events: &Events, id: &str) -> Result<(), BoxError> {
    if let Ok(mut callback) = events.callback.lock() {
        *callback = Some(id.to_owned());
    }
    events.signal.notify_one();
    Ok(())
}

#[derive(Serialize)]
struct Line<'a> {
    workload: &'a str,
    store: &'a str,
    n: u32,
    ms_p50: f64,
    ms_p99: f64,
    ms_max: f64,
}

impl<'a> Line<'a> {
    fn print(workload: &'a str, store: &'a str, mut took: Vec<Duration>) -> Result<(), BoxError> {
        took.sort_unstable();
        let n = took.len();
        let ms = |index: usize| {
            took.get(index.min(n.saturating_sub(1)))
                .map_or(0.0, Duration::as_secs_f64)
                * 1e3
        };
        let line = Self {
            workload,
            store,
            n: u32::try_from(n)?,
            ms_p50: ms(n / 2),
            ms_p99: ms(n * 99 / 100),
            ms_max: ms(n),
        };
        println!("{}", serde_json::to_string(&line)?);
        Ok(())
    }
}

/// Starts `n` executions one after the other and completes a callback of each.
pub async fn measure(store: &str, n: u32) -> Result<(), BoxError> {
    let path = store.strip_prefix("sqlite:").map(PathBuf::from);
    let opened: Arc<dyn Store> = match &path {
        Some(path) => Arc::new(SqliteStore::open(path).await?),
        None => durable::open(store).await?,
    };
    let events = Arc::new(Events::default());
    let worker = Worker::new(Arc::clone(&opened))
        .state(Arc::clone(&events))
        .register(waits_for_callback);
    let client = Client::new(opened);
    let (mut starts, mut wakes) = (Vec::new(), Vec::new());
    let mut failed = None;
    worker
        .run_until(async {
            let measured = measure_each(&client, &events, n, &mut starts, &mut wakes);
            failed = measured.await.err();
        })
        .await?;
    if let Some(error) = failed {
        return Err(error);
    }
    Line::print("start_latency", store, starts)?;
    Line::print("wake_latency", store, wakes)?;
    if let Some(path) = path {
        let baseline = path.with_extension("floor");
        let appended = baseline::append(&baseline, 180, n);
        std::fs::remove_file(&baseline)?;
        Line::print("append_and_fdatasync", "file", appended?)?;
    }
    Ok(())
}

async fn measure_each(
    client: &Client,
    events: &Events,
    n: u32,
    starts: &mut Vec<Duration>,
    wakes: &mut Vec<Duration>,
) -> Result<(), BoxError> {
    let run = execution_id(0);
    for i in 0..n {
        let start = Instant::now();
        let handle = client
            .start(waits_for_callback, format!("{run}-{i}"), ())
            .await?;
        starts.push(events.body_since(start).await);
        events.signal.notified().await;
        // Waits until the execution is suspended.
        while client.describe(handle.id()).await?.status
            != durable::store::ExecutionStatus::Suspended
        {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let callback = events.callback.lock().ok().and_then(|id| id.clone());
        let start = Instant::now();
        client.complete(&callback.unwrap_or_default(), &i).await?;
        wakes.push(events.body_since(start).await);
        handle.result().await?;
    }
    Ok(())
}
