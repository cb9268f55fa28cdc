//! Suite `invoke`, and the functions that requirements invoke.

use durable::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::App;
use super::codecs::{Upper, UpperJson};

#[durable]
pub(super) async fn echo(input: Value) -> Result<Value, BoxError> {
    Ok(input)
}

#[durable]
pub(super) async fn error(_input: Value) -> Result<Value, BoxError> {
    Err("the target failed".into())
}

#[durable]
pub(super) async fn echoes(app: &App, text: String) -> Result<String, BoxError> {
    Ok(invoke!("echo", function = &app.target, text).await?)
}

#[derive(Serialize, Deserialize)]
pub(super) struct Named {
    name: String,
    payload: Value,
}

#[durable]
pub(super) async fn named_at_run_time(app: &App, input: Named) -> Result<Value, BoxError> {
    let Named { name, payload } = input;
    Ok(invoke!("echo", label = name, function = &app.target, payload).await?)
}

#[durable]
pub(super) async fn object(app: &App, object: Value) -> Result<Value, BoxError> {
    Ok(invoke!("echo", function = &app.target, object).await?)
}

#[durable]
pub(super) async fn null(app: &App) -> Result<(), BoxError> {
    Ok(invoke!("echo", function = &app.target).await?)
}

#[durable]
pub(super) async fn fails(app: &App) -> Result<Value, BoxError> {
    Ok(invoke!("error", function = &app.target).await?)
}

#[durable]
pub(super) async fn failure_caught(app: &App) -> Result<String, BoxError> {
    let answer: Result<Value, InvokeError> = invoke!("error", function = &app.target).await;
    match answer {
        Ok(value) => Err(format!("the target succeeded with {value}").into()),
        Err(_) => Ok("fallback".to_owned()),
    }
}

#[durable]
pub(super) async fn large(app: &App) -> Result<Value, BoxError> {
    let large = "x".repeat(200 * 1024);
    let echoed: String = invoke!("echo", function = &app.target, large).await?;
    Ok(json!({ "length": echoed.len() }))
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ForTenant {
    tenant_id: String,
    payload: Value,
}

#[durable]
pub(super) async fn for_a_tenant(app: &App, input: ForTenant) -> Result<Value, BoxError> {
    let ForTenant { tenant_id, payload } = input;
    Ok(invoke!("echo", function = &app.target, tenant = tenant_id, payload).await?)
}

#[durable]
pub(super) async fn before_a_wait(app: &App) -> Result<Value, BoxError> {
    let echoed = invoke!("echo", function = &app.target, "hello".to_owned()).await?;
    wait!(1.seconds()).await;
    Ok(echoed)
}

#[durable]
pub(super) async fn failure_replayed(app: &App) -> Result<String, BoxError> {
    let answer: Result<Value, InvokeError> = invoke!("error", function = &app.target).await;
    wait!(1.seconds()).await;
    match answer {
        Ok(value) => Err(format!("the target succeeded with {value}").into()),
        Err(error) => Ok(error.message().to_owned()),
    }
}

async fn prepare() -> Result<String, BoxError> {
    Ok("from a step".to_owned())
}

async fn consume(text: &str) -> Result<String, BoxError> {
    Ok(format!("got {text}"))
}

#[durable]
pub(super) async fn after_a_step(app: &App) -> Result<Value, BoxError> {
    let prepared = step!(prepare().await).await?;
    Ok(invoke!("echo", function = &app.target, prepared).await?)
}

#[durable]
pub(super) async fn before_a_step(app: &App) -> Result<String, BoxError> {
    let echoed: String = invoke!("echo", function = &app.target, "hello".to_owned()).await?;
    Ok(step!(consume(&echoed).await).await?)
}

#[durable]
pub(super) async fn in_a_child(app: &App) -> Result<Value, BoxError> {
    let child = scope!("child", {
        invoke!("echo", function = &app.target, "hello".to_owned()).await
    });
    Ok(child.await?)
}

#[durable]
pub(super) async fn twice(app: &App) -> Result<[String; 2], BoxError> {
    let one = invoke!("one", function = &app.target, "one".to_owned()).await?;
    let two = invoke!("two", function = &app.second_target, "two".to_owned()).await?;
    Ok([one, two])
}

#[durable]
pub(super) async fn input_encoded(app: &App, object: Value) -> Result<Value, BoxError> {
    Ok(invoke!(
        "echo",
        function = &app.target,
        input_codec = UpperJson,
        object
    )
    .await?)
}

#[durable]
pub(super) async fn result_decoded(app: &App, text: String) -> Result<String, BoxError> {
    Ok(invoke!("echo", function = &app.target, codec = Upper, text).await?)
}
