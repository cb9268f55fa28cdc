//! Several builds at once: what one build cannot run, another one resumes.

use std::sync::Arc;

use durable::prelude::*;
use durable::store::{ExecutionStatus, MemoryStore};
use durable::{Client, Clock, Worker};

use crate::clock::PausedClock;
use crate::support::{Serving, status, until};

fn value(n: u32) -> Result<u32, BoxError> {
    Ok(n)
}

/// The handler in different builds of a program.
mod first {
    use super::*;

    #[durable]
    pub(super) async fn order(n: u32) -> Result<u32, BoxError> {
        let reserved = step!("reserve", value(n)).await?;
        let _: u32 = callback!("paid").await?;
        Ok(reserved + step!("ship", value(1)).await?)
    }
}

/// Uses the name of the step `reserve` for a wait.
mod broken {
    use super::*;

    #[durable]
    pub(super) async fn order(n: u32) -> Result<u32, BoxError> {
        wait!("reserve", Duration::from_millis(1)).await;
        let _: u32 = callback!("paid").await?;
        Ok(n + step!("ship", value(1)).await?)
    }
}

/// Makes the same mistake in a different build.
mod broken_again {
    use super::*;

    #[durable(version = "2")]
    pub(super) async fn order(n: u32) -> Result<u32, BoxError> {
        wait!("reserve", Duration::from_millis(1)).await;
        let _: u32 = callback!("paid").await?;
        Ok(n + step!("ship", value(1)).await?)
    }
}

mod fixed {
    use super::*;

    #[durable]
    pub(super) async fn order(n: u32) -> Result<u32, BoxError> {
        let reserved = step!("hold", was = "reserve", value(n)).await?;
        let _: u32 = callback!("paid").await?;
        Ok(reserved + step!("ship", value(2)).await?)
    }
}

fn worker(store: &MemoryStore, clock: &Arc<dyn Clock>) -> Worker<()> {
    Worker::new(store.clone()).clock(Arc::clone(clock))
}

/// Starts an execution that waits for its callback, and returns the callback's id.
async fn waiting(store: &MemoryStore, clock: &Arc<dyn Clock>) -> (Client, String) {
    let client = Client::new(store.clone()).clock(Arc::clone(clock));
    let serving = Serving::begin(worker(store, clock).register(first::order));
    let handle = client.start(first::order, "a", 7).await.unwrap();
    until(async || status(store, "a").await == ExecutionStatus::Suspended).await;
    let history = client.history(handle.id()).await.unwrap();
    serving.stop().await;
    (client, history[1].handle.clone().unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_blocked_execution_resumes_with_a_compatible_build() {
    let clock = PausedClock::shared();
    let store = MemoryStore::with_clock(Arc::clone(&clock));
    let (client, callback) = waiting(&store, &clock).await;
    let broken = Serving::begin(worker(&store, &clock).register(broken::order));
    client.complete(&callback, &1).await.unwrap();
    until(async || status(&store, "a").await == ExecutionStatus::Blocked).await;
    let id = "a".parse().unwrap();
    let report = client.describe(&id).await.unwrap().report.unwrap();
    assert!(report.contains("reserve"), "{report}");
    // The build that blocked it does not try again.
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!(status(&store, "a").await, ExecutionStatus::Blocked);
    let fixed = Serving::begin(worker(&store, &clock).register(fixed::order));
    until(async || status(&store, "a").await == ExecutionStatus::Succeeded).await;
    let handle = client.handle(fixed::order, "a").unwrap();
    assert_eq!(handle.result().await.unwrap(), 9);
    broken.stop().await;
    fixed.stop().await;
}

#[tokio::test(start_paused = true)]
async fn two_incompatible_builds_do_not_retry_endlessly() {
    let clock = PausedClock::shared();
    let store = MemoryStore::with_clock(Arc::clone(&clock));
    let (client, callback) = waiting(&store, &clock).await;
    let one = Serving::begin(worker(&store, &clock).register(broken::order));
    let two = Serving::begin(worker(&store, &clock).register(broken_again::order));
    client.complete(&callback, &1).await.unwrap();
    let id = "a".parse().unwrap();
    until(async || status(&store, "a").await == ExecutionStatus::Blocked).await;
    // Enough time for both to try it.
    tokio::time::sleep(Duration::from_millis(2500)).await;
    let before = client.describe(&id).await.unwrap().updated_at;
    tokio::time::sleep(Duration::from_millis(3000)).await;
    let after = client.describe(&id).await.unwrap();
    assert_eq!(
        (after.status, after.updated_at),
        (ExecutionStatus::Blocked, before)
    );
    one.stop().await;
    two.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_new_build_name_tries_again() {
    let clock = PausedClock::shared();
    let store = MemoryStore::with_clock(Arc::clone(&clock));
    let (client, callback) = waiting(&store, &clock).await;
    let broken = || worker(&store, &clock).register(broken::order);
    let serving = Serving::begin(broken());
    client.complete(&callback, &1).await.unwrap();
    until(async || status(&store, "a").await == ExecutionStatus::Blocked).await;
    let id = "a".parse().unwrap();
    let before = client.describe(&id).await.unwrap().updated_at;
    serving.stop().await;
    let serving = Serving::begin(broken().build("with a fixed dependency"));
    until(async || {
        let now = client.describe(&id).await.unwrap();
        now.status == ExecutionStatus::Blocked && now.updated_at > before
    })
    .await;
    serving.stop().await;
}
