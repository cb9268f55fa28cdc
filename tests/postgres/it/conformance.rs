//! Conformance suite of stores on PostgreSQL.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use durable_core::conformance;
use durable_core::store::{AesGcm, PayloadCodec, SealedStore};
use durable_postgres::{LeaseClock, Options, PostgresStore};
use durable_postgres_tests::{Bouncer, Server};

/// The cases do not test crashes of the server, so it need not flush.
const QUICK: [(&str, &str); 2] = [("fsync", "off"), ("max_connections", "300")];

/// Opens a store in a new schema. The cases simulate time, so leases use the time of the caller.
async fn fresh(url: &str, count: &AtomicU32) -> PostgresStore {
    let n = count.fetch_add(1, Ordering::Relaxed);
    let options: Options = format!("{url}&schema=s{n}&pool_size=4").parse().unwrap();
    let options = options.lease_clock(LeaseClock::Caller);
    PostgresStore::open(options).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_conforms() {
    let Some(server) = Server::start(&QUICK).await else {
        return;
    };
    let (url, count) = (server.database().await, AtomicU32::new(0));
    conformance::run(async || Arc::new(fresh(&url, &count).await) as _)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_conforms_behind_pgbouncer() {
    let Some(server) = Server::start(&QUICK).await else {
        return;
    };
    let Some(bouncer) = Bouncer::start(&server).await else {
        return;
    };
    let (url, count) = (bouncer.url("postgres"), AtomicU32::new(0));
    conformance::run(async || Arc::new(fresh(&url, &count).await) as _)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_conforms_sealed() {
    let Some(server) = Server::start(&QUICK).await else {
        return;
    };
    let (url, count) = (server.database().await, AtomicU32::new(0));
    conformance::run(async || {
        let store = Arc::new(fresh(&url, &count).await);
        let key: Arc<dyn PayloadCodec> = Arc::new(AesGcm::new("k1", &[7; 32]));
        Arc::new(SealedStore::new(store, [key]).unwrap()) as _
    })
    .await
    .unwrap();
}
