//! Runs the conformance suite of stores.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use durable_sqlite::SqliteStore;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_conforms() {
    let directory = tempfile::tempdir().unwrap();
    let count = AtomicU32::new(0);
    let fresh = async || {
        let n = count.fetch_add(1, Ordering::Relaxed);
        let path = directory.path().join(format!("{n}.db"));
        Arc::new(SqliteStore::open(path).await.unwrap()) as _
    };
    durable_core::conformance::run(fresh).await.unwrap();
}
