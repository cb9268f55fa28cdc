//! Suite `callback`. The input is the label of the callback.

use durable::prelude::*;
use serde_json::{Value, json};

use super::codecs::{Dated, Number};

async fn work() -> Result<String, BoxError> {
    Ok("done".to_owned())
}

#[durable]
pub(super) async fn awaited(name: String) -> Result<Value, BoxError> {
    Ok(callback!("callback", label = name).await?)
}

#[durable]
pub(super) async fn named() -> Result<Value, BoxError> {
    Ok(callback!("approval").await?)
}

#[durable]
pub(super) async fn timed_out(name: String) -> Result<Value, BoxError> {
    Ok(callback!("callback", label = name, timeout = 5.seconds()).await?)
}

#[durable]
pub(super) async fn without_heartbeat(name: String) -> Result<Value, BoxError> {
    Ok(callback!("callback", label = name, heartbeat = 5.seconds()).await?)
}

#[durable]
pub(super) async fn with_heartbeat(name: String) -> Result<Value, BoxError> {
    Ok(callback!("callback", label = name, heartbeat = 10.seconds()).await?)
}

#[durable]
pub(super) async fn failed(name: String) -> Result<Value, BoxError> {
    Ok(callback!("callback", label = name).await?)
}

#[durable]
pub(super) async fn failed_after_a_step(name: String) -> Result<Value, BoxError> {
    let answer = callback!("callback", label = name);
    step!(work().await).await?;
    Ok(answer.await?)
}

#[durable]
pub(super) async fn timed_out_after_a_step(name: String) -> Result<Value, BoxError> {
    let answer = callback!("callback", label = name, timeout = 5.seconds());
    step!(work().await).await?;
    Ok(answer.await?)
}

#[durable]
pub(super) async fn completed_during_a_wait(name: String) -> Result<Value, BoxError> {
    let answer = callback!("callback", label = name);
    wait!(5.seconds()).await;
    Ok(answer.await?)
}

#[durable]
pub(super) async fn failed_during_a_wait(name: String) -> Result<Value, BoxError> {
    let answer = callback!("callback", label = name);
    wait!(5.seconds()).await;
    Ok(answer.await?)
}

#[durable]
pub(super) async fn timed_out_during_a_wait(name: String) -> Result<Value, BoxError> {
    let answer = callback!("callback", label = name, timeout = 3.seconds());
    wait!(6.seconds()).await;
    Ok(answer.await?)
}

#[durable]
pub(super) async fn before_a_wait(name: String) -> Result<Value, BoxError> {
    let answer = callback!("callback", label = name).await?;
    wait!(2.seconds()).await;
    Ok(answer)
}

/// Returns the error message of a failed callback.
fn message(answer: Result<Value, CallbackError>) -> Result<String, BoxError> {
    match answer {
        Ok(value) => Err(format!("the callback succeeded with {value}").into()),
        Err(error) => Ok(error.message().to_owned()),
    }
}

#[durable]
pub(super) async fn failure_caught(name: String) -> Result<String, BoxError> {
    let caught = message(callback!("callback", label = name).await)?;
    wait!(2.seconds()).await;
    Ok(caught)
}

#[durable]
pub(super) async fn timeout_caught(name: String) -> Result<String, BoxError> {
    let answer = callback!("callback", label = name, timeout = 3.seconds());
    let caught = message(answer.await)?;
    wait!(2.seconds()).await;
    Ok(caught)
}

#[durable]
pub(super) async fn decoded(name: String) -> Result<Value, BoxError> {
    let received = callback!("callback", label = name, codec = Dated).await?;
    Ok(json!({ "received": received }))
}

#[durable]
pub(super) async fn number(name: String) -> Result<Value, BoxError> {
    let count = callback!("callback", label = name, codec = Number).await?;
    Ok(json!({ "count": count, "doubled": count * 2 }))
}

#[durable]
pub(super) async fn one_after_the_other(names: [String; 2]) -> Result<[Value; 2], BoxError> {
    let first = callback!("first", label = &names[0]).await?;
    let second = callback!("second", label = &names[1]).await?;
    Ok([first, second])
}

#[durable]
pub(super) async fn two_in_order(names: [String; 2]) -> Result<[Value; 2], BoxError> {
    let first = callback!("first", label = &names[0]);
    let second = callback!("second", label = &names[1]);
    Ok([first.await?, second.await?])
}

#[durable]
pub(super) async fn two_in_reverse(names: [String; 2]) -> Result<[Value; 2], BoxError> {
    let first = callback!("first", label = &names[0]);
    let second = callback!("second", label = &names[1]);
    let second = second.await?;
    Ok([first.await?, second])
}
