//! Latency from a start to the first body, from a callback's completion to the next body, and from the start of an execution
//! without steps to its end, in one process.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use durable::durable;
use durable::prelude::*;
use durable::store::ExecutionStatus;
use durable::{Client, Worker};
use tokio::sync::Notify;

use crate::floor;
use crate::opened::{Opened, execution_id};
use crate::point::Point;
use crate::report::{Line, Samples};
use crate::settings::Settings;

/// Time of the last body and id of the last callback. Each has its own signal, because both may come before the benchmark
/// waits for the first.
struct Events {
    body: Point,
    callback: Mutex<Option<String>>,
    submitted: Notify,
}

#[durable]
async fn waits_for_callback(events: &Events) -> Result<(), BoxError> {
    step!("first", body(events)).await?;
    let answer = callback!("answer", submit = |id| submit(events, id));
    let _: u32 = answer.await?;
    step!("second", body(events)).await?;
    Ok(())
}

#[durable]
async fn empty() -> Result<(), BoxError> {
    Ok(())
}

fn body(events: &Events) -> Result<(), BoxError> {
    events.body.reach();
    Ok(())
}

fn submit(events: &Events, id: &str) -> Result<(), BoxError> {
    if let Ok(mut callback) = events.callback.lock() {
        *callback = Some(id.to_owned());
    }
    events.submitted.notify_one();
    Ok(())
}

/// Latencies of all executions.
#[derive(Default)]
struct Latencies {
    start: Vec<Duration>,
    callback: Vec<Duration>,
    end: Vec<Duration>,
}

/// Starts `n` executions one after the other and completes a callback of each, then `n` without steps.
pub async fn measure(settings: &Settings) -> Result<(), BoxError> {
    let opened = Opened::open(&settings.store).await?;
    let events = Arc::new(Events {
        body: Point::new(),
        callback: Mutex::default(),
        submitted: Notify::new(),
    });
    let worker = Worker::new(opened.store.clone())
        .state(Arc::clone(&events))
        .register(waits_for_callback)
        .register(empty);
    let client = Client::new(opened.store.clone());
    let mut latencies = Latencies::default();
    let mut failed = None;
    worker
        .run_until(async {
            let measured = measure_each(&client, &events, settings.n, &mut latencies);
            failed = measured.await.err();
        })
        .await?;
    if let Some(error) = failed {
        return Err(error);
    }
    let (append, commit) = match opened.path() {
        Some(path) => floors(path, settings.n)?,
        None => (Vec::new(), Vec::new()),
    };
    let (append, commit) = (Samples::new(append, 1), Samples::new(commit, 1));
    for (workload, took) in [
        ("start_latency", latencies.start),
        ("callback_latency", latencies.callback),
        ("start_to_end", latencies.end),
    ] {
        let samples = Samples::new(took, 1);
        Line::new(workload, opened.name, settings, "us", &samples)
            .floor("append_and_fdatasync", &append)
            .floor("sqlite_commit", &commit)
            .print()?;
    }
    opened.close()?;
    Ok(())
}

/// Times of `n` appends with a sync, and of `n` commits of one row.
fn floors(path: &Path, n: u32) -> Result<(Vec<Duration>, Vec<Duration>), BoxError> {
    let append = floor::append(path, floor::value_len()?, n)?;
    let mut sqlite = floor::SqliteFloor::open(path)?;
    let commit = sqlite.insert(floor::value_len()?, n)?;
    sqlite.close()?;
    Ok((append, commit))
}

async fn measure_each(
    client: &Client,
    events: &Events,
    n: u32,
    latencies: &mut Latencies,
) -> Result<(), BoxError> {
    let run = execution_id(0);
    for i in 0..n {
        let start = Instant::now();
        let handle = client
            .start(waits_for_callback, format!("{run}-{i}"), ())
            .await?;
        latencies.start.push(events.body.reached_since(start).await);
        events.submitted.notified().await;
        until_suspended(client, handle.id()).await?;
        let callback = events.callback.lock().ok().and_then(|id| id.clone());
        let start = Instant::now();
        client.complete(&callback.unwrap_or_default(), &i).await?;
        latencies
            .callback
            .push(events.body.reached_since(start).await);
        handle.result().await?;
    }
    for i in 0..n {
        let start = Instant::now();
        let handle = client.start(empty, format!("{run}-empty-{i}"), ()).await?;
        handle.result().await?;
        latencies.end.push(start.elapsed());
    }
    Ok(())
}

/// Waits until an execution is suspended.
pub async fn until_suspended(client: &Client, id: &ExecutionId) -> Result<(), BoxError> {
    while client.describe(id).await?.status != ExecutionStatus::Suspended {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Ok(())
}
