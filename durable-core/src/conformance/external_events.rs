//! `changed`, which waits for external events of an execution.

use std::time::Duration;

use tokio::task::JoinHandle;

use super::fixture::{NOW, claim_and_end, id, json, start_and_claim, with_callback, with_child};
use super::{Defect, Outcome, Store, expect_eq, expect_error};
use crate::model::record::Completion;
use crate::store::{ExecutionUpdate, StoreError};

/// Timeout for notifications, far longer than any store takes.
const NOTIFY_TIMEOUT: Duration = Duration::from_secs(20);
/// Time within which a request reaches the store.
const REQUEST_TIME: Duration = Duration::from_millis(30);

type Wait = JoinHandle<Result<(), StoreError>>;

/// Starts to wait, and checks that the wait does not end yet.
async fn start_waiting(store: &Store, name: &str, seen: u64) -> Result<Wait, Defect> {
    let (store, id) = (store.clone(), id(name)?);
    let wait = tokio::spawn(async move { store.changed(&id, seen).await });
    tokio::time::sleep(REQUEST_TIME).await;
    expect_eq!(
        wait.is_finished(),
        false,
        "the wait ended before the change"
    );
    Ok(wait)
}

async fn notified(wait: Wait) -> Outcome {
    match tokio::time::timeout(NOTIFY_TIMEOUT, wait).await {
        Ok(Ok(answer)) => Ok(answer?),
        Ok(Err(lost)) => Err(Defect::new(format!("a task panicked: {lost}"))),
        Err(_) => Err(Defect::new("the change did not end the wait")),
    }
}

fn yes() -> Completion {
    Completion::Succeed(json("true"))
}

pub(super) async fn a_completed_callback_ends_the_wait(store: Store) -> Outcome {
    let (_, callback, _) = with_callback(&store, "a").await?;
    let wait = start_waiting(&store, "a", 0).await?;
    store.complete(&callback, yes(), NOW).await?;
    notified(wait).await
}

pub(super) async fn a_heartbeat_ends_the_wait(store: Store) -> Outcome {
    let (_, callback, _) = with_callback(&store, "a").await?;
    let wait = start_waiting(&store, "a", 0).await?;
    store.heartbeat(&callback, NOW).await?;
    notified(wait).await?;
    let wait = start_waiting(&store, "a", 1).await?;
    store.heartbeat(&callback, NOW).await?;
    notified(wait).await
}

pub(super) async fn the_end_of_a_child_ends_the_wait(store: Store) -> Outcome {
    with_child(&store, "a", "a.1").await?;
    with_child(&store, "b", "b.1").await?;
    let a = start_waiting(&store, "a", 0).await?;
    let b = start_waiting(&store, "b", 0).await?;
    let output = json("1");
    claim_and_end(&store, "a.1", ExecutionUpdate::Succeed { output }).await?;
    notified(a).await?;
    expect_eq!(
        b.is_finished(),
        false,
        "the wait ended with a child of another execution"
    );
    store.cancel(&id("b.1")?, NOW).await?;
    notified(b).await
}

pub(super) async fn a_cancellation_ends_the_wait(store: Store) -> Outcome {
    start_and_claim(&store, "a").await?;
    let wait = start_waiting(&store, "a", 0).await?;
    store.cancel(&id("a")?, NOW).await?;
    notified(wait).await
}

pub(super) async fn an_earlier_change_ends_the_wait_at_once(store: Store) -> Outcome {
    let (_, callback, _) = with_callback(&store, "a").await?;
    store.complete(&callback, yes(), NOW).await?;
    let id = id("a")?;
    match tokio::time::timeout(NOTIFY_TIMEOUT, store.changed(&id, 0)).await {
        Ok(answer) => answer?,
        Err(_) => return Err(Defect::new("an earlier change did not end the wait")),
    }
    start_waiting(&store, "a", 1).await?.abort();
    Ok(())
}

pub(super) async fn a_change_ends_all_waits(store: Store) -> Outcome {
    let (_, callback, _) = with_callback(&store, "a").await?;
    let aborted = start_waiting(&store, "a", 0).await?;
    let mut waits = Vec::new();
    for _ in 0..3 {
        waits.push(start_waiting(&store, "a", 0).await?);
    }
    let later = start_waiting(&store, "a", 1).await?;
    aborted.abort();
    store.complete(&callback, yes(), NOW).await?;
    for wait in waits {
        notified(wait).await?;
    }
    tokio::time::sleep(REQUEST_TIME).await;
    expect_eq!(
        later.is_finished(),
        false,
        "the wait ended with a known change"
    );
    store.cancel(&id("a")?, NOW).await?;
    notified(later).await
}

pub(super) async fn an_unknown_execution_is_not_found(store: Store) -> Outcome {
    expect_error!(
        store.changed(&id("nobody")?, 0).await,
        NotFound,
        "an unknown execution"
    );
    Ok(())
}
