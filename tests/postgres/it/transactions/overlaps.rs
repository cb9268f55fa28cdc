//! Calls in a transaction beside savepoints, chains, other transactions, dropped futures, seals and poolers.

use std::time::Duration;

use durable::postgres::InTransaction;
use durable::store::{AesGcm, SealedStore};
use durable::{Client, Worker};
use durable_core::store::{ExecutionStatus, ExecutionStore, MessageStore};
use durable_postgres::CallerTransaction;
use durable_postgres_tests::{Bouncer, client};

use super::{Shop, bill, order, relay, tally};
use crate::support::{id, open, polled, until};

/// Calls in a savepoint that is rolled back. `kept` exists.
pub(super) async fn calls_to_undo(client: &Client, inner: &mut impl CallerTransaction) {
    client.start_in(inner, bill, "undone", 1).await.unwrap();
    let error = client.send_in(inner, "nobody", "add", &1).await;
    error.unwrap_err();
    client.send_in(inner, "kept", "add", &1).await.unwrap();
}

/// Calls in a savepoint that is released.
pub(super) async fn calls_to_keep(client: &Client, inner: &mut impl CallerTransaction) {
    client.start_in(inner, bill, "inner", 1).await.unwrap();
    client.send_in(inner, "kept", "add", &2).await.unwrap();
}

pub(super) async fn assert_only_the_kept_calls(shop: &Shop) {
    assert_eq!(shop.executions().await, ["inner", "kept"]);
    assert_eq!(shop.store.get(&id("kept")).await.unwrap().changes, 1);
    assert_eq!(shop.client.messages("kept").await.unwrap().len(), 1);
}

#[tokio::test]
async fn savepoints_of_the_caller_take_calls_with_them() {
    let Some(mut shop) = Shop::open().await else {
        return;
    };
    let client = &shop.client;
    let mut tx = shop.db.transaction().await.unwrap();
    client.start_in(&mut tx, tally, "kept", ()).await.unwrap();
    // A savepoint with the name of the calls' own.
    let mut inner = tx.savepoint("durable_call").await.unwrap();
    order(&inner, 1).await;
    calls_to_undo(client, &mut inner).await;
    inner.rollback().await.unwrap();
    let mut inner = tx.transaction().await.unwrap();
    calls_to_keep(client, &mut inner).await;
    inner.commit().await.unwrap();
    tx.commit().await.unwrap();
    assert_only_the_kept_calls(&shop).await;
}

#[tokio::test]
async fn a_message_to_a_chain_goes_to_its_last_execution() {
    let Some(mut shop) = Shop::open().await else {
        return;
    };
    shop.client.start(relay, "a", 1).await.unwrap();
    let run = durable::run(relay, "a", 1).store(shop.store.clone());
    let run = tokio::spawn(async move { run.await });
    until("it has continued", async || {
        let found = shop.store.get(&id("a")).await.unwrap();
        found.status == ExecutionStatus::Continued
    })
    .await;
    let mut tx = shop.db.transaction().await.unwrap();
    shop.client.send_in(&mut tx, "a", "add", &9).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(run.await.unwrap().unwrap(), 9);
}

/// A dropped call leaves nothing in the transaction, wherever it was.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_call_leaves_nothing_in_the_transaction() {
    let Some(mut shop) = Shop::open().await else {
        return;
    };
    let client = &shop.client;
    client.start(tally, "sum", ()).await.unwrap();
    let (mut dropped, mut sent, mut started) = (0, 0, 0);
    for polls in 0.. {
        let mut tx = shop.db.transaction().await.unwrap();
        let call = client.send_in(&mut tx, "sum", "add", &1);
        let was_sent = polled(polls, call).await.map(Result::unwrap).is_some();
        let call = client.start_in(&mut tx, tally, format!("new-{polls}"), ());
        let call = polled(polls, call.message("add", &1));
        let was_started = call.await.map(Result::unwrap).is_some();
        tx.commit().await.unwrap();
        sent += u64::from(was_sent);
        started += usize::from(was_started);
        dropped += usize::from(!was_sent) + usize::from(!was_started);
        if was_sent && was_started {
            break;
        }
    }
    println!("{dropped} calls were dropped, {sent} sent and {started} started");
    assert!(dropped > 2);
    let execution = shop.store.get(&id("sum")).await.unwrap();
    assert_eq!(execution.changes, sent);
    let messages = client.messages("sum").await.unwrap();
    assert_eq!(messages.len() as u64, sent);
    let executions = shop.executions().await;
    assert_eq!(executions.len(), started + 1);
    for name in executions.iter().filter(|name| *name != "sum") {
        assert_eq!(client.messages(name).await.unwrap().len(), 1, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_transactions_start_an_id_once() {
    let Some(mut shop) = Shop::open().await else {
        return;
    };
    for (name, commits) in [("a", true), ("b", false)] {
        let mut tx = shop.db.transaction().await.unwrap();
        shop.client.start_in(&mut tx, bill, name, 1).await.unwrap();
        let (other, url) = (shop.client.clone(), shop.url.clone());
        let second = tokio::spawn(async move {
            let mut db = client(&url).await.unwrap();
            let mut tx = db.transaction().await.unwrap();
            other.start_in(&mut tx, bill, name, 1).await.unwrap();
            tx.commit().await.unwrap();
        });
        tokio::time::sleep(Duration::from_millis(150)).await;
        assert!(!second.is_finished(), "it waits for the first");
        match commits {
            true => tx.commit().await.unwrap(),
            false => tx.rollback().await.unwrap(),
        }
        second.await.unwrap();
    }
    assert_eq!(shop.executions().await, ["a", "b"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sealed_values_are_sealed_in_the_transaction() {
    let Some(mut shop) = Shop::open().await else {
        return;
    };
    let key = AesGcm::new("one", &[7; 32]);
    let sealed = SealedStore::new(shop.store.clone(), [key]).unwrap();
    let client = Client::new(sealed.clone());
    let mut tx = shop.db.transaction().await.unwrap();
    let start = client.start_in(&mut tx, tally, "sum", ());
    let execution = start.message("add", &41).await.unwrap();
    client.send_in(&mut tx, "sum", "add", &0).await.unwrap();
    tx.commit().await.unwrap();
    let stored = shop.store.get(&id("sum")).await.unwrap();
    assert!(stored.input.codec.contains("one"), "{}", stored.input.codec);
    for message in shop.store.messages(&id("sum")).await.unwrap() {
        assert!(message.payload.codec.contains("one"));
    }
    let run = durable::run(tally, "sum", ()).store(sealed);
    assert_eq!(run.await.unwrap(), 41);
    assert_eq!(execution.result().await.unwrap(), 41);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn polling_finds_it_without_listen_and_behind_pgbouncer() {
    let Some(shop) = Shop::open().await else {
        return;
    };
    let Some(bouncer) = Bouncer::start(&shop.server).await else {
        return;
    };
    let database = shop.url.split('?').next().unwrap().rsplit('/').next();
    let through = bouncer.url(database.unwrap());
    let store = open(&format!("{through}&pgbouncer=true")).await;
    let worker = Worker::new(store.clone()).register(bill);
    let worker = tokio::spawn(worker.run_until(std::future::pending()));
    let caller = Client::new(store);
    let mut db = client(&through).await.unwrap();
    for n in 0..3 {
        let mut tx = db.transaction().await.unwrap();
        let name = format!("bill-{n}");
        let execution = caller.start_in(&mut tx, bill, &name, n).await.unwrap();
        tx.commit().await.unwrap();
        let done = tokio::time::timeout(Duration::from_secs(20), execution.result());
        assert_eq!(done.await.unwrap().unwrap(), n * 2);
    }
    worker.abort();
}
