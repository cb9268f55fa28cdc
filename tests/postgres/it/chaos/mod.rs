//! Four worker processes on a primary with a synchronous standby, while faults of all kinds happen in random order.
//!
//! `DURABLE_CHAOS_SECONDS` sets the duration and `DURABLE_CHAOS_SEED` the seed.

mod faults;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use durable::Client;
use durable_postgres::PostgresStore;

use crate::pair::Pair;
use crate::processes::{given, number};
use crate::support::open;
use crate::workers::{all_ended, assert_nothing_lost_or_repeated, audit, ended, relay, worker};
use faults::Chaos;

/// Number of executions that are kept open while faults happen.
const OPEN: u64 = 250;

/// Body of a worker process. Does nothing when it runs as a test.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child() {
    let Some(given) = given() else {
        return;
    };
    let worker = worker(given.store().await, &given.folder);
    worker.run_until(std::future::pending()).await.unwrap();
}

/// Starts executions as others end. Returns how many were started.
async fn keep_open(store: PostgresStore, stop: Arc<AtomicBool>) -> u64 {
    let client = Client::new(store.clone());
    let mut started = 0;
    while !stop.load(Ordering::Relaxed) {
        // Nothing is listed while the database cannot be reached.
        let wanted = ended(&store).await + OPEN;
        while started < wanted && !stop.load(Ordering::Relaxed) {
            let start = client.start(relay, format!("run-{started}"), started);
            // A start whose answer was lost is repeated.
            started += u64::from(start.await.is_ok());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    started
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn faults_of_servers_networks_and_workers_lose_nothing_and_repeat_nothing() {
    let Some(pair) = Pair::start().await else {
        return;
    };
    let seed = number("DURABLE_CHAOS_SEED", fastrand::u64(..));
    let seconds = number("DURABLE_CHAOS_SECONDS", 8);
    println!("DURABLE_CHAOS_SEED={seed} DURABLE_CHAOS_SECONDS={seconds}");
    let folder = tempfile::tempdir().unwrap();
    pair.primary().database().await;
    let url = Pair::url(pair.ports(), "test_0");
    let store = open(&url).await;
    audit(&pair.primary().url("test_0")).await;
    let stop = Arc::new(AtomicBool::new(false));
    let starts = tokio::spawn(keep_open(store.clone(), Arc::clone(&stop)));
    let mut chaos = Chaos::begin(pair, seed, folder.path()).await;
    let end = Instant::now() + Duration::from_secs(seconds);
    while Instant::now() < end {
        chaos.step().await;
    }
    stop.store(true, Ordering::Relaxed);
    let executions = starts.await.unwrap();
    let (pair, workers) = chaos.end();
    println!(
        "{executions} executions, {} ended before the last fault",
        ended(&store).await
    );
    all_ended(&store, executions).await;
    drop(workers);
    let url = pair.primary().url("test_0");
    assert_nothing_lost_or_repeated(&store, &url, folder.path(), executions).await;
}
