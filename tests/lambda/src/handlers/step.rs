//! Suite `step`.

use durable::prelude::*;
use serde_json::{Value, json};

use super::App;
use super::codecs::Upper;

async fn greet(name: &str) -> Result<String, BoxError> {
    Ok(format!("Hello, {name}!"))
}

async fn compute(result: &str) -> Result<String, BoxError> {
    Ok(result.to_owned())
}

async fn broken() -> Result<String, BoxError> {
    Err("broken".into())
}

/// Fails before the given attempt.
async fn from_attempt(step: &StepInfo, attempt: u32) -> Result<String, BoxError> {
    match step.attempt() < attempt {
        true => Err(format!("attempt {} failed", step.attempt()).into()),
        false => Ok("Operation succeeded".to_owned()),
    }
}

/// Exits the process like a crash.
fn crash() -> ! {
    std::process::exit(1)
}

#[durable]
pub(super) async fn greets(name: String) -> Result<String, BoxError> {
    Ok(step!(greet(&name).await).await?)
}

#[durable]
pub(super) async fn named(name: String) -> Result<String, BoxError> {
    Ok(step!("custom_step_name", greet(&name).await).await?)
}

#[durable]
pub(super) async fn in_sequence() -> Result<String, BoxError> {
    let first = step!("first", compute("first").await).await?;
    Ok(step!("second", Ok::<_, BoxError>(format!("{first}_second"))).await?)
}

#[derive(serde::Serialize, serde::Deserialize)]
pub(super) struct User {
    name: String,
    tags: Vec<String>,
}

async fn count_tags(user: &User) -> Result<Value, BoxError> {
    Ok(json!({ "user": user, "count": user.tags.len() }))
}

#[durable]
pub(super) async fn objects(user: User) -> Result<Value, BoxError> {
    Ok(step!(count_tags(&user).await).await?)
}

async fn nothing() -> Result<(), BoxError> {
    Ok(())
}

#[durable]
pub(super) async fn null() -> Result<(), BoxError> {
    Ok(step!(nothing().await).await?)
}

#[durable]
pub(super) async fn encoded(text: String) -> Result<String, BoxError> {
    Ok(step!("shout", codec = Upper, compute(&text).await).await?)
}

#[durable]
pub(super) async fn logs(name: String) -> Result<String, BoxError> {
    let greeting = step!("greet", {
        tracing::info!("Greeting step started for: {name}");
        let greeting = greet(&name).await?;
        tracing::info!("Greeting step completed with: {greeting}");
        Ok(greeting)
    });
    Ok(greeting.await?)
}

#[durable]
pub(super) async fn before_a_wait() -> Result<String, BoxError> {
    let computed = step!(compute("computed").await).await?;
    wait!(2.seconds()).await;
    Ok(computed)
}

#[durable]
pub(super) async fn replayed() -> Result<String, BoxError> {
    let cached = step!("cache", {
        tracing::info!("the step runs");
        compute("cached_value").await
    });
    let cached = cached.await?;
    wait!(1.seconds()).await;
    Ok(cached)
}

#[durable]
pub(super) async fn failure_replayed() -> Result<String, BoxError> {
    let failed = step!(retry = Retry::none(), broken().await).await;
    wait!(1.seconds()).await;
    match failed {
        Ok(value) => Err(format!("the step ended with {value:?}").into()),
        Err(error) => Ok(error.message().to_owned()),
    }
}

#[durable]
pub(super) async fn retried() -> Result<String, BoxError> {
    let every_second = Retry::fixed(1.seconds());
    Ok(
        step!("flaky", retry = every_second, |step| from_attempt(step, 2)
            .await)
        .await?,
    )
}

#[durable]
pub(super) async fn retries_exhausted() -> Result<String, BoxError> {
    Ok(step!(
        retry = Retry::fixed(1.seconds()).attempts(4),
        broken().await
    )
    .await?)
}

#[durable]
pub(super) async fn retried_by_default() -> Result<String, BoxError> {
    Ok(step!("flaky", |step| from_attempt(step, 3).await).await?)
}

#[durable]
pub(super) async fn retried_with_backoff() -> Result<String, BoxError> {
    let threefold = Retry::exponential()
        .attempts(5)
        .first_delay(2.seconds())
        .factor(3.0)
        .no_jitter();
    Ok(
        step!("flaky", retry = threefold, |step| from_attempt(step, 3)
            .await)
        .await?,
    )
}

#[derive(Debug)]
struct TransientError;

impl std::fmt::Display for TransientError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("try again later")
    }
}

impl std::error::Error for TransientError {}

async fn busy(step: &StepInfo) -> Result<String, TransientError> {
    match step.attempt() {
        1 => Err(TransientError),
        _ => Ok("no longer busy".to_owned()),
    }
}

#[durable]
pub(super) async fn retried_by_type() -> Result<String, BoxError> {
    let transient = Retry::fixed(1.seconds()).when(|error| error.is::<TransientError>());
    Ok(step!("busy", retry = transient, |step| busy(step).await).await?)
}

#[durable]
pub(super) async fn not_retried_by_type() -> Result<String, BoxError> {
    let others = Retry::fixed(1.seconds()).when(|error| !error.is::<TransientError>());
    Ok(step!("busy", retry = others, |step| busy(step).await).await?)
}

async fn crashes(text: &str) -> Result<String, BoxError> {
    tracing::info!("{text}");
    crash()
}

#[durable]
pub(super) async fn at_most_once(text: String) -> Result<String, BoxError> {
    Ok(step!(
        "at_most_once_flaky_step",
        at_most_once,
        crashes(&text).await
    )
    .await?)
}

async fn crashes_at_first(step: &StepInfo, text: &str) -> Result<String, BoxError> {
    if step.attempt() == 1 {
        return crashes(text).await;
    }
    tracing::info!("{text}");
    Ok("succeeded on second attempt".to_owned())
}

#[durable]
pub(super) async fn at_most_once_retried(text: String) -> Result<String, BoxError> {
    let every_second = Retry::fixed(1.seconds());
    let flaky = step!("flaky", at_most_once, retry = every_second, |step| {
        crashes_at_first(step, &text).await
    });
    Ok(flaky.await?)
}

#[durable]
pub(super) async fn fails() -> Result<String, BoxError> {
    Ok(step!(retry = Retry::none(), broken().await).await?)
}

#[durable]
pub(super) async fn failure_caught() -> Result<String, BoxError> {
    match step!(retry = Retry::none(), broken().await).await {
        Ok(value) => Ok(value),
        Err(_) => Ok(step!("fallback", compute("fallback_result").await).await?),
    }
}

/// Counts calls for the execution across processes.
fn count_calls(app: &App, step: &StepInfo) -> Result<u64, BoxError> {
    let name = step.execution_id().to_string();
    let name = name.replace(|letter: char| !letter.is_ascii_alphanumeric(), "_");
    let path = app.scratch.join(format!("attempts-{name}"));
    let previous = match std::fs::read_to_string(&path) {
        Ok(text) => text.trim().parse()?,
        Err(_) => 0,
    };
    std::fs::write(&path, format!("{}\n", previous + 1))?;
    Ok(previous + 1)
}

/// Crashes the first process that calls it, after the step's start is recorded.
pub(super) async fn crash_once(app: &App, step: &StepInfo) -> Result<(), BoxError> {
    if count_calls(app, step)? == 1 {
        tokio::time::sleep(1.seconds()).await;
        crash();
    }
    Ok(())
}
