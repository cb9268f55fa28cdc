//! Suite `wait_for_callback`: callbacks whose id a step submits.

use durable::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Submits nothing: the suite reads the id from the history.
async fn submit_id(_id: &str) -> Result<(), BoxError> {
    Ok(())
}

async fn fail_to_submit(_id: &str) -> Result<(), BoxError> {
    Err("the external system is unavailable".into())
}

#[durable]
pub(super) async fn awaited(name: String) -> Result<Value, BoxError> {
    Ok(callback!("answer", label = name, submit = |id| submit_id(id).await).await?)
}

#[durable]
pub(super) async fn named() -> Result<Value, BoxError> {
    Ok(callback!("approval", submit = |id| submit_id(id).await).await?)
}

#[durable]
pub(super) async fn unnamed() -> Result<Value, BoxError> {
    Ok(callback!("answer", submit = |id| submit_id(id).await).await?)
}

#[durable]
pub(super) async fn failed(name: String) -> Result<Value, BoxError> {
    Ok(callback!("answer", label = name, submit = |id| submit_id(id).await).await?)
}

#[durable]
pub(super) async fn timed_out(name: String) -> Result<Value, BoxError> {
    let limit = 3.seconds();
    Ok(callback!(
        "answer",
        label = name,
        timeout = limit,
        submit = |id| submit_id(id).await
    )
    .await?)
}

#[durable]
pub(super) async fn failure_caught(name: String) -> Result<String, BoxError> {
    let answer: Result<Value, CallbackError> =
        callback!("answer", label = name, submit = |id| submit_id(id).await).await;
    match answer {
        Ok(value) => Err(format!("the callback succeeded with {value}").into()),
        Err(_) => Ok("recovered".to_owned()),
    }
}

#[durable]
pub(super) async fn not_submitted(name: String) -> Result<Value, BoxError> {
    let twice = Retry::fixed(1.seconds()).attempts(2);
    Ok(callback!(
        "answer",
        label = name,
        retry = twice,
        submit = |id| fail_to_submit(id).await
    )
    .await?)
}

#[durable]
pub(super) async fn in_a_child(name: String) -> Result<Value, BoxError> {
    let wrapper = scope!("wrapper", {
        callback!("answer", label = name, submit = |id| submit_id(id).await).await
    });
    Ok(wrapper.await?)
}

#[durable]
pub(super) async fn twice() -> Result<Value, BoxError> {
    let _first: Value = callback!("first", submit = |id| submit_id(id).await).await?;
    Ok(callback!("second", submit = |id| submit_id(id).await).await?)
}

async fn fixed() -> Result<String, BoxError> {
    Ok("fixed".to_owned())
}

#[durable]
pub(super) async fn after_others(name: String) -> Result<Value, BoxError> {
    wait!(1.seconds()).await;
    step!(fixed().await).await?;
    Ok(callback!("answer", label = name, submit = |id| submit_id(id).await).await?)
}

#[derive(Serialize, Deserialize)]
struct Decision {
    status: String,
}

#[durable]
pub(super) async fn object(name: String) -> Result<String, BoxError> {
    let decision: Decision =
        callback!("answer", label = name, submit = |id| submit_id(id).await).await?;
    Ok(decision.status)
}

#[durable]
pub(super) async fn without_heartbeat(name: String) -> Result<Value, BoxError> {
    let pause = 5.seconds();
    let answer = callback!(
        "answer",
        label = name,
        heartbeat = pause,
        submit = |id| submit_id(id).await
    );
    Ok(answer.await?)
}

#[durable]
pub(super) async fn with_heartbeat(name: String) -> Result<Value, BoxError> {
    let pause = 10.seconds();
    let answer = callback!(
        "answer",
        label = name,
        heartbeat = pause,
        submit = |id| submit_id(id).await
    );
    Ok(answer.await?)
}

#[durable]
pub(super) async fn timeout_caught(name: String) -> Result<String, BoxError> {
    let limit = 3.seconds();
    let answer: Result<Value, CallbackError> = callback!(
        "answer",
        label = name,
        timeout = limit,
        submit = |id| submit_id(id).await
    )
    .await;
    match answer {
        Err(error) if error.kind() == ErrorKind::TimedOut => Ok("timed-out-handled".to_owned()),
        Err(error) => Err(error.into()),
        Ok(value) => Err(format!("the callback succeeded with {value}").into()),
    }
}

#[durable]
pub(super) async fn nothing(name: String) -> Result<Option<Value>, BoxError> {
    Ok(callback!("answer", label = name, submit = |id| submit_id(id).await).await?)
}
