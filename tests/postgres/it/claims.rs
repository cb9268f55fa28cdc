//! Concurrent claims by many workers on one database.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use durable::prelude::*;
use durable::{Client, Worker};
use durable_core::Timestamp;
use durable_core::store::{
    ClaimRequest, Claimed, ExecutionStore, HandlerBuild, Queue, QueueEntry, QueueStore,
    StoreErrorKind, WorkStore, WorkerFilter,
};
use durable_postgres::PostgresStore;
use durable_postgres_tests::{Server, client};
use tokio::task::JoinSet;

use crate::processes::{Workers, given};
use crate::support::{id, leased_for, new, now, open, sql, succeed, until};

fn wanted() -> WorkerFilter {
    WorkerFilter {
        handlers: vec![HandlerBuild {
            name: "etl".to_owned(),
            build: "1".to_owned(),
        }],
        queues: None,
    }
}

async fn claim(store: &PostgresStore, limit: usize, now: Timestamp, recover: bool) -> Claimed {
    let how = ClaimRequest {
        limit,
        now,
        ttl: Duration::from_secs(1),
        recover,
    };
    store.claim_due(&wanted(), how).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_execution_is_claimed_by_one_of_four_workers() {
    const EXECUTIONS: usize = 800;
    let Some(server) = Server::shared().await else {
        return;
    };
    let url = server.database().await;
    let first = open(&url).await;
    let mut starts = JoinSet::new();
    for n in 0..EXECUTIONS {
        let store = first.clone();
        starts.spawn(async move { store.start(new(&format!("run-{n}"))).await.unwrap() });
    }
    starts.join_all().await;
    let mut workers = JoinSet::new();
    for _ in 0..4 {
        let store = open(&url).await;
        workers.spawn(async move {
            let (mut claimed, mut empty) = (Vec::new(), 0);
            while empty < 20 {
                let more = claim(&store, 7, now(), true).await.leases;
                empty = if more.is_empty() { empty + 1 } else { 0 };
                for lease in more {
                    succeed(&store, &lease.fence, 1).await.unwrap();
                    claimed.push(lease.execution.id.to_string());
                }
            }
            (claimed, store.stats())
        });
    }
    let mut counts = BTreeMap::new();
    let (mut retries, mut statements) = (0, 0);
    for (claimed, stats) in workers.join_all().await {
        retries += stats.retries;
        statements += stats.statements;
        for name in claimed {
            *counts.entry(name).or_insert(0) += 1;
        }
    }
    assert_eq!(counts.len(), EXECUTIONS);
    assert!(counts.values().all(|count| *count == 1), "claimed twice");
    println!("{retries} conflicts in {statements} statements");
    assert!(
        retries * 100 <= statements,
        "{retries} conflicts in {statements} statements"
    );
}

/// Two short steps.
#[durable]
async fn brief(n: u64) -> Result<u64, BoxError> {
    let one = step!("one", Ok::<_, String>(n)).await?;
    Ok(step!("two", Ok::<_, String>(one + 1)).await?)
}

/// Body of a worker process, which works until there is a file `done`, and then reports its statements and retries. Does
/// nothing when it runs as a test.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn worker() {
    let Some(given) = given() else {
        return;
    };
    let store = given.store().await;
    let done = until("all executions have ended", async || {
        given.folder.join("done").exists()
    });
    let worker = Worker::new(store.clone()).register(brief);
    worker.run_until(done).await.unwrap();
    let stats = store.stats();
    let report = format!("{} {}", stats.statements, stats.retries);
    let path = given.folder.join(format!("stats-{}", std::process::id()));
    std::fs::write(path, report).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_worker_processes_claim_without_conflicts() {
    const EXECUTIONS: i64 = 2000;
    let settings = [("shared_preload_libraries", "pg_stat_statements")];
    let Some(server) = Server::start(&settings).await else {
        return;
    };
    let url = server.database().await;
    let store = open(&url).await;
    let caller = Client::new(store.clone());
    let mut starts = JoinSet::new();
    for n in 0..EXECUTIONS {
        let caller = caller.clone();
        starts.spawn(async move { caller.start(brief, format!("run-{n}"), 1).await.map(drop) });
    }
    for started in starts.join_all().await {
        started.unwrap();
    }
    let reset = "CREATE EXTENSION pg_stat_statements; SELECT pg_stat_statements_reset()";
    sql(&url, reset).await;
    let folder = tempfile::tempdir().unwrap();
    let workers = Workers::start("claims::worker", 4, &url, folder.path());
    let watcher = client(&url).await.unwrap();
    until("all executions have ended", async || {
        let ended = "SELECT count(*) FROM durable.executions WHERE status = 'succeeded'";
        watcher
            .query_one(ended, &[])
            .await
            .unwrap()
            .get::<_, i64>(0)
            == EXECUTIONS
    })
    .await;
    std::fs::write(folder.path().join("done"), "").unwrap();
    workers.wait();

    let (mut statements, mut retries, mut processes) = (0, 0, 0);
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        if let Some((all, repeated)) = text.split_once(' ') {
            statements += all.parse::<i64>().unwrap();
            retries += repeated.parse::<i64>().unwrap();
            processes += 1;
        }
    }
    assert_eq!(processes, 4);
    // Each claim of an execution raises its fence. One that was locked by a search but not claimed was searched in vain.
    let count = async |text: &str| -> i64 {
        let row = watcher.query_one(text, &[]).await.unwrap();
        row.get(0)
    };
    let claims = count("SELECT sum(fence)::int8 FROM durable.executions").await;
    let found = "SELECT coalesce(sum(rows), 0)::int8 FROM pg_stat_statements WHERE query LIKE '%WHERE handler = h.name AND due%LIMIT%SKIP LOCKED%'";
    let found = count(found).await;
    println!(
        "{statements} statements, {retries} retries, {found} found, {claims} claims of {EXECUTIONS} executions"
    );
    assert!(found >= EXECUTIONS, "{found}");
    let conflicts = retries + (claims - EXECUTIONS) + (found - claims);
    assert!(
        conflicts * 100 <= statements,
        "{conflicts} conflicts in {statements} statements"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_keeps_its_limits_across_workers() {
    let Some(server) = Server::shared().await else {
        return;
    };
    let url = server.database().await;
    let first = open(&url).await;
    let queue = Queue {
        name: "q".to_owned(),
        concurrency: Some(5),
        concurrency_per_key: Some(2),
        ..Queue::default()
    };
    first.put_queue(queue).await.unwrap();
    for n in 0..60 {
        let mut new = new(&format!("run-{n}"));
        new.queue = Some(QueueEntry {
            key: Some(format!("key-{}", n % 4)),
            ..QueueEntry::new("q")
        });
        first.start(new).await.unwrap();
    }
    let watcher = client(&url).await.unwrap();
    let ended = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let mut workers = JoinSet::new();
    for _ in 0..4 {
        let (store, ended) = (open(&url).await, ended.clone());
        workers.spawn(async move {
            let begun = Instant::now();
            while ended.load(std::sync::atomic::Ordering::Relaxed) < 60 {
                assert!(
                    begun.elapsed() < Duration::from_secs(60),
                    "no progress for too long"
                );
                for lease in claim(&store, 3, now(), false).await.leases {
                    tokio::time::sleep(Duration::from_millis(fastrand::u64(..5))).await;
                    succeed(&store, &lease.fence, 1).await.unwrap();
                    ended.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                }
            }
        });
    }
    let running = "SELECT coalesce(sum(n), 0)::int8, coalesce(max(n), 0) FROM (SELECT count(*) AS n FROM durable.executions WHERE \
                admitted GROUP BY queue_key) AS of_key";
    while workers.try_join_next().is_none() {
        let row = watcher.query_one(running, &[]).await.unwrap();
        let (all, of_key): (i64, i64) = (row.get(0), row.get(1));
        assert!(all <= 5 && of_key <= 2, "{all} run, {of_key} of one key");
    }
    workers.join_all().await;
    let state = first.queues().await.unwrap();
    assert_eq!((state[0].waiting, state[0].running), (0, 0));
}

#[tokio::test]
async fn leases_do_not_depend_on_the_clocks_of_workers() {
    let Some(server) = Server::shared().await else {
        return;
    };
    let url = server.database().await;
    let (right, wrong) = (open(&url).await, open(&url).await);
    let hour = Duration::from_secs(3600);
    leased_for(&right, "a", hour).await;
    let ahead = now().after(hour * 24);
    let refused = wrong.claim(&id("a"), ahead, hour).await.unwrap_err();
    assert_eq!(refused.kind(), StoreErrorKind::Leased, "{refused}");
    assert!(claim(&wrong, 9, ahead, true).await.leases.is_empty());
    // The lease of a worker whose clock is ahead expires by the clock of the database.
    wrong.start(new("b")).await.unwrap();
    let lease = wrong
        .claim(&id("b"), ahead, Duration::from_millis(100))
        .await
        .unwrap();
    wrong
        .renew(&lease.fence, ahead, Duration::from_millis(200))
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(
        right
            .claim(&id("b"), now(), hour)
            .await
            .unwrap()
            .was_interrupted
    );
}

#[tokio::test]
async fn an_expired_lease_is_observed_before_a_takeover() {
    let Some(server) = Server::shared().await else {
        return;
    };
    let url = server.database().await;
    let (holder, worker) = (open(&url).await, open(&url).await);
    let alive = leased_for(&holder, "alive", Duration::from_millis(1)).await;
    leased_for(&holder, "gone", Duration::from_millis(1)).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    // As after an outage: all leases have expired, and one holder renews.
    assert!(claim(&worker, 9, now(), true).await.leases.is_empty());
    holder
        .renew(&alive.fence, now(), Duration::from_secs(60))
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(600)).await;
    let taken = claim(&worker, 9, now(), true).await.leases;
    let names: Vec<_> = taken
        .iter()
        .map(|lease| lease.execution.id.as_str())
        .collect();
    assert_eq!(names, ["gone"]);
    assert_eq!((taken[0].was_interrupted, taken[0].crashes), (true, 1));
}
