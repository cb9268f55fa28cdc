//! Conformance suite of stores on PostgreSQL.

use std::sync::Arc;

use durable_core::conformance;
use durable_core::store::{AesGcm, PayloadCodec, SealedStore};
use durable_postgres::{LeaseClock, Options, PostgresStore};
use durable_postgres_tests::{Bouncer, Server, client};

use crate::support::open;

const SETTINGS: [(&str, &str); 1] = [("max_connections", "300")];

/// Tables that every case finds empty. To create them for each case would take longer than the cases.
struct Tables {
    url: String,
    admin: tokio_postgres::Client,
    clear: String,
}

impl Tables {
    /// Creates the tables. `url` is what the stores use, and `direct` leads to the same database.
    async fn create(url: String, direct: &str) -> Self {
        drop(open(direct).await);
        let admin = client(direct).await.unwrap();
        let tables = "SELECT coalesce(string_agg(format('DELETE FROM durable.%I', tablename), ';'), '') FROM pg_tables WHERE \
                      schemaname = 'durable' AND tablename <> 'settings'";
        let clear = admin.query_one(tables, &[]).await.unwrap().get(0);
        Self { url, admin, clear }
    }

    /// Opens a store. The cases simulate time, so leases use the time of the caller.
    async fn fresh(&self) -> PostgresStore {
        self.admin.batch_execute(&self.clear).await.unwrap();
        let options: Options = format!("{}&pool_size=4", self.url).parse().unwrap();
        let options = options.lease_clock(LeaseClock::Caller);
        PostgresStore::open(options).await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_conforms() {
    let Some(server) = Server::start(&SETTINGS).await else {
        return;
    };
    let url = server.database().await;
    let tables = Tables::create(url.clone(), &url).await;
    conformance::run(async || Arc::new(tables.fresh().await) as _)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_conforms_behind_pgbouncer() {
    let Some(server) = Server::start(&SETTINGS).await else {
        return;
    };
    let Some(bouncer) = Bouncer::start(&server).await else {
        return;
    };
    let tables = Tables::create(bouncer.url("postgres"), &server.url("postgres")).await;
    conformance::run(async || Arc::new(tables.fresh().await) as _)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_conforms_sealed() {
    let Some(server) = Server::start(&SETTINGS).await else {
        return;
    };
    let url = server.database().await;
    let tables = Tables::create(url.clone(), &url).await;
    conformance::run(async || {
        let store = Arc::new(tables.fresh().await);
        let key: Arc<dyn PayloadCodec> = Arc::new(AesGcm::new("k1", &[7; 32]));
        Arc::new(SealedStore::new(store, [key]).unwrap()) as _
    })
    .await
    .unwrap();
}
