//! Group commit: many executions share commits, a single one commits inline, and a refused batch does not
//! affect others.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test may stop at what it did not expect, and say why"
)]

mod support;

use std::time::{Duration, Instant};

use durable_core::store::{CheckpointStore, ExecutionStore, Fence, Lease, StoreErrorKind};
use durable_sqlite::SqliteStore;
use support::{batch, claim_due, json, leased, new, open, positions, release, steps};
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

/// Writes until a commit was made inline.
async fn wait_for_inline_commit(store: &SqliteStore, fence: &Fence, mut last: u64) {
    repeat_until_inline(100, async || {
        let first = last + 1;
        last += 100;
        inline_commits(store, async || {
            steps(store, fence, first, last).await.unwrap()
        })
        .await
    })
    .await;
}

/// Returns how many commits of `work` are made inline.
async fn inline_commits(store: &SqliteStore, mut work: impl AsyncFnMut()) -> u64 {
    let before = store.stats().inline_commits;
    work().await;
    store.stats().inline_commits - before
}

/// Repeats `commit`, which makes a number of commits, until it returns that some were made inline. Returns false for
/// slow disks, which never commit inline.
async fn repeat_until_inline(commits: u32, mut commit: impl AsyncFnMut() -> u64) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(10) {
        let before = Instant::now();
        if commit().await > 0 {
            return true;
        }
        let quick = before.elapsed() < Duration::from_micros(600) * commits;
        assert!(!quick, "commits were quick, yet made on the writer thread");
    }
    println!("skipped: a commit takes more than a millisecond here");
    false
}

#[tokio::test]
async fn a_single_execution_commits_inline_once_per_batch() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory.path().join("a.db")).await;
    let lease = leased(&store, "a").await;
    let before = store.stats();
    steps(&store, &lease.fence, 1, 200).await.unwrap();
    let after = store.stats();
    assert_eq!(after.batches - before.batches, 200);
    assert_eq!(after.commits - before.commits, 200);
    assert_eq!(after.reads, before.reads);
    wait_for_inline_commit(&store, &lease.fence, 200).await;
    let expected: Vec<_> = (1..=200).collect();
    assert_eq!(positions(&store, "a").await[..200], expected);
}

#[tokio::test]
async fn no_commit_is_inline_while_two_leases_are_held() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory.path().join("a.db")).await;
    let (a, b) = (leased(&store, "a").await, leased(&store, "b").await);
    let before = store.stats().inline_commits;
    steps(&store, &a.fence, 1, 20).await.unwrap();
    store.start(new("c")).await.unwrap();
    assert_eq!(store.stats().inline_commits, before);
    release(&store, &b.fence).await;
    wait_for_inline_commit(&store, &a.fence, 20).await;
}

async fn start_all(store: &SqliteStore, names: impl IntoIterator<Item = String>) {
    let mut starts = JoinSet::new();
    for name in names {
        let store = store.clone();
        starts.spawn(async move { store.start(new(&name)).await.unwrap() });
    }
    starts.join_all().await;
}

#[tokio::test]
async fn a_lone_start_commits_inline_and_concurrent_ones_share_commits() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory.path().join("a.db")).await;
    let mut number = 0;
    repeat_until_inline(20, async || {
        inline_commits(&store, async || {
            for _ in 0..20 {
                number += 1;
                store.start(new(&format!("lone-{number}"))).await.unwrap();
            }
        })
        .await
    })
    .await;
    let before = store.stats();
    start_all(&store, (0..100).map(|n| format!("shared-{n}"))).await;
    let after = store.stats();
    assert_eq!(after.inline_commits, before.inline_commits);
    assert!(
        after.commits - before.commits < 20,
        "{before:?}, then {after:?}"
    );
}

#[tokio::test]
async fn a_start_with_a_large_input_is_not_inline() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory.path().join("a.db")).await;
    for n in 0..40 {
        let mut large = new(&format!("large-{n}"));
        large.input = json(format!("\"{}\"", "x".repeat(65 << 10)));
        store.start(large).await.unwrap();
    }
    assert_eq!(store.stats().inline_commits, 0);
}

#[tokio::test]
async fn a_claim_is_inline_as_long_as_few_executions_are_due() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory.path().join("a.db")).await;
    let mut pair = 0;
    repeat_until_inline(3, async || {
        pair += 1;
        start_all(&store, ["a", "b"].map(|name| format!("{name}-{pair}"))).await;
        let mut claimed = Vec::new();
        let inline = inline_commits(&store, async || claimed = claim_due(&store, false).await);
        let inline = inline.await;
        assert_eq!(claimed.len(), 2);
        for lease in claimed {
            release(&store, &lease.fence).await;
        }
        inline
    })
    .await;
    let (mut started, mut first) = (0, Vec::<Lease>::new());
    let inline = repeat_until_inline(20, async || {
        for lease in &first {
            release(&store, &lease.fence).await;
        }
        for _ in 0..20 {
            started += 1;
            store.start(new(&format!("many-{started}"))).await.unwrap();
        }
        inline_commits(&store, async || first = claim_due(&store, false).await).await
    })
    .await;
    if !inline {
        return;
    }
    assert_eq!(first.len(), 8);
    for lease in &first {
        release(&store, &lease.fence).await;
    }
    let before = store.stats().inline_commits;
    assert_eq!(claim_due(&store, false).await.len(), 12);
    assert_eq!(store.stats().inline_commits, before);
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
