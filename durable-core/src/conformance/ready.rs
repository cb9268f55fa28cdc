//! Whoever waits for work, or for an end, is told.

use std::time::Duration;

use super::fixture::{NOW, ending, id, json, new, run_to, suspend, with_callback};
use super::{Defect, Outcome, Store, same};
use crate::model::record::Completion;
use crate::store::{Change, ExecutionUpdate, StoreError};

/// Far longer than any store takes.
const LONG: Duration = Duration::from_secs(20);
/// Long enough for a question to reach the store.
const SHORT: Duration = Duration::from_millis(30);

/// Asks for news, and makes sure that there are none yet.
async fn listening(
    store: &Store,
) -> Result<tokio::task::JoinHandle<Result<u64, StoreError>>, Defect> {
    let mut seen = store.ready(0).await?;
    // A store may tell of what is no news, but not for ever.
    while let Ok(more) = tokio::time::timeout(SHORT, store.ready(seen)).await {
        seen = more?;
    }
    let store = store.clone();
    Ok(tokio::spawn(async move { store.ready(seen).await }))
}

async fn told(news: tokio::task::JoinHandle<Result<u64, StoreError>>, of: &str) -> Outcome {
    match tokio::time::timeout(LONG, news).await {
        Ok(Ok(answer)) => answer.map(drop).map_err(Defect::from),
        Ok(Err(lost)) => Err(Defect::new(format!("a task was lost: {lost}"))),
        Err(_) => Err(Defect::new(format!("nobody was told of {of}"))),
    }
}

pub(super) async fn what_becomes_due_is_told(store: Store) -> Outcome {
    let news = listening(&store).await?;
    store.start(new("a")?).await?;
    told(news, "a start").await?;
    let (fence, callback, _) = with_callback(&store, "b").await?;
    store.checkpoint(&fence, ending(2, suspend())).await?;
    let news = listening(&store).await?;
    let outcome = Completion::Succeed(json("1"));
    store.complete(&callback, outcome, NOW).await?;
    told(news, "a callback").await?;
    let news = listening(&store).await?;
    store.change(&id("b")?, Change::Resume, NOW).await?;
    told(news, "a resumption").await
}

pub(super) async fn an_end_is_told(store: Store) -> Outcome {
    store.start(new("a")?).await?;
    let question = {
        let (store, id) = (store.clone(), id("a")?);
        tokio::spawn(async move { store.changed(&id, 7).await.map(|()| 0) })
    };
    tokio::time::sleep(SHORT).await;
    same!(question.is_finished(), false, "answered before the end");
    let output = json("1");
    run_to(&store, "a", ExecutionUpdate::Succeed { output }).await?;
    told(question, "the end").await?;
    // And it is known afterwards.
    match tokio::time::timeout(LONG, store.changed(&id("a")?, 7)).await {
        Ok(answer) => answer.map_err(Defect::from),
        Err(_) => Err(Defect::new("an end of before is not told of")),
    }
}
