//! Suite `child`: scopes.

use durable::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::App;
use super::codecs::Upper;
use super::step::crash_once;

async fn work(text: &str) -> Result<String, BoxError> {
    Ok(text.to_owned())
}

async fn broken() -> Result<String, BoxError> {
    Err("broken".into())
}

#[durable]
pub(super) async fn one_step(text: String) -> Result<String, BoxError> {
    Ok(scope!("child", { step!(work(&text).await).await }).await?)
}

#[derive(Serialize, Deserialize)]
pub(super) struct Named {
    name: String,
    value: String,
}

#[durable]
pub(super) async fn named_at_run_time(input: Named) -> Result<String, BoxError> {
    let child = scope!("child", label = &input.name, {
        step!(work(&input.value).await).await
    });
    Ok(child.await?)
}

#[durable]
pub(super) async fn two_steps(text: String) -> Result<String, BoxError> {
    let child = scope!("two steps", {
        let first = step!("first", work(&text).await).await?;
        step!("second", work(&first).await).await
    });
    Ok(child.await?)
}

#[durable]
pub(super) async fn step_fails() -> Result<String, BoxError> {
    Ok(scope!("child", {
        step!(retry = Retry::none(), broken().await).await
    })
    .await?)
}

#[durable]
pub(super) async fn failure_caught(text: String) -> Result<String, BoxError> {
    let child = scope!("child", {
        step!(retry = Retry::none(), broken().await).await
    });
    match child.await {
        Ok(value) => Err(format!("the scope ended with {value:?}").into()),
        Err(_) => Ok(step!(work(&text).await).await?),
    }
}

#[durable]
pub(super) async fn nested(text: String) -> Result<String, BoxError> {
    let outer = scope!("outer", {
        let first = step!(work(&text).await).await?;
        scope!("inner", { step!(work(&first).await).await }).await
    });
    Ok(outer.await?)
}

async fn second_time(step: &StepInfo, text: &str) -> Result<String, BoxError> {
    match step.attempt() {
        1 => Err("the first attempt fails".into()),
        _ => work(text).await,
    }
}

#[durable]
pub(super) async fn step_retried(text: String) -> Result<String, BoxError> {
    let child = scope!("child", {
        step!("flaky", retry = Retry::fixed(1.seconds()), |step| {
            second_time(step, &text).await
        })
        .await
    });
    Ok(child.await?)
}

#[durable]
pub(super) async fn step_retries_exhausted() -> Result<String, BoxError> {
    let twice = Retry::fixed(1.seconds()).attempts(2);
    Ok(scope!("child", { step!(retry = twice, broken().await).await }).await?)
}

#[durable]
pub(super) async fn before_a_wait(text: String) -> Result<String, BoxError> {
    let child = scope!("child", { step!(work(&text).await).await }).await?;
    wait!(1.seconds()).await;
    Ok(child)
}

#[durable]
pub(super) async fn waits_inside(text: String) -> Result<String, BoxError> {
    let child = scope!("child", {
        let done = step!(work(&text).await).await?;
        wait!(1.seconds()).await;
        Ok(done)
    });
    Ok(child.await?)
}

#[durable]
pub(super) async fn large(text: String) -> Result<Value, BoxError> {
    let child = scope!("large", {
        tracing::info!("{text}");
        let part = step!(work("0123456789").await).await?;
        Ok(part.repeat(30 * 1024))
    });
    let large = child.await?;
    wait!(1.seconds()).await;
    Ok(json!({ "length": large.len() }))
}

#[durable]
pub(super) async fn interrupted(app: &App, text: String) -> Result<String, BoxError> {
    let child = scope!("child", {
        let flaky = step!("flaky", retry = Retry::none(), |step| {
            crash_once(app, step).await?;
            work(&text).await
        });
        flaky.await
    });
    Ok(child.await?)
}

#[durable]
pub(super) async fn only_waits(text: String) -> Result<String, BoxError> {
    let child = scope!("child", {
        wait!(1.seconds()).await;
        Ok::<_, BoxError>(text)
    });
    let waited = child.await?;
    Ok(step!(work(&waited).await).await?)
}

#[durable]
pub(super) async fn encoded(text: String) -> Result<String, BoxError> {
    Ok(scope!("child", codec = Upper, { step!(work(&text).await).await }).await?)
}

#[durable]
pub(super) async fn fails() -> Result<String, BoxError> {
    Ok(scope!("child", { broken().await }).await?)
}

#[durable]
pub(super) async fn null() -> Result<(), BoxError> {
    Ok(scope!("child", { Ok(()) }).await?)
}

#[durable]
pub(super) async fn only_logs(text: String) -> Result<String, BoxError> {
    let child = scope!("child", {
        tracing::info!("{text}");
        work(&text).await
    });
    let logged = child.await?;
    wait!(1.seconds()).await;
    Ok(logged)
}

#[durable]
pub(super) async fn mixed(text: String) -> Result<String, BoxError> {
    let child = scope!("child", {
        let done = step!(work(&text).await).await?;
        wait!(1.seconds()).await;
        Ok(done)
    });
    let inside = child.await?;
    let outside = step!(work(&inside).await).await?;
    wait!(1.seconds()).await;
    Ok(outside)
}
