//! Migration of files written by older releases.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may stop at what it did not expect, and say why"
)]

mod support;

use durable_core::store::{AdminStore, ExecutionStatus, ExecutionStore, Filter};
use rusqlite::Connection;
use support::{claim_due, open, positions};
use tempfile::tempdir;

const FIRST_SCHEMA: &str = include_str!("../src/schema.sql");

/// Rows as the first release wrote them: one execution of each status, one of them with a step.
const FIRST_ROWS: &str = "
    PRAGMA application_id = 1146241612;
    PRAGMA user_version = 1;
    INSERT INTO executions (key, id, handler, status, created_at, updated_at, wake_at, input_codec, input) VALUES
        (1, 'queued', 'etl', 'queued', 1000, 1000, NULL, 'json', x'31'),
        (2, 'sleeps', 'etl', 'suspended', 1000, 2000, 3000, 'json', x'31'),
        (3, 'waits', 'etl', 'suspended', 1000, 2000, NULL, 'json', x'31'),
        (4, 'done', 'etl', 'succeeded', 1000, 2000, NULL, 'json', x'31'),
        (5, 'died', 'etl', 'running', 1000, 2000, NULL, 'json', x'31');
    INSERT INTO leases VALUES (5, 0, 'gone', 9000000000000);
    INSERT INTO operations (place, id, kind, name, ord, status, attempt, interruptions, started_at, secret, source)
        VALUES ((2 << 32) | 1, zeroblob(16), 'step', 'load', 1, 'started', 1, 0, 1500, 0, 'a.rs:1');
";

#[tokio::test]
async fn executions_of_the_first_release_can_be_claimed() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("a.db");
    let conn = Connection::open(&path).unwrap();
    conn.execute_batch(FIRST_SCHEMA).unwrap();
    conn.execute_batch(FIRST_ROWS).unwrap();
    drop(conn);
    let store = open(&path).await;
    let all = store.list(Filter::default()).await.unwrap();
    assert_eq!(all.len(), 5);
    let running = Filter {
        status: vec![ExecutionStatus::Running],
        ..Filter::default()
    };
    let running = store.list(running).await.unwrap();
    assert_eq!(running[0].id.as_str(), "died");
    assert_eq!(positions(&store, "sleeps").await, [1]);
    let leases = claim_due(&store, true).await;
    let mut claimed: Vec<_> = leases
        .iter()
        .map(|lease| (lease.execution.id.as_str(), lease.was_interrupted))
        .collect();
    claimed.sort_unstable();
    assert_eq!(
        claimed,
        [("died", true), ("queued", false), ("sleeps", false)]
    );
    let waits = store.get(&"waits".parse().unwrap()).await.unwrap();
    assert_eq!(waits.status, ExecutionStatus::Suspended);
}
