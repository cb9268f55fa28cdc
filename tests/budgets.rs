//! Budgets: what a step may cost, counted. Times depend on the machine, counts do not.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use durable::prelude::*;
use durable::sqlite::SqliteStore;
use durable::store::{MemoryStore, Store};
use durable::{Client, Clock, Handler, IntoHandler, Invocation, SystemClock, Worker};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

/// Value of a step in an ETL job: 170 bytes of JSON.
#[derive(Serialize, Deserialize)]
struct Row {
    rows: u32,
    cursor: String,
    source: String,
}

impl Row {
    fn new(n: u32) -> Self {
        Self {
            rows: n,
            cursor: format!("cursor-{n:032}"),
            source: "s".repeat(90),
        }
    }
}

#[durable]
async fn counted(steps: u32) -> Result<u64, BoxError> {
    let mut total = 0;
    for i in 0..steps {
        let row = step!("load", key = i, Ok::<_, String>(Row::new(i))).await?;
        total += u64::from(row.rows);
    }
    wait!("suspend", Duration::from_secs(3600)).await;
    Ok(total)
}

fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().unwrap()
}

/// Starts the execution `a` with this number of steps.
async fn start(store: &Arc<dyn Store>, steps: u32) {
    let client = Client::new(store.clone());
    client.start(counted, "a", steps).await.unwrap();
}

/// Runs the execution `a` from the top until it is suspended.
async fn invoke(store: &Arc<dyn Store>) {
    async fn run<F>(_handler: F, invocation: Invocation)
    where
        F: IntoHandler,
        F::Handler: Handler<()>,
    {
        invocation.run::<F::Handler, _>(&()).await.unwrap();
    }
    let (id, ttl) = ("a".parse().unwrap(), Duration::from_secs(600));
    let lease = store.claim(&id, SystemClock.now(), ttl).await.unwrap();
    run(counted, Invocation::new(store.clone(), lease)).await;
}

/// Allocations of an invocation that runs `steps` steps, and of one that replays them.
fn allocations(steps: u32) -> [f64; 2] {
    let runtime = runtime();
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    runtime.block_on(start(&store, steps));
    [(); 2].map(|()| {
        let counted = allocation_counter::measure(|| runtime.block_on(invoke(&store)));
        counted.count_total as f64
    })
}

#[test]
fn a_live_step_makes_at_most_25_allocations_and_a_replayed_one_5() {
    // The difference of two lengths leaves out the start and the end of an invocation.
    let ([short_live, short_replay], [live, replay]) = (allocations(1_000), allocations(3_000));
    let (live, replay) = ((live - short_live) / 2e3, (replay - short_replay) / 2e3);
    // A growing list or map adds a fraction.
    assert!(live < 25.5, "{live} allocations for a live step");
    assert!(replay < 5.5, "{replay} allocations for a replayed step");
}

/// Counts the pages in the log. Each has a header of 24 bytes, and the same salt as the header of the log.
fn logged_pages(path: &Path) -> usize {
    let log = std::fs::read(path.with_extension("db-wal")).unwrap();
    let salt = &log[16..24];
    let pages = log[32..].chunks_exact(24 + 1024);
    pages.take_while(|page| &page[8..16] == salt).count()
}

#[test]
fn a_step_writes_at_most_two_pages_to_sqlite() {
    const STEPS: u32 = 200;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    runtime().block_on(async {
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&path).await.unwrap());
        start(&store, STEPS).await;
        let before = logged_pages(&path);
        invoke(&store).await;
        let per_step = (logged_pages(&path) - before) as f64 / f64::from(STEPS);
        assert!((1.0..=2.0).contains(&per_step), "{per_step} pages per step");
    });
}

#[test]
fn a_resume_from_sqlite_is_two_commits_and_at_most_one_read() {
    // The claim itself reads a short history.
    for (steps, reads) in [(10, 0), (2_000, 1)] {
        let folder = tempfile::tempdir().unwrap();
        runtime().block_on(async {
            let sqlite = SqliteStore::open(folder.path().join("a.db")).await.unwrap();
            let store: Arc<dyn Store> = Arc::new(sqlite.clone());
            start(&store, steps).await;
            invoke(&store).await;
            let before = sqlite.stats();
            invoke(&store).await;
            let after = sqlite.stats();
            let counted = (after.reads - before.reads, after.commits - before.commits);
            assert_eq!(
                counted,
                (reads, 2),
                "{steps} steps: a load, the claim and the release"
            );
        });
    }
}

/// Signals when the last of several handlers has come to its end.
#[derive(Default)]
struct Ends {
    left: AtomicU32,
    all: Notify,
}

impl Ends {
    fn count(&self) {
        if self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.all.notify_one();
        }
    }
}

#[durable]
async fn naps(ends: &Ends, rounds: u32) -> Result<u32, BoxError> {
    for round in 0..rounds {
        step!("load", key = round, Ok::<_, String>(Row::new(round))).await?;
        wait!("nap", key = round, Duration::from_millis(20)).await;
    }
    ends.count();
    Ok(rounds)
}

#[test]
fn short_executions_read_nothing_from_sqlite_beside_their_claims() {
    const EXECUTIONS: u32 = 50;
    let folder = tempfile::tempdir().unwrap();
    runtime().block_on(async {
        let sqlite = SqliteStore::open(folder.path().join("a.db")).await.unwrap();
        let store: Arc<dyn Store> = Arc::new(sqlite.clone());
        let client = Client::new(store.clone());
        for n in 0..EXECUTIONS {
            client.start(naps, format!("a-{n}"), 4).await.unwrap();
        }
        let ends = Arc::new(Ends::default());
        ends.left.store(EXECUTIONS, Ordering::Release);
        let before = sqlite.stats();
        let worker = Worker::new(store).state(ends.clone()).register(naps);
        let worker = worker.suspend_after(Duration::ZERO);
        worker.run_until(ends.all.notified()).await.unwrap();
        assert_eq!(sqlite.stats().reads, before.reads);
    });
}

#[test]
fn an_execution_is_at_most_three_commits_and_one_for_each_step() {
    let folder = tempfile::tempdir().unwrap();
    runtime().block_on(async {
        let sqlite = SqliteStore::open(folder.path().join("a.db")).await.unwrap();
        let store: Arc<dyn Store> = Arc::new(sqlite.clone());
        let client = Client::new(store.clone());
        let worker = Worker::new(store).register(steps);
        let measured = async {
            for count in [0, 1, 5] {
                let before = sqlite.stats().commits;
                let id = format!("a-{count}");
                let started = client.start(steps, id, count).await.unwrap();
                started.result().await.unwrap();
                let commits = sqlite.stats().commits - before;
                // A claim that was already waiting shares the commit of the start.
                let most = 3 + u64::from(count);
                assert!(commits <= most, "{commits} for {count} steps");
            }
        };
        worker.run_until(measured).await.unwrap();
    });
}

#[durable]
async fn steps(count: u32) -> Result<u32, BoxError> {
    for n in 0..count {
        step!("load", key = n, Ok::<_, String>(Row::new(n))).await?;
    }
    Ok(count)
}
