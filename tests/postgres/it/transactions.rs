//! Starts, messages and completions in transactions of the caller.

mod kill;
mod overlaps;
mod refusals;
mod sqlx;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use durable::postgres::InTransaction;
use durable::prelude::*;
use durable::{Client, Worker};
use durable_core::store::{
    AdminStore, ExecutionStatus, ExecutionStore, Filter, MessageStore, StoreErrorKind,
};
use durable_postgres::{CallerTransaction, PostgresStore};
use durable_postgres_tests::{Server, client};

use crate::processes::{Workers, given};
use crate::support::{id, open, sql, until};

#[durable]
async fn bill(order: i64) -> Result<i64, BoxError> {
    Ok(step!("charge", charge(order).await).await?)
}

async fn charge(order: i64) -> Result<i64, BoxError> {
    Ok(order * 2)
}

#[durable]
async fn pack(order: i64) -> Result<i64, BoxError> {
    Ok(order)
}

/// Adds up the messages `add` until one is zero.
#[durable]
async fn tally(_unused: ()) -> Result<i64, BoxError> {
    let mut sum = 0;
    loop {
        match receive!("add").await? {
            0 => return Ok(sum),
            more => sum += more,
        }
    }
}

#[durable]
async fn approve(_unused: ()) -> Result<String, BoxError> {
    Ok(callback!("approval").await?)
}

/// Receives through a chain of two executions.
#[durable]
async fn relay(left: u32) -> Result<i64, BoxError> {
    if left > 0 {
        return continue_as!(left - 1).await;
    }
    Ok(receive!("add").await?)
}

/// A database with a store, a table of the user's, and a connection of the user's.
struct Shop {
    server: Arc<Server>,
    url: String,
    store: PostgresStore,
    client: Client,
    db: tokio_postgres::Client,
}

impl Shop {
    async fn open() -> Option<Self> {
        let server = Server::shared().await?;
        let url = server.database().await;
        sql(&url, "CREATE TABLE orders (id int8 PRIMARY KEY)").await;
        let store = open(&url).await;
        let db = client(&url).await.unwrap();
        Some(Self {
            client: Client::new(store.clone()),
            server,
            url,
            store,
            db,
        })
    }

    async fn orders(&self) -> Vec<i64> {
        let rows = client(&self.url).await.unwrap();
        let rows = rows.query("SELECT id FROM orders ORDER BY id", &[]).await;
        rows.unwrap().iter().map(|row| row.get(0)).collect()
    }

    async fn executions(&self) -> Vec<String> {
        let filter = Filter {
            limit: 100_000,
            ..Filter::default()
        };
        let found = self.store.list(filter).await.unwrap().into_iter();
        found.map(|execution| execution.id.to_string()).collect()
    }
}

/// Inserts a row of the user's.
async fn order(tx: &tokio_postgres::Transaction<'_>, id: i64) {
    tx.execute("INSERT INTO orders VALUES ($1)", &[&id])
        .await
        .unwrap();
}

/// Body of a worker in another process. Does nothing when it runs as a test.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn worker() {
    let Some(given) = given() else {
        return;
    };
    let worker = Worker::new(given.store().await)
        .register(bill)
        .register(tally);
    let worker = worker.suspend_after(Duration::ZERO);
    worker.run_until(std::future::pending()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_wakes_a_worker_in_another_process_and_a_rollback_leaves_nothing() {
    let Some(mut shop) = Shop::open().await else {
        return;
    };
    let _workers = Workers::start("transactions::worker", 1, &shop.url, Path::new(""));
    let warm = shop.client.start(bill, "warm", 1).await.unwrap();
    warm.result().await.unwrap();
    let mut waits = Vec::new();
    for n in 0..9 {
        tokio::time::sleep(Duration::from_millis(70)).await;
        let mut tx = shop.db.transaction().await.unwrap();
        order(&tx, n).await;
        let name = format!("bill-{n}");
        let execution = shop.client.start_in(&mut tx, bill, &name, n).await.unwrap();
        // Nothing of it is visible before the commit.
        let error = shop.store.get(&id(&name)).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::NotFound);
        let begun = Instant::now();
        tx.commit().await.unwrap();
        assert_eq!(execution.result().await.unwrap(), n * 2);
        waits.push(begun.elapsed());
        let mut tx = shop.db.transaction().await.unwrap();
        order(&tx, 100 + n).await;
        let name = format!("undone-{n}");
        shop.client.start_in(&mut tx, bill, &name, n).await.unwrap();
        tx.rollback().await.unwrap();
        let error = shop.store.get(&id(&name)).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::NotFound);
    }
    waits.sort();
    println!(
        "from the commit to the result of another process: {:?}",
        waits[4]
    );
    // A worker that only polls does so four times a second.
    assert!(waits[4] < Duration::from_millis(150), "{waits:?}");
    assert_eq!(shop.orders().await, (0..9).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_and_completions_take_effect_with_the_commit() {
    let Some(mut shop) = Shop::open().await else {
        return;
    };
    let worker = Worker::new(shop.store.clone())
        .register(tally)
        .register(approve);
    let worker = worker
        .suspend_after(Duration::ZERO)
        .run_until(std::future::pending());
    let worker = tokio::spawn(worker);
    let client = &shop.client;
    let sum = client.start(tally, "sum", ()).await.unwrap();
    let approval = client.start(approve, "approval", ()).await.unwrap();
    until("the callback waits", async || {
        let found = shop.store.get(&id("approval")).await.unwrap().status;
        found == ExecutionStatus::Suspended
    })
    .await;
    let history = shop.store.history(&id("approval")).await.unwrap();
    let callback = history[0].handle.clone().unwrap();
    for (n, commits) in [(1, true), (2, false), (4, true)] {
        let mut tx = shop.db.transaction().await.unwrap();
        client.send_in(&mut tx, "sum", "add", &n).await.unwrap();
        // A repeated message is ignored, also within the transaction.
        for _ in 0..2 {
            let again = client.send_in(&mut tx, "sum", "add", &(n * 10));
            again.id(format!("ten times {n}")).await.unwrap();
        }
        if n == 2 {
            let done = client.complete_in(&mut tx, &callback, &"no");
            done.await.unwrap();
        }
        match commits {
            true => tx.commit().await.unwrap(),
            false => tx.rollback().await.unwrap(),
        }
    }
    let mut tx = shop.db.transaction().await.unwrap();
    let done = client.complete_in(&mut tx, &callback, &"yes");
    done.await.unwrap();
    let error = client.complete_in(&mut tx, &callback, &"again");
    let error = error.await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Conflict, "{error}");
    client.send_in(&mut tx, "sum", "add", &0).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(sum.result().await.unwrap(), 55);
    assert_eq!(approval.result().await.unwrap(), "yes");
    worker.abort();
}

/// Makes calls that are refused, and starts that find an execution. `a` exists, and `ended` was cancelled.
async fn refused_and_repeated_calls(client: &Client, tx: &mut (impl CallerTransaction + Send)) {
    let error = client.start_in(tx, bill, "a", 2).await.unwrap_err();
    assert!(matches!(error, RunError::IdInUse(_)), "{error}");
    let error = client.start_in(tx, pack, "a", 1).await.unwrap_err();
    assert!(matches!(error, RunError::IdInUse(_)), "{error}");
    for (to, kind) in [
        ("nobody", StoreErrorKind::NotFound),
        ("ended", StoreErrorKind::Conflict),
        ("", StoreErrorKind::Unusable),
    ] {
        let error = client.send_in(tx, to, "add", &1).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
    }
    let error = client.complete_in(tx, "a:1:07:x", &1).await;
    assert_eq!(error.unwrap_err().kind(), StoreErrorKind::NotFound);
    let start = client.start_in(tx, bill, "ended", 1);
    let error = start.message("add", &1).await.unwrap_err();
    assert!(error.to_string().contains("has cancelled"), "{error}");
    // The same handler and input: the second start finds the first.
    for _ in 0..2 {
        client.start_in(tx, bill, "b", 2).await.unwrap();
    }
    client.start_in(tx, bill, "a", 1).await.unwrap();
}

#[tokio::test]
async fn errors_leave_the_transaction_usable() {
    let Some(mut shop) = Shop::open().await else {
        return;
    };
    let client = &shop.client;
    client.start(bill, "a", 1).await.unwrap();
    client.start(bill, "ended", 1).await.unwrap();
    client.cancel(&id("ended")).await.unwrap();
    let mut tx = shop.db.transaction().await.unwrap();
    order(&tx, 1).await;
    refused_and_repeated_calls(client, &mut tx).await;
    order(&tx, 2).await;
    tx.commit().await.unwrap();
    assert_eq!(shop.orders().await, [1, 2]);
    assert_eq!(shop.executions().await, ["a", "b", "ended"]);
}

#[tokio::test]
async fn a_start_has_all_options_and_takes_few_statements() {
    let Some(mut shop) = Shop::open().await else {
        return;
    };
    let client = &shop.client;
    let mut tx = shop.db.transaction().await.unwrap();
    let statements = shop.store.stats().statements;
    client.start_in(&mut tx, bill, "plain", 7).await.unwrap();
    // It verifies the database, inserts and notifies.
    assert_eq!(shop.store.stats().statements - statements, 3);
    let start = client.start_in(&mut tx, tally, "full", ());
    let start = start.queue("imports").key("acme").priority(3);
    let start = start.label("tenant", "acme").label("region", "eu");
    start.message("add", &5).message_id("first").await.unwrap();
    // The execution is there, so it is sent the message.
    let more = client.start_in(&mut tx, tally, "full", ());
    more.message("add", &6).await.unwrap();
    let later = durable_core::Timestamp::from_millis(4_000_000_000_000);
    let start = client.start_in(&mut tx, bill, "later", 1).at(later);
    start.await.unwrap();
    tx.commit().await.unwrap();
    let found = shop.store.get(&id("full")).await.unwrap();
    let entry = found.queue.clone().unwrap();
    assert_eq!(
        (&*entry.queue, entry.key.as_deref()),
        ("imports", Some("acme"))
    );
    assert_eq!((entry.priority, found.changes), (3, 2));
    assert_eq!(found.labels.get("tenant"), Some("acme"));
    let messages = shop.store.messages(&id("full")).await.unwrap();
    assert_eq!(messages.len(), 2);
    assert_eq!(messages[0].id, "first");
    let found = shop.store.get(&id("later")).await.unwrap();
    assert_eq!(found.start_at, Some(later));
    let filter = Filter {
        labels: found_labels(),
        ..Filter::default()
    };
    assert_eq!(shop.store.list(filter).await.unwrap().len(), 1);
}

fn found_labels() -> durable_core::Labels {
    durable_core::Labels::new().with("region", "eu").unwrap()
}
