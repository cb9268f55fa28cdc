//! Inputs that a build cannot decode.

use durable::prelude::*;
use durable::sqlite::SqliteStore;
use durable::store::{ExecutionStatus, MemoryStore, Store};
use durable::{Client, Worker};
use serde::{Deserialize, Serialize};

use crate::support::{Serving, status, until};

#[derive(Serialize, Deserialize)]
struct Order {
    amount: u32,
}

mod first {
    use super::*;

    #[durable]
    pub(super) async fn order(order: Order) -> Result<u32, BoxError> {
        let reserved = step!("reserve", value(order.amount)).await?;
        wait!("later", Duration::from_secs(3600)).await;
        Ok(reserved)
    }
}

#[derive(Serialize, Deserialize)]
struct Priced {
    amount: u32,
    currency: String,
}

mod priced {
    use super::*;

    #[durable]
    pub(super) async fn order(order: Priced) -> Result<u32, BoxError> {
        let reserved = step!("reserve", value(order.amount)).await?;
        Ok(reserved + order.currency.len() as u32)
    }
}

#[derive(Serialize, Deserialize)]
struct Tolerant {
    amount: u32,
    #[serde(default)]
    currency: String,
}

mod tolerant {
    use super::*;

    #[durable(version = "2")]
    pub(super) async fn order(order: Tolerant) -> Result<u32, BoxError> {
        let reserved = step!("reserve", value(order.amount + 1)).await?;
        Ok(reserved + order.currency.len() as u32)
    }
}

fn value(n: u32) -> Result<u32, BoxError> {
    Ok(n)
}

/// Waits until the execution is blocked and returns the report.
async fn blocked(store: &dyn Store) -> String {
    until(async || status(store, "a").await == ExecutionStatus::Blocked).await;
    store
        .get(&"a".parse().unwrap())
        .await
        .unwrap()
        .report
        .unwrap()
}

async fn retyped<S: Store + Clone>(store: S) {
    let (client, id) = (Client::new(store.clone()), "a".parse().unwrap());
    let serving = Serving::begin(Worker::new(store.clone()).register(first::order));
    client
        .start(first::order, "a", Order { amount: 7 })
        .await
        .unwrap();
    until(async || status(&store, "a").await == ExecutionStatus::Suspended).await;
    serving.stop().await;
    let before = client.history(&id).await.unwrap();

    // A retry makes it due immediately.
    client
        .retry(&id, &durable::RetryFrom::Failure)
        .await
        .unwrap();
    let serving = Serving::begin(Worker::new(store.clone()).register(priced::order));
    let report = blocked(&store).await;
    for part in [
        "the recorded input of `order`:",
        "type `worker::inputs::Priced`, codec `json`",
        "type `worker::inputs::Order`, 12 bytes of codec `json`",
        "missing field `currency`",
        "#[serde(default)]",
        "The handler did not run",
    ] {
        assert!(report.contains(part), "{part} is missing in:\n{report}");
    }
    assert_eq!(client.history(&id).await.unwrap(), before);
    serving.stop().await;

    let serving = Serving::begin(Worker::new(store.clone()).register(tolerant::order));
    until(async || status(&store, "a").await == ExecutionStatus::Succeeded).await;
    let handle = client.handle(tolerant::order, "a").unwrap();
    assert_eq!(
        handle.result().await.unwrap(),
        7,
        "the step did not run again"
    );
    serving.stop().await;
}

#[tokio::test]
async fn an_input_of_a_different_type_blocks_until_a_build_decodes_it() {
    retyped(MemoryStore::new()).await;
    let folder = tempfile::tempdir().unwrap();
    retyped(SqliteStore::open(folder.path().join("a.db")).await.unwrap()).await;
}

async fn cancelled<S: Store + Clone>(store: S) {
    let (client, id) = (Client::new(store.clone()), "a".parse().unwrap());
    let now = durable::Clock::now(&durable::SystemClock);
    let wrong = durable::Payload::json("\"seven\"");
    let new = durable::store::NewExecution::new("a".parse().unwrap(), "order", wrong, now);
    store.start(new).await.unwrap();
    let serving = Serving::begin(Worker::new(store.clone()).register(first::order));
    let report = blocked(&store).await;
    assert!(
        report.contains("invalid type: string, expected struct Order"),
        "{report}"
    );
    assert!(!report.contains("seven"), "{report}");
    client.cancel(&id).await.unwrap();
    until(async || status(&store, "a").await == ExecutionStatus::Cancelled).await;
    serving.stop().await;
}

#[tokio::test]
async fn an_execution_with_an_undecodable_input_can_be_cancelled() {
    cancelled(MemoryStore::new()).await;
    let folder = tempfile::tempdir().unwrap();
    cancelled(SqliteStore::open(folder.path().join("a.db")).await.unwrap()).await;
}
