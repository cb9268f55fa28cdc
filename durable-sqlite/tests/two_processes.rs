//! Several processes on one file: fencing, integrity, and takeover from processes that died.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test may stop at what it did not expect, and say why"
)]

mod support;

use std::path::Path;
use std::time::{Duration, Instant};

use durable_core::store::{AdminStore, CheckpointStore, ExecutionStore, StoreErrorKind};
use support::{
    Other, TTL, batch, id, is_sound, leased, new, next_command, now, open, owner_files, positions,
    release, report, steps,
};
use tempfile::tempdir;

/// Entry point of the other process. Does nothing when it runs as a test.
#[tokio::test]
async fn child() {
    let (Ok(role), Ok(path)) = (
        std::env::var("DURABLE_CHILD"),
        std::env::var("DURABLE_PATH"),
    ) else {
        return;
    };
    match role.as_str() {
        "hold" => hold(Path::new(&path)).await,
        "write" => write(Path::new(&path)).await,
        "many" => many(Path::new(&path)).await,
        other => panic!("no role {other}"),
    }
}

/// Holds the lease of `a`, and tries to write under it on command.
async fn hold(path: &Path) {
    let store = open(path).await;
    let lease = leased(&store, "a").await;
    report("held");
    while next_command() == "write" {
        let written = store.checkpoint(&lease.fence, batch(1)).await;
        match written {
            Ok(_) => report("written"),
            Err(error) => report(format_args!("{:?}", error.kind())),
        }
    }
}

/// Runs execution `a` without end, and reports each step that was acknowledged.
async fn write(path: &Path) {
    let store = open(path).await;
    let lease = leased(&store, "a").await;
    let done = store.load(&lease.fence, 0).await.unwrap().records.len() as u64;
    report(format_args!("interrupted {}", lease.was_interrupted));
    for seq in done + 1.. {
        store.checkpoint(&lease.fence, batch(seq)).await.unwrap();
        report(seq);
    }
}

/// Runs eight executions at once.
async fn many(path: &Path) {
    let store = open(path).await;
    let me = std::process::id();
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..8 {
        let store = store.clone();
        tasks.spawn(async move {
            let lease = leased(&store, &format!("run-{me}-{n}")).await;
            steps(&store, &lease.fence, 1, 25).await.unwrap();
            release(&store, &lease.fence).await;
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    report("done");
}

#[tokio::test]
async fn executions_of_a_killed_holder_can_be_claimed_at_once() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("a.db");
    let store = open(&path).await;
    for _ in 0..5 {
        let mut other = Other::spawn("hold", &path);
        assert_eq!(other.receive().as_deref(), Some("held"));
        let refused = store.claim(&id("a"), now(), TTL).await.unwrap_err();
        assert_eq!(refused.kind(), StoreErrorKind::Leased);
        other.kill();
        let lease = store.claim(&id("a"), now(), TTL).await.unwrap();
        assert!(lease.was_interrupted);
        release(&store, &lease.fence).await;
    }
    drop(store);
    drop(open(&path).await);
    assert_eq!(owner_files(&path), 0, "files of dead owners are removed");
}

#[tokio::test]
async fn a_holder_that_lost_its_lease_cannot_write() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("a.db");
    let mut other = Other::spawn("hold", &path);
    assert_eq!(other.receive().as_deref(), Some("held"));
    other.send("write");
    assert_eq!(other.receive().as_deref(), Some("written"));
    let store = open(&path).await;
    let later = now().after(TTL * 2);
    let lease = store.claim(&id("a"), later, TTL).await.unwrap();
    assert!(lease.was_interrupted);
    steps(&store, &lease.fence, 2, 3).await.unwrap();
    other.send("write");
    assert_eq!(other.receive().as_deref(), Some("FenceLost"));
    assert_eq!(positions(&store, "a").await, [1, 2, 3]);
}

#[tokio::test]
async fn no_acknowledged_step_is_lost_when_a_writer_is_killed() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let directory = tempdir().unwrap();
    let path = directory.path().join("a.db");
    let mut acknowledged = 0;
    for round in 0..12 {
        let mut other = Other::spawn("write", &path);
        let expected = format!("interrupted {}", round > 0);
        assert_eq!(other.receive(), Some(expected), "round {round}");
        let until = Instant::now() + Duration::from_micros(random.u64(0..60_000));
        while Instant::now() < until {
            acknowledged = other.receive().unwrap().parse().unwrap();
        }
        other.kill();
        // Steps reported but not yet read here were acknowledged too.
        while let Some(message) = other.receive() {
            acknowledged = message.parse().unwrap();
        }
        let found = positions(&open(&path).await, "a").await;
        let complete: Vec<_> = (1..=found.len() as u64).collect();
        assert_eq!(found, complete, "round {round}");
        assert!(
            found.len() as u64 >= acknowledged,
            "round {round}: {acknowledged} lost"
        );
    }
    assert!(acknowledged > 0);
    assert!(is_sound(&path));
}

#[tokio::test]
async fn two_processes_can_write_at_once() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("a.db");
    let others = [Other::spawn("many", &path), Other::spawn("many", &path)];
    for other in &others {
        assert_eq!(other.receive().as_deref(), Some("done"));
    }
    let store = open(&path).await;
    let found = store.list(Default::default()).await.unwrap();
    assert_eq!(found.len(), 16);
    for execution in found {
        let expected: Vec<_> = (1..=25).collect();
        assert_eq!(positions(&store, execution.id.as_str()).await, expected);
    }
    assert!(is_sound(&path));
}

#[cfg(unix)]
#[tokio::test]
async fn a_symbolic_link_shares_leases_with_its_target() {
    let directory = tempdir().unwrap();
    let (path, link) = (
        directory.path().join("a.db"),
        directory.path().join("link.db"),
    );
    drop(open(&path).await);
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let through_link = open(&link).await;
    through_link.start(new("a")).await.unwrap();
    let store = open(&path).await;
    assert_eq!(store.path(), through_link.path());
    store.claim(&id("a"), now(), TTL).await.unwrap();
    let refused = through_link.claim(&id("a"), now(), TTL).await.unwrap_err();
    assert_eq!(refused.kind(), StoreErrorKind::Leased);
}
