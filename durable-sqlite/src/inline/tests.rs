//! The tests commit queued writes in place of the writer thread, so that what is inline depends on nothing else.

use std::time::Duration;

use durable_core::store::ExecutionStore;
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::store::Inner;
use crate::support::{claim_due, json, leased, new, release, steps};
use crate::{SqliteStore, open};

/// Opens a store without a writer thread, to which every commit is quick.
fn store() -> (SqliteStore, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let opened = open::open(&directory.path().join("a.db")).unwrap();
    let inner = Inner::new(opened, Duration::MAX).into();
    (SqliteStore { inner }, directory)
}

/// Finishes `work`, and commits what it queues. Returns its result, the number of commits, and how many of them were
/// inline.
async fn counted<T>(store: &SqliteStore, work: impl Future<Output = T>) -> (T, u64, u64) {
    let before = store.stats();
    let writer = async {
        loop {
            tokio::task::yield_now().await;
            store.inner.writer.work();
        }
    };
    let done = tokio::select! {
        biased;
        done = work => done,
        () = writer => unreachable!(),
    };
    let after = store.stats();
    (
        done,
        after.commits - before.commits,
        after.inline_commits - before.inline_commits,
    )
}

async fn start(store: &SqliteStore, names: impl IntoIterator<Item = String>) {
    for name in names {
        store.start(new(&name)).await.unwrap();
    }
}

fn names(prefix: &str, count: u64) -> impl Iterator<Item = String> {
    (0..count).map(move |n| format!("{prefix}-{n}"))
}

#[tokio::test]
async fn a_single_execution_commits_inline() {
    let (store, _directory) = store();
    let (lease, commits, inline) = counted(&store, leased(&store, "a")).await;
    assert_eq!((commits, inline), (2, 2), "a start and a claim");
    let work = steps(&store, &lease.fence, 1, 200);
    let (done, commits, inline) = counted(&store, work).await;
    done.unwrap();
    assert_eq!((commits, inline), (200, 200));
}

#[tokio::test]
async fn no_commit_is_inline_while_two_leases_are_held() {
    let (store, _directory) = store();
    let (a, ..) = counted(&store, leased(&store, "a")).await;
    let (b, ..) = counted(&store, leased(&store, "b")).await;
    let work = async {
        steps(&store, &a.fence, 1, 20).await.unwrap();
        start(&store, names("c", 1)).await;
        for lease in claim_due(&store, false).await {
            release(&store, &lease.fence).await;
        }
        release(&store, &b.fence).await;
    };
    let ((), commits, inline) = counted(&store, work).await;
    assert_eq!((commits, inline), (24, 0));
    let work = steps(&store, &a.fence, 21, 30);
    let (done, commits, inline) = counted(&store, work).await;
    done.unwrap();
    assert_eq!((commits, inline), (10, 10));
}

#[tokio::test]
async fn a_lone_start_commits_inline_and_concurrent_ones_share_commits() {
    let (store, _directory) = store();
    let ((), commits, inline) = counted(&store, start(&store, names("lone", 20))).await;
    assert_eq!((commits, inline), (20, 20));
    let mut starts = JoinSet::new();
    for name in names("shared", 100) {
        let store = store.clone();
        starts.spawn(async move { start(&store, [name]).await });
    }
    let (_, commits, inline) = counted(&store, starts.join_all()).await;
    assert!(commits <= 2, "{commits}");
    assert_eq!(inline, 0);
}

#[tokio::test]
async fn a_start_with_a_large_input_is_not_inline() {
    let (store, _directory) = store();
    for (bytes, expected) in [(63 << 10, 1), (65 << 10, 0)] {
        let mut large = new(&format!("input-{bytes}"));
        large.input = json(format!("\"{}\"", "x".repeat(bytes)));
        let (started, commits, inline) = counted(&store, store.start(large)).await;
        started.unwrap();
        assert_eq!((commits, inline), (1, expected), "{bytes} bytes");
    }
}

#[tokio::test]
async fn a_claim_is_inline_as_long_as_few_executions_are_due() {
    let (store, _directory) = store();
    for (round, (due, claimed, is_inline)) in [
        (2, 2, 1),
        // Of many, a few are claimed inline and the rest with the next claim.
        (20, 8, 1),
        (0, 12, 0),
        (2, 2, 0),
        (2, 2, 1),
    ]
    .into_iter()
    .enumerate()
    {
        let prefix = format!("round-{round}");
        counted(&store, start(&store, names(&prefix, due))).await;
        let (leases, _, inline) = counted(&store, claim_due(&store, false)).await;
        assert_eq!(
            (leases.len(), inline),
            (claimed, is_inline),
            "round {round}"
        );
        for lease in leases {
            counted(&store, release(&store, &lease.fence)).await;
        }
    }
}
