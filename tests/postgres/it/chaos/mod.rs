//! Four worker processes on a primary with a synchronous standby, while faults of all kinds happen in random order.
//!
//! `DURABLE_CHAOS_SECONDS` sets the duration and `DURABLE_CHAOS_SEED` the seed.

mod faults;

use std::time::{Duration, Instant};

use crate::pair::Pair;
use crate::processes::{given, number};
use crate::support::open;
use crate::workers::{all_ended, assert_nothing_lost_or_repeated, audit, start_all, worker};
use faults::Chaos;

/// Body of a worker process. Does nothing when it runs as a test.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child() {
    let Some(given) = given() else {
        return;
    };
    let worker = worker(given.store().await, &given.folder);
    worker.run_until(std::future::pending()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn faults_of_servers_networks_and_workers_lose_nothing_and_repeat_nothing() {
    let Some(pair) = Pair::start().await else {
        return;
    };
    let seed = number("DURABLE_CHAOS_SEED", fastrand::u64(..));
    let seconds = number("DURABLE_CHAOS_SECONDS", 8);
    println!("DURABLE_CHAOS_SEED={seed} DURABLE_CHAOS_SECONDS={seconds}");
    let executions = 150 + seconds * 15;
    let folder = tempfile::tempdir().unwrap();
    pair.primary().database().await;
    let url = Pair::url(pair.ports(), "test_0");
    let store = open(&url).await;
    audit(&pair.primary().url("test_0")).await;
    start_all(&store, executions).await;
    let mut chaos = Chaos::begin(pair, seed, folder.path()).await;
    let end = Instant::now() + Duration::from_secs(seconds);
    while Instant::now() < end {
        chaos.step().await;
    }
    let (pair, workers) = chaos.end();
    all_ended(&store, executions).await;
    drop(workers);
    let url = pair.primary().url("test_0");
    assert_nothing_lost_or_repeated(&store, &url, folder.path(), executions).await;
}
