//! Whoever waits for a change from outside is told.

use std::time::Duration;

use tokio::task::JoinHandle;

use super::fixture::{NOW, id, json, leased, run_to, with_callback, with_child};
use super::{Defect, Outcome, Store, refused, same};
use crate::model::record::Completion;
use crate::store::{ExecutionUpdate, StoreError};

/// Far longer than any store takes.
const LONG: Duration = Duration::from_secs(20);
/// Long enough for a question to reach the store.
const SHORT: Duration = Duration::from_millis(30);

type Question = JoinHandle<Result<(), StoreError>>;

/// Asks, and makes sure that there is no answer yet.
async fn asked(store: &Store, name: &str, seen: u64) -> Result<Question, Defect> {
    let (store, id) = (store.clone(), id(name)?);
    let question = tokio::spawn(async move { store.changed(&id, seen).await });
    tokio::time::sleep(SHORT).await;
    same!(question.is_finished(), false, "answered before the change");
    Ok(question)
}

async fn answered(question: Question) -> Outcome {
    match tokio::time::timeout(LONG, question).await {
        Ok(Ok(answer)) => Ok(answer?),
        Ok(Err(lost)) => Err(Defect::new(format!("a task was lost: {lost}"))),
        Err(_) => Err(Defect::new("nobody was told of the change")),
    }
}

fn yes() -> Completion {
    Completion::Succeed(json("true"))
}

pub(super) async fn of_a_callback(store: Store) -> Outcome {
    let (_, callback, _) = with_callback(&store, "a").await?;
    let question = asked(&store, "a", 0).await?;
    store.complete(&callback, yes(), NOW).await?;
    answered(question).await
}

pub(super) async fn of_a_heartbeat(store: Store) -> Outcome {
    let (_, callback, _) = with_callback(&store, "a").await?;
    let question = asked(&store, "a", 0).await?;
    store.heartbeat(&callback, NOW).await?;
    answered(question).await?;
    let question = asked(&store, "a", 1).await?;
    store.heartbeat(&callback, NOW).await?;
    answered(question).await
}

pub(super) async fn of_a_child(store: Store) -> Outcome {
    with_child(&store, "a", "a.1").await?;
    with_child(&store, "b", "b.1").await?;
    let (a, b) = (asked(&store, "a", 0).await?, asked(&store, "b", 0).await?);
    let output = json("1");
    run_to(&store, "a.1", ExecutionUpdate::Succeed { output }).await?;
    answered(a).await?;
    same!(b.is_finished(), false, "told of a child of another");
    store.cancel(&id("b.1")?, NOW).await?;
    answered(b).await
}

pub(super) async fn of_a_cancellation(store: Store) -> Outcome {
    leased(&store, "a").await?;
    let question = asked(&store, "a", 0).await?;
    store.cancel(&id("a")?, NOW).await?;
    answered(question).await
}

pub(super) async fn from_before_the_question(store: Store) -> Outcome {
    let (_, callback, _) = with_callback(&store, "a").await?;
    store.complete(&callback, yes(), NOW).await?;
    let id = id("a")?;
    match tokio::time::timeout(LONG, store.changed(&id, 0)).await {
        Ok(answer) => answer?,
        Err(_) => return Err(Defect::new("nobody was told of the change")),
    }
    asked(&store, "a", 1).await?.abort();
    Ok(())
}

pub(super) async fn come_to_all_who_wait(store: Store) -> Outcome {
    let (_, callback, _) = with_callback(&store, "a").await?;
    let given_up = asked(&store, "a", 0).await?;
    let mut questions = Vec::new();
    for _ in 0..3 {
        questions.push(asked(&store, "a", 0).await?);
    }
    let later = asked(&store, "a", 1).await?;
    given_up.abort();
    store.complete(&callback, yes(), NOW).await?;
    for question in questions {
        answered(question).await?;
    }
    tokio::time::sleep(SHORT).await;
    same!(later.is_finished(), false, "told of what is known");
    store.cancel(&id("a")?, NOW).await?;
    answered(later).await
}

pub(super) async fn of_unknown_executions_are_not_found(store: Store) -> Outcome {
    refused!(
        store.changed(&id("nobody")?, 0).await,
        NotFound,
        "an unknown execution"
    );
    Ok(())
}
