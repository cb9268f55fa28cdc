//! Errors of the server: the store reports them clearly and recovers.

use std::time::{Duration, Instant};

use durable_core::store::{CheckpointStore, ExecutionStore, StoreErrorKind};
use durable_postgres::PostgresStore;
use durable_postgres_tests::{Disk, Server, client};

use crate::support::{TTL, batch, id, leased, new, now, open, positions, sql, steps};

#[tokio::test]
async fn recovers_from_too_many_connections() {
    let settings = [
        ("max_connections", "12"),
        ("superuser_reserved_connections", "0"),
    ];
    let Some(server) = Server::start(&settings).await else {
        return;
    };
    let url = server.database().await;
    let mut held = Vec::new();
    while let Ok(one) = client(&url).await {
        held.push(one);
    }
    let error = PostgresStore::connect(&url).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error}");
    assert!(error.to_string().contains("max_connections"), "{error}");
    // A waiting call succeeds as soon as a connection is free.
    let waiting = tokio::spawn({
        let url = url.clone();
        async move { PostgresStore::connect(&url).await }
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    held.clear();
    let store = waiting.await.unwrap().unwrap();
    store.start(new("a")).await.unwrap();
}

#[tokio::test]
async fn recovers_from_a_statement_timeout_without_changes() {
    let Some(server) = Server::start(&[]).await else {
        return;
    };
    let url = server.database().await;
    let store = open(&format!("{url}&options=-c%20statement_timeout%3D300")).await;
    let lease = leased(&store, "a").await;
    steps(&store, &lease.fence, 1, 1).await.unwrap();
    let blocker = client(&url).await.unwrap();
    blocker
        .batch_execute("BEGIN; LOCK TABLE durable.records IN ACCESS EXCLUSIVE MODE")
        .await
        .unwrap();
    let error = store
        .checkpoint(&lease.fence, batch(2, None))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error}");
    assert!(error.to_string().contains("statement_timeout"), "{error}");
    blocker.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(positions(&store, "a").await, [1]);
    steps(&store, &lease.fence, 2, 2).await.unwrap();
    assert_eq!(positions(&store, "a").await, [1, 2]);
}

#[tokio::test]
async fn reports_a_read_only_role() {
    let Some(server) = Server::start(&[]).await else {
        return;
    };
    let url = server.database().await;
    open(&url).await;
    sql(
        &url,
        "CREATE ROLE reader LOGIN; ALTER ROLE reader SET default_transaction_read_only = on; GRANT USAGE ON SCHEMA durable TO \
         reader; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA durable TO reader",
    )
    .await;
    let store = open(&url.replace("postgres@", "reader@")).await;
    let error = store.start(new("a")).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error}");
    assert!(error.to_string().contains("read-only"), "{error}");
    let error = store.get(&id("a")).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::NotFound, "{error}");
}

#[tokio::test]
async fn reports_a_wrong_password_host_or_database() {
    let Some(server) = Server::start(&[]).await else {
        return;
    };
    let url = server.database().await;
    let missing = server.url("nowhere");
    let error = PostgresStore::connect(&missing).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unusable, "{error}");
    assert!(error.to_string().contains("nowhere"), "{error}");
    let stranger = url.replace("postgres@", "stranger:secret@");
    let error = PostgresStore::connect(&stranger).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unusable, "{error}");
    assert!(!error.to_string().contains("secret"), "{error}");
    let begun = Instant::now();
    let nobody = "postgres://postgres@127.0.0.1:1/postgres?sslmode=disable";
    let error = PostgresStore::connect(nobody).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error}");
    assert!(error.to_string().contains("127.0.0.1:1"), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(30));
    let encrypted = url.replace("sslmode=disable", "sslmode=require");
    let error = PostgresStore::connect(&encrypted).await.unwrap_err();
    assert!(error.to_string().contains("sslmode"), "{error}");
}

/// Moves the tables to a file system of a few megabytes. Skipped if this process may not mount one.
#[tokio::test]
async fn recovers_from_a_full_disk_without_changes() {
    let Some(server) = Server::start(&[]).await else {
        return;
    };
    let small = server.folder().join("small");
    let Some(_disk) = Disk::mount(&small, 6) else {
        println!("skipped: mounting a file system is not permitted");
        return;
    };
    let url = server.database().await;
    let store = open(&url).await;
    let admin = client(&url).await.unwrap();
    let space = format!("CREATE TABLESPACE small LOCATION '{}'", small.display());
    admin.batch_execute(&space).await.unwrap();
    admin
        .batch_execute("ALTER TABLE durable.records SET TABLESPACE small")
        .await
        .unwrap();
    let lease = leased(&store, "a").await;
    let mut written = 0;
    let error = loop {
        let mut large = (*batch(written + 1, None)).clone();
        // Random, so that PostgreSQL cannot compress it.
        let value: String = (0..200_000).map(|_| fastrand::alphanumeric()).collect();
        large.records[0].payload = Some(durable_core::Payload::json(value));
        match store.checkpoint(&lease.fence, large.into()).await {
            Ok(_) => written += 1,
            Err(error) => break error,
        }
        assert!(written < 500, "the disk does not fill up");
    };
    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error}");
    assert!(error.to_string().contains("disk is full"), "{error}");
    let expected: Vec<_> = (1..=written).collect();
    assert_eq!(positions(&store, "a").await, expected);
    store.renew(&lease.fence, now(), TTL).await.unwrap();
    admin
        .batch_execute("ALTER TABLE durable.records SET TABLESPACE pg_default")
        .await
        .unwrap();
    steps(&store, &lease.fence, written + 1, written + 1)
        .await
        .unwrap();
    assert_eq!(positions(&store, "a").await.len() as u64, written + 1);
}
