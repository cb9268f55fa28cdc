//! Preallocation of the write-ahead log.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may stop at what it did not expect, and say why"
)]

mod support;

use std::fs;
use std::path::Path;

use durable_core::store::{ExecutionStore, Fence};
use durable_sqlite::SqliteStore;
use rusqlite::Connection;
use support::{Other, TTL, leased, now, open, positions, report, steps};
use tempfile::tempdir;

/// Length of a log of 4,000 pages of 1 KiB, each with a header of 24 bytes.
const FULL: u64 = 32 + 4000 * 1048;

fn log_length(path: &Path) -> u64 {
    let log = path.with_file_name("a.db-wal");
    fs::metadata(log).unwrap().len()
}

/// Writes twice on the writer thread, which preallocates the log between two of its writes.
async fn write_twice(store: &SqliteStore, fence: &Fence) {
    for _ in 0..2 {
        store.renew(fence, now(), TTL).await.unwrap();
    }
}

#[tokio::test]
async fn the_log_is_preallocated_once_a_process_makes_many_commits() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("a.db");
    let store = open(&path).await;
    let lease = leased(&store, "a").await;
    steps(&store, &lease.fence, 1, 10).await.unwrap();
    write_twice(&store, &lease.fence).await;
    assert!(log_length(&path) < FULL / 10, "after few commits");
    steps(&store, &lease.fence, 11, 40).await.unwrap();
    write_twice(&store, &lease.fence).await;
    assert_eq!(log_length(&path), FULL);
    let commits = store.stats().commits;
    steps(&store, &lease.fence, 41, 60).await.unwrap();
    assert_eq!(store.stats().commits, commits + 20);
    assert_eq!(log_length(&path), FULL, "the log is overwritten");
    assert_eq!(positions(&store, "a").await, (1..=60).collect::<Vec<u64>>());
}

#[tokio::test]
async fn after_a_crash_a_preallocated_log_is_read_up_to_its_last_commit() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("a.db");
    let mut other = Other::spawn("write", &path);
    let written: u64 = other.receive().unwrap().parse().unwrap();
    other.kill();
    assert_eq!(log_length(&path), FULL);
    // As a copy of the files, for a reader that is not this library.
    let copied = directory.path().join("copy");
    fs::create_dir(&copied).unwrap();
    for name in ["a.db", "a.db-wal"] {
        fs::copy(path.with_file_name(name), copied.join(name)).unwrap();
    }
    let conn = Connection::open(copied.join("a.db")).unwrap();
    let count: rusqlite::Result<i64> =
        conn.query_row("SELECT count(*) FROM operations", [], |row| row.get(0));
    assert_eq!(count, Ok(written.cast_signed()));
    let expected: Vec<_> = (1..=written).collect();
    assert_eq!(positions(&open(&path).await, "a").await, expected);
    assert!(support::is_sound(&path));
}

/// Runs as another process for the tests above.
#[tokio::test]
async fn child() {
    let Ok(path) = std::env::var("DURABLE_PATH") else {
        return;
    };
    let store = open(Path::new(&path)).await;
    let lease = leased(&store, "a").await;
    steps(&store, &lease.fence, 1, 40).await.unwrap();
    write_twice(&store, &lease.fence).await;
    steps(&store, &lease.fence, 41, 50).await.unwrap();
    report(50);
    std::future::pending().await
}
