//! Transactions of sqlx.

use std::time::Duration;

use durable::postgres::InTransaction;
use durable::prelude::*;
use durable::store::{MemoryStore, StoreError};
use durable::{Client, Worker};
use durable_core::store::{
    AdminStore, ExecutionStatus, ExecutionStore, MessageStore, StoreErrorKind,
};
use durable_postgres_tests::Server;
use sqlx::postgres::PgPoolOptions;
use sqlx::{Connection, PgConnection, PgPool};

use super::overlaps::{assert_only_the_kept_calls, calls_to_keep, calls_to_undo};
use super::{Shop, approve, bill, refused_and_repeated_calls, tally};
use crate::support::{id, polled, sql, until};

pub(super) async fn pool(url: &str) -> PgPool {
    let options = PgPoolOptions::new().max_connections(2);
    options.connect(url).await.unwrap()
}

/// Inserts a row of the user's.
pub(super) async fn order(tx: &mut PgConnection, id: i64) {
    let insert = sqlx::query("INSERT INTO orders VALUES ($1)").bind(id);
    insert.execute(tx).await.unwrap();
}

async fn shop() -> Option<(Shop, PgPool)> {
    let shop = Shop::open().await?;
    let db = pool(&shop.url).await;
    Some((shop, db))
}

/// The error of a start in a transaction.
async fn refused(caller: &Client, tx: &mut PgConnection) -> StoreError {
    match caller.start_in(tx, bill, "a", 1).await.unwrap_err() {
        RunError::Store(error) => error,
        other => panic!("{other}"),
    }
}

fn assert_says(error: &StoreError, kind: StoreErrorKind, words: &[&str]) {
    let text = error.to_string();
    assert_eq!(error.kind(), kind, "{text}");
    for word in words {
        assert!(text.contains(word), "{word:?} is not in: {text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_take_effect_with_the_commit_and_leave_nothing_after_a_rollback() {
    let Some((shop, db)) = shop().await else {
        return;
    };
    let client = &shop.client;
    let worker = Worker::new(shop.store.clone())
        .register(bill)
        .register(tally)
        .register(approve);
    let worker = worker
        .suspend_after(Duration::ZERO)
        .run_until(std::future::pending());
    let worker = tokio::spawn(worker);
    let sum = client.start(tally, "sum", ()).await.unwrap();
    let approval = client.start(approve, "approval", ()).await.unwrap();
    until("the callback waits", async || {
        let found = shop.store.get(&id("approval")).await.unwrap().status;
        found == ExecutionStatus::Suspended
    })
    .await;
    let history = shop.store.history(&id("approval")).await.unwrap();
    let callback = history[0].handle.clone().unwrap();

    let mut tx = db.begin().await.unwrap();
    order(&mut tx, 1).await;
    client.start_in(&mut tx, bill, "undone", 1).await.unwrap();
    client.send_in(&mut tx, "sum", "add", &100).await.unwrap();
    let done = client.complete_in(&mut tx, &callback, &"no");
    done.await.unwrap();
    tx.rollback().await.unwrap();
    let error = shop.store.get(&id("undone")).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::NotFound);

    let mut tx = db.begin().await.unwrap();
    order(&mut tx, 2).await;
    let start = client.start_in(&mut tx, bill, "made", 21);
    let billed = start.label("from", "sqlx").await.unwrap();
    let start = client.start_in(&mut tx, tally, "total", ());
    let total = start.message("add", &5).message_id("first").await.unwrap();
    client.send_in(&mut tx, "total", "add", &0).await.unwrap();
    // A repeated message is ignored, also within the transaction.
    for _ in 0..2 {
        let message = client.send_in(&mut tx, "sum", "add", &7);
        message.id("seven").await.unwrap();
    }
    client.send_in(&mut tx, "sum", "add", &0).await.unwrap();
    let done = client.complete_in(&mut tx, &callback, &"yes");
    done.await.unwrap();
    // Nothing of it is visible before the commit.
    shop.store.get(&id("made")).await.unwrap_err();
    tx.commit().await.unwrap();
    assert_eq!(billed.result().await.unwrap(), 42);
    assert_eq!(total.result().await.unwrap(), 5);
    assert_eq!(sum.result().await.unwrap(), 7);
    assert_eq!(approval.result().await.unwrap(), "yes");
    assert_eq!(shop.orders().await, [2]);
    let found = shop.store.get(&id("made")).await.unwrap();
    assert_eq!(found.labels.get("from"), Some("sqlx"));
    worker.abort();
}

#[tokio::test]
async fn errors_leave_the_transaction_usable() {
    let Some((shop, db)) = shop().await else {
        return;
    };
    let client = &shop.client;
    client.start(bill, "a", 1).await.unwrap();
    client.start(bill, "ended", 1).await.unwrap();
    client.cancel(&id("ended")).await.unwrap();
    let mut tx = db.begin().await.unwrap();
    order(&mut tx, 1).await;
    refused_and_repeated_calls(client, &mut tx).await;
    order(&mut tx, 2).await;
    tx.commit().await.unwrap();
    assert_eq!(shop.orders().await, [1, 2]);
    assert_eq!(shop.executions().await, ["a", "b", "ended"]);
}

#[tokio::test]
async fn refuses_transactions_that_the_store_cannot_write_in() {
    let Some((shop, db)) = shop().await else {
        return;
    };
    let unusable = StoreErrorKind::Unusable;
    let elsewhere = shop.server.database().await;
    sql(&elsewhere, "CREATE TABLE orders (id int8 PRIMARY KEY)").await;
    let other = pool(&elsewhere).await;
    let mut tx = other.begin().await.unwrap();
    let error = refused(&shop.client, &mut tx).await;
    assert_says(
        &error,
        unusable,
        &["no tables of the store", "same database"],
    );
    order(&mut tx, 1).await;
    tx.commit().await.unwrap();
    crate::support::open(&elsewhere).await;
    let mut tx = other.begin().await.unwrap();
    let error = refused(&shop.client, &mut tx).await;
    assert_says(&error, unusable, &["another store", "same database"]);
    drop(tx);

    // After an error of the caller's, the transaction is not ended by the call.
    let mut tx = db.begin().await.unwrap();
    sqlx::query("SELECT 1/0")
        .execute(&mut *tx)
        .await
        .unwrap_err();
    let error = refused(&shop.client, &mut tx).await;
    assert_says(&error, unusable, &["an earlier error aborted it"]);
    let insert = sqlx::query("INSERT INTO orders VALUES (9)");
    insert.execute(&mut *tx).await.unwrap_err();
    tx.rollback().await.unwrap();

    let mut tx = db.begin_with("BEGIN READ ONLY").await.unwrap();
    let error = refused(&shop.client, &mut tx).await;
    assert_says(&error, unusable, &["read-only"]);
    tx.commit().await.unwrap();

    let mut connection = db.acquire().await.unwrap();
    let error = refused(&shop.client, &mut connection).await;
    assert_says(&error, unusable, &["not in a transaction"]);

    let memory = Client::new(MemoryStore::new());
    let mut tx = connection.begin().await.unwrap();
    let error = refused(&memory, &mut tx).await;
    assert_says(&error, unusable, &["not on PostgreSQL"]);
    shop.client.start_in(&mut tx, bill, "a", 1).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(shop.executions().await, ["a"]);
    assert!(shop.orders().await.is_empty());
}

#[tokio::test]
async fn savepoints_of_the_caller_take_calls_with_them() {
    let Some((shop, db)) = shop().await else {
        return;
    };
    let client = &shop.client;
    let mut tx = db.begin().await.unwrap();
    client.start_in(&mut tx, tally, "kept", ()).await.unwrap();
    let mut inner = tx.begin().await.unwrap();
    order(&mut inner, 1).await;
    calls_to_undo(client, &mut inner).await;
    inner.rollback().await.unwrap();
    let mut inner = tx.begin().await.unwrap();
    calls_to_keep(client, &mut inner).await;
    inner.commit().await.unwrap();
    tx.commit().await.unwrap();
    assert_only_the_kept_calls(&shop).await;
}

/// A dropped call leaves nothing in the transaction, which fails if the call was about to end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_call_leaves_nothing() {
    let Some((shop, db)) = shop().await else {
        return;
    };
    let client = &shop.client;
    client.start(tally, "sum", ()).await.unwrap();
    let (mut dropped, mut failed, mut sent, mut rows) = (0, 0, 0, Vec::new());
    // How many polls a call needs depends on how fast the server answers.
    let polls = (0..20).chain([usize::MAX]).cycle();
    for (row, polls) in (0..160).step_by(2).zip(polls) {
        let mut tx = db.begin().await.unwrap();
        order(&mut tx, row).await;
        let call = client.send_in(&mut tx, "sum", "add", &1);
        let is_sent = polled(polls, call).await.map(Result::unwrap).is_some();
        dropped += u64::from(!is_sent);
        let insert = sqlx::query("INSERT INTO orders VALUES ($1)").bind(row + 1);
        let inserted = insert.execute(&mut *tx).await.is_ok();
        match inserted && tx.commit().await.is_ok() {
            true => {
                sent += u64::from(is_sent);
                rows.extend([row, row + 1]);
            }
            false => failed += 1,
        }
    }
    println!(
        "{dropped} calls were dropped, {failed} transactions failed, {sent} messages were sent"
    );
    assert_eq!(shop.orders().await, rows);
    let stored = shop.store.messages(&id("sum")).await.unwrap().len();
    assert_eq!(stored as u64, sent);
    assert!(dropped > 4 && sent > 2 && failed < dropped);
}

/// Runs a step in a transaction whose body starts another execution.
#[durable]
async fn checkout((db, client): &(PgPool, Client), number: i64) -> Result<i64, BoxError> {
    let total = step!("order", tx = db, retry = Retry::none(), |tx| {
        order(tx, number).await;
        let name = format!("bill-{number}");
        client.start_in(tx, bill, name, number).await?;
        if number < 0 {
            return Err("the total is negative".into());
        }
        Ok::<_, BoxError>(number)
    })
    .await?;
    Ok(total)
}

#[tokio::test]
async fn the_body_of_a_step_starts_an_execution_with_its_outcome() {
    let Some((shop, db)) = shop().await else {
        return;
    };
    durable::transaction::migrate(&db).await.unwrap();
    let state = (db, shop.client.clone());
    for (name, number) in [("first", 7), ("second", -7)] {
        let run = durable::run(checkout, name, number);
        let done = run.state(&state).store(shop.store.clone()).await;
        assert_eq!(done.is_ok(), number > 0);
    }
    assert_eq!(shop.orders().await, [7]);
    assert_eq!(shop.executions().await, ["bill-7", "first", "second"]);
}

/// The pool of the transaction may be closed, or its connection lost.
#[tokio::test]
async fn a_lost_connection_is_reported_as_unavailable() {
    let Some(mut server) = Server::start(&[]).await else {
        return;
    };
    let url = server.database().await;
    let client = Client::new(crate::support::open(&url).await);
    let mut connection = PgConnection::connect(&url).await.unwrap();
    let mut tx = connection.begin().await.unwrap();
    server.kill();
    let error = refused(&client, &mut tx).await;
    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error}");
}
