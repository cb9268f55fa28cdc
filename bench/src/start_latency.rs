//! From a start to the first body, and from an event to the body behind it, in one process.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use durable::durable;
use durable::prelude::*;
use durable::sqlite::SqliteStore;
use durable::store::ExecutionStore;
use durable::{Client, Worker};
use serde::Serialize;
use tokio::sync::Notify;

use crate::floor;
use crate::sequential::execution_id;

/// When the last body began.
#[derive(Default)]
struct Begun {
    at: Mutex<Option<Instant>>,
    callback: Mutex<Option<String>>,
    told: Notify,
}

impl Begun {
    fn note(&self) {
        if let Ok(mut at) = self.at.lock() {
            *at = Some(Instant::now());
        }
        self.told.notify_one();
    }

    async fn since(&self, start: Instant) -> Duration {
        self.told.notified().await;
        let at = self.at.lock().ok().and_then(|at| *at);
        at.map_or(Duration::ZERO, |at| at - start)
    }
}

#[durable]
async fn woken(begun: &Begun) -> Result<(), BoxError> {
    step!("first", body(begun)).await?;
    let answer = callback!("answer", submit = |id| hand_out(begun, id));
    let _: u32 = answer.await?;
    step!("second", body(begun)).await?;
    Ok(())
}

fn body(begun: &Begun) -> Result<(), BoxError> {
    begun.note();
    Ok(())
}

fn hand_out(begun: &Begun, id: &str) -> Result<(), BoxError> {
    if let Ok(mut callback) = begun.callback.lock() {
        *callback = Some(id.to_owned());
    }
    begun.told.notify_one();
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

/// Starts `n` executions, one after the other, and completes a callback of each.
pub async fn measure(store: &str, n: u32) -> Result<(), BoxError> {
    let path = store.strip_prefix("sqlite:").map(PathBuf::from);
    let opened: Arc<dyn ExecutionStore> = match &path {
        Some(path) => Arc::new(SqliteStore::open(path).await?),
        None => durable::open(store).await?,
    };
    let begun = Arc::new(Begun::default());
    let worker = Worker::new(Arc::clone(&opened))
        .state(Arc::clone(&begun))
        .register(woken);
    let client = Client::new(opened);
    let (mut starts, mut wakes) = (Vec::new(), Vec::new());
    let mut failed = None;
    worker
        .run_until(async {
            let measured = measure_each(&client, &begun, n, &mut starts, &mut wakes);
            failed = measured.await.err();
        })
        .await?;
    if let Some(error) = failed {
        return Err(error);
    }
    Line::print("start_latency", store, starts)?;
    Line::print("wake_latency", store, wakes)?;
    if let Some(path) = path {
        let beside = path.with_extension("floor");
        let appended = floor::append(&beside, 180, n);
        std::fs::remove_file(&beside)?;
        Line::print("append_and_fdatasync", "file", appended?)?;
    }
    Ok(())
}

async fn measure_each(
    client: &Client,
    begun: &Begun,
    n: u32,
    starts: &mut Vec<Duration>,
    wakes: &mut Vec<Duration>,
) -> Result<(), BoxError> {
    let run = execution_id(0);
    for i in 0..n {
        let start = Instant::now();
        let handle = client.start(woken, format!("{run}-{i}"), ()).await?;
        starts.push(begun.since(start).await);
        begun.told.notified().await;
        // Until it sleeps.
        while client.describe(handle.id()).await?.status
            != durable::store::ExecutionStatus::Suspended
        {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let callback = begun.callback.lock().ok().and_then(|id| id.clone());
        let start = Instant::now();
        client.complete(&callback.unwrap_or_default(), &i).await?;
        wakes.push(begun.since(start).await);
        handle.result().await?;
    }
    Ok(())
}
