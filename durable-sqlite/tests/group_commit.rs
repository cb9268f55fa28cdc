//! Group commit: many executions share commits, a single one commits inline, and a refused batch does not
//! affect others.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may stop at what it did not expect, and say why"
)]

mod support;

use durable_core::store::{CheckpointStore, ExecutionStore, StoreErrorKind};
use durable_sqlite::SqliteStore;
use support::{batch, leased, open, positions, steps};
use tokio::task::JoinSet;

const EXECUTIONS: u64 = 64;
const STEPS: u64 = 20;

async fn run_many(store: &SqliteStore) {
    let before = store.stats();
    let mut tasks = JoinSet::new();
    for n in 0..EXECUTIONS {
        let store = store.clone();
        tasks.spawn(async move {
            let lease = leased(&store, &format!("run-{n}")).await;
            steps(&store, &lease.fence, 1, STEPS).await.unwrap();
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    let after = store.stats();
    let (commits, batches) = (
        after.commits - before.commits,
        after.batches - before.batches,
    );
    assert_eq!(batches, EXECUTIONS * STEPS);
    // Starts and claims are counted among the commits too.
    assert!(
        commits * 6 < batches,
        "{commits} commits for {batches} batches"
    );
    for n in 0..EXECUTIONS {
        let expected: Vec<_> = (1..=STEPS).collect();
        assert_eq!(positions(store, &format!("run-{n}")).await, expected);
    }
}

#[tokio::test]
async fn executions_on_one_thread_share_commits() {
    let directory = tempfile::tempdir().unwrap();
    run_many(&open(&directory.path().join("a.db")).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn executions_on_several_threads_share_commits() {
    let directory = tempfile::tempdir().unwrap();
    run_many(&open(&directory.path().join("a.db")).await).await;
}

#[tokio::test]
async fn a_single_execution_commits_once_per_batch() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory.path().join("a.db")).await;
    let lease = leased(&store, "a").await;
    let before = store.stats();
    steps(&store, &lease.fence, 1, 200).await.unwrap();
    let after = store.stats();
    assert_eq!(after.batches - before.batches, 200);
    assert_eq!(after.commits - before.commits, 200);
    assert_eq!(after.reads, before.reads);
    let expected: Vec<_> = (1..=200).collect();
    assert_eq!(positions(&store, "a").await, expected);
}

#[tokio::test]
async fn a_lost_fence_does_not_affect_batches_of_others() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory.path().join("a.db")).await;
    let mut leases = Vec::new();
    for n in 0..16 {
        leases.push(leased(&store, &format!("run-{n}")).await);
    }
    let later = support::now().after(support::TTL * 2);
    for n in [3, 7] {
        let id = support::id(&format!("run-{n}"));
        store.claim(&id, later, support::TTL).await.unwrap();
    }
    let mut tasks = JoinSet::new();
    for (n, lease) in leases.into_iter().enumerate() {
        let store = store.clone();
        tasks.spawn(async move { (n, store.checkpoint(&lease.fence, batch(1)).await) });
    }
    while let Some(done) = tasks.join_next().await {
        let (n, written) = done.unwrap();
        let lost = [3, 7].contains(&n);
        let kind = written.as_ref().err().map(|error| error.kind());
        assert_eq!(kind, lost.then_some(StoreErrorKind::FenceLost), "run {n}");
        let expected: &[u64] = if lost { &[] } else { &[1] };
        assert_eq!(positions(&store, &format!("run-{n}")).await, expected);
    }
}

#[tokio::test]
async fn a_dropped_checkpoint_is_written_entirely_or_not_and_can_be_repeated() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory.path().join("a.db")).await;
    let (a, _b) = (leased(&store, "a").await, leased(&store, "b").await);
    for seq in 1..=50 {
        // Polled once, so that it is queued, and then dropped.
        let mut checkpoint = store.checkpoint(&a.fence, batch(seq));
        tokio::select! {
            biased;
            _ = &mut checkpoint => {}
            () = std::future::ready(()) => {}
        }
        drop(checkpoint);
        store.checkpoint(&a.fence, batch(seq)).await.unwrap();
    }
    let expected: Vec<_> = (1..=50).collect();
    assert_eq!(positions(&store, "a").await, expected);
}

#[tokio::test]
async fn dropping_the_store_commits_queued_writes_and_ends_its_leases() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.db");
    let store = open(&path).await;
    let (a, _b) = (leased(&store, "a").await, leased(&store, "b").await);
    let other = open(&path).await;
    let refused = other
        .claim(&support::id("a"), support::now(), support::TTL)
        .await;
    assert_eq!(refused.unwrap_err().kind(), StoreErrorKind::Leased);
    steps(&store, &a.fence, 1, 10).await.unwrap();
    drop(store);
    let lease = other
        .claim(&support::id("a"), support::now(), support::TTL)
        .await
        .unwrap();
    assert!(lease.was_interrupted);
    assert_eq!(other.load(&lease.fence, 0).await.unwrap().records.len(), 10);
    assert_eq!(support::owner_files(&path), 1);
    drop(other);
    assert_eq!(support::owner_files(&path), 0);
}
