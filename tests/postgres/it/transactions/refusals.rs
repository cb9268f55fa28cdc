//! Transactions that a store cannot write in.

use durable::Client;
use durable::postgres::InTransaction;
use durable::store::{MemoryStore, StoreError};
use durable_core::RunError;
use durable_core::store::{ExecutionStore, StoreErrorKind};
use durable_postgres_tests::client;
use tokio_postgres::{IsolationLevel, Transaction};

use super::{Shop, bill, order};
use crate::support::{id, open, sql};

/// The error of a start in a transaction.
async fn refused(caller: &Client, tx: &mut Transaction<'_>) -> StoreError {
    match caller.start_in(tx, bill, "a", 1).await.unwrap_err() {
        RunError::Store(error) => error,
        other => panic!("{other}"),
    }
}

fn assert_says(error: &StoreError, kind: StoreErrorKind, words: &[&str]) {
    assert_eq!(error.kind(), kind, "{error}");
    for word in words {
        let text = error.to_string();
        assert!(text.contains(word), "{word:?} is not in: {text}");
    }
}

#[tokio::test]
async fn refuses_a_transaction_on_another_database_or_schema() {
    let Some(mut shop) = Shop::open().await else {
        return;
    };
    let elsewhere = shop.server.database().await;
    sql(&elsewhere, "CREATE TABLE orders (id int8 PRIMARY KEY)").await;
    let mut db = client(&elsewhere).await.unwrap();
    let same = StoreErrorKind::Unusable;
    // A database without a store.
    let mut tx = db.transaction().await.unwrap();
    let error = refused(&shop.client, &mut tx).await;
    assert_says(&error, same, &["no tables of the store", "same database"]);
    order(&tx, 1).await;
    tx.commit().await.unwrap();
    // A database with another store.
    let other = open(&elsewhere).await;
    let mut tx = db.transaction().await.unwrap();
    let error = refused(&shop.client, &mut tx).await;
    assert_says(&error, same, &["another store", "same database"]);
    tx.commit().await.unwrap();
    // A copy of the database, which has the same id.
    let admin = shop.server.admin().await;
    let name = shop.url.split('?').next().unwrap().rsplit('/').next();
    let name = name.unwrap();
    let end =
        format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'");
    loop {
        admin.batch_execute(&end).await.unwrap();
        let copy = format!("CREATE DATABASE copied TEMPLATE {name}");
        if admin.batch_execute(&copy).await.is_ok() {
            break;
        }
    }
    let mut copied = client(&shop.server.url("copied")).await.unwrap();
    let mut tx = copied.transaction().await.unwrap();
    let error = refused(&shop.client, &mut tx).await;
    assert_says(&error, same, &["database `copied`", "same database"]);
    drop(tx);
    // Another schema of the same database has another store.
    let second = open(&format!("{elsewhere}&schema=second")).await;
    let mut tx = db.transaction().await.unwrap();
    let second_client = Client::new(second.clone());
    second_client.start_in(&mut tx, bill, "a", 1).await.unwrap();
    let mixed = second_client.within(other.within(&mut tx));
    let error = mixed.start(bill, "b", 1).await.unwrap_err();
    assert!(error.to_string().contains("another store"), "{error}");
    drop(mixed);
    tx.commit().await.unwrap();
    second.get(&id("a")).await.unwrap();
    other.get(&id("a")).await.unwrap_err();
    shop.db = client(&shop.url).await.unwrap();
}

#[tokio::test]
async fn refuses_tables_of_another_version() {
    let Some(mut shop) = Shop::open().await else {
        return;
    };
    let newest = client(&shop.url).await.unwrap();
    let select = "SELECT value FROM durable.settings WHERE name = 'version'";
    let newest: String = newest.query_one(select, &[]).await.unwrap().get(0);
    for (version, kind, words) in [
        ("99", StoreErrorKind::TooNew, ["newer release", "99"]),
        (
            "1",
            StoreErrorKind::Unusable,
            ["version 1", "open the store again"],
        ),
    ] {
        let set = |version: &str| {
            format!("UPDATE durable.settings SET value = '{version}' WHERE name = 'version'")
        };
        sql(&shop.url, &set(version)).await;
        let mut tx = shop.db.transaction().await.unwrap();
        order(&tx, version.parse().unwrap()).await;
        let error = refused(&shop.client, &mut tx).await;
        assert_says(&error, kind, &words);
        tx.commit().await.unwrap();
        sql(&shop.url, &set(&newest)).await;
    }
    assert_eq!(shop.orders().await, [1, 99]);
    assert!(shop.executions().await.is_empty());
}

#[tokio::test]
async fn refuses_an_aborted_and_a_read_only_transaction() {
    let Some(mut shop) = Shop::open().await else {
        return;
    };
    let unusable = StoreErrorKind::Unusable;
    let mut tx = shop.db.transaction().await.unwrap();
    tx.execute("SELECT 1/0", &[]).await.unwrap_err();
    let error = refused(&shop.client, &mut tx).await;
    assert_says(
        &error,
        unusable,
        &["an earlier error aborted it", "roll it back"],
    );
    tx.rollback().await.unwrap();
    let builder = shop.db.build_transaction().read_only(true);
    let mut tx = builder.start().await.unwrap();
    let error = refused(&shop.client, &mut tx).await;
    assert_says(&error, unusable, &["read-only"]);
    tx.commit().await.unwrap();
    let memory = Client::new(MemoryStore::new());
    let mut tx = shop.db.transaction().await.unwrap();
    let error = refused(&memory, &mut tx).await;
    assert_says(&error, unusable, &["not on PostgreSQL"]);
    shop.client.start_in(&mut tx, bill, "a", 1).await.unwrap();
    tx.commit().await.unwrap();
    shop.store.get(&id("a")).await.unwrap();
}

#[tokio::test]
async fn reports_missing_privileges_of_the_connection() {
    let Some(shop) = Shop::open().await else {
        return;
    };
    sql(
        &shop.url,
        "CREATE ROLE web LOGIN; GRANT ALL ON orders TO web",
    )
    .await;
    let as_web = shop.url.replace("postgres@", "web@");
    let mut db = client(&as_web).await.unwrap();
    let mut tx = db.transaction().await.unwrap();
    order(&tx, 1).await;
    let error = refused(&shop.client, &mut tx).await;
    assert_says(&error, StoreErrorKind::Unusable, &["lacks a privilege"]);
    order(&tx, 2).await;
    tx.commit().await.unwrap();
    let grants = "GRANT USAGE ON SCHEMA durable TO web; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA durable \
                  TO web";
    sql(&shop.url, grants).await;
    let mut tx = db.transaction().await.unwrap();
    shop.client.start_in(&mut tx, bill, "a", 1).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(shop.orders().await, [1, 2]);
    assert_eq!(shop.executions().await, ["a"]);
}

#[tokio::test]
async fn a_serialization_failure_asks_for_another_transaction() {
    let Some(mut shop) = Shop::open().await else {
        return;
    };
    let builder = shop.db.build_transaction();
    let builder = builder.isolation_level(IsolationLevel::RepeatableRead);
    let mut tx = builder.start().await.unwrap();
    tx.execute("SELECT 1", &[]).await.unwrap();
    shop.client.start(bill, "a", 1).await.unwrap();
    let error = refused(&shop.client, &mut tx).await;
    assert_says(&error, StoreErrorKind::Unavailable, &["run it again"]);
    drop(tx);
    let mut tx = shop.db.transaction().await.unwrap();
    shop.client.start_in(&mut tx, bill, "a", 1).await.unwrap();
    tx.commit().await.unwrap();
}
