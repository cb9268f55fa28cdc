//! `ready`, which waits for new work, and `changed` at the end of an execution.

use std::time::Duration;

use super::fixture::{NOW, claim_and_end, ending, id, json, new, suspend, with_callback};
use super::{Defect, Outcome, Store, expect_eq};
use crate::model::record::Completion;
use crate::store::{Change, ExecutionUpdate, StoreError};

/// Timeout for notifications, far longer than any store takes.
const NOTIFY_TIMEOUT: Duration = Duration::from_secs(20);
/// Time within which a request reaches the store.
const REQUEST_TIME: Duration = Duration::from_millis(30);

/// Waits until the store reports no more work, then starts to wait for new work.
async fn listening(
    store: &Store,
) -> Result<tokio::task::JoinHandle<Result<u64, StoreError>>, Defect> {
    let mut seen = store.ready(0).await?;
    // A store may report work that is already known, but not forever.
    while let Ok(more) = tokio::time::timeout(REQUEST_TIME, store.ready(seen)).await {
        seen = more?;
    }
    let store = store.clone();
    Ok(tokio::spawn(async move { store.ready(seen).await }))
}

async fn notified(wait: tokio::task::JoinHandle<Result<u64, StoreError>>, event: &str) -> Outcome {
    match tokio::time::timeout(NOTIFY_TIMEOUT, wait).await {
        Ok(Ok(answer)) => answer.map(drop).map_err(Defect::from),
        Ok(Err(lost)) => Err(Defect::new(format!("a task panicked: {lost}"))),
        Err(_) => Err(Defect::new(format!("{event} did not end the wait"))),
    }
}

pub(super) async fn due_executions_end_the_wait(store: Store) -> Outcome {
    let wait = listening(&store).await?;
    store.start(new("a")?).await?;
    notified(wait, "a start").await?;
    let (fence, callback, _) = with_callback(&store, "b").await?;
    store.checkpoint(&fence, ending(2, suspend())).await?;
    let wait = listening(&store).await?;
    let outcome = Completion::Succeed(json("1"));
    store.complete(&callback, outcome, NOW).await?;
    notified(wait, "a callback").await?;
    let wait = listening(&store).await?;
    store.change(&id("b")?, Change::Resume, NOW).await?;
    notified(wait, "a resumption").await
}

pub(super) async fn the_end_of_an_execution_ends_the_wait(store: Store) -> Outcome {
    store.start(new("a")?).await?;
    let wait = {
        let (store, id) = (store.clone(), id("a")?);
        tokio::spawn(async move { store.changed(&id, 7).await.map(|()| 0) })
    };
    tokio::time::sleep(REQUEST_TIME).await;
    expect_eq!(
        wait.is_finished(),
        false,
        "the wait ended before the execution"
    );
    let output = json("1");
    claim_and_end(&store, "a", ExecutionUpdate::Succeed { output }).await?;
    notified(wait, "the end").await?;
    // Later waits end at once.
    match tokio::time::timeout(NOTIFY_TIMEOUT, store.changed(&id("a")?, 7)).await {
        Ok(answer) => answer.map_err(Defect::from),
        Err(_) => Err(Defect::new("an earlier end did not end the wait")),
    }
}
