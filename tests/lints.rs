//! The output of the attribute must not trigger lints, whatever a user denies. Checked when clippy runs.
#![deny(warnings, clippy::all, clippy::pedantic, clippy::nursery, missing_docs)]
#![deny(missing_debug_implementations, unused_qualifications, unreachable_pub)]
#![deny(
    clippy::shadow_reuse,
    clippy::indexing_slicing,
    clippy::used_underscore_binding
)]
#![deny(
    clippy::absolute_paths,
    elided_lifetimes_in_paths,
    single_use_lifetimes
)]

use std::borrow::Cow;
use std::path::PathBuf;

use durable::prelude::*;
use tokio::task::yield_now;

/// State.
#[derive(Debug)]
pub struct App {
    factor: u64,
}

async fn work(n: u64) -> Result<u64, BoxError> {
    yield_now().await;
    Ok(n)
}

/// Every form, every option.
#[durable(version = "1")]
pub async fn forms(app: &App, mut total: u64) -> Result<u64, BoxError> {
    for n in 0..app.factor {
        total += step!(
            "loaded",
            key = (n, total),
            secret,
            label = n,
            work(app.factor).await
        )
        .await?;
        wait!(Duration::from_secs(1)).await;
    }
    let info = execution!();
    wait!("until", until = info.started_at()).await;
    if step!(
        "tried",
        retry = Retry::none(),
        timeout = Duration::from_secs(9),
        |step| {
            let attempt = step.attempt();
            work(attempt.into()).await?;
            work(1).await
        }
    )
    .await?
        > 1
    {
        let drawn = record!("drawn", total).await;
        total += scope!("scoped", { step!(work(drawn).await).await }).await?;
    }
    let halved = call!(half(total)).await?;
    Ok(step!("moved", move, at_most_once, work(halved).await).await?)
}

#[durable]
async fn half(n: u64) -> Result<u64, BoxError> {
    Ok(step!(work(n / 2).await).await?)
}

#[durable]
async fn in_folder(folder: &PathBuf) -> Result<u64, BoxError> {
    let length = folder.as_os_str().len();
    Ok(step!(work(length.try_into()?).await).await?)
}

#[durable]
async fn with_prefix(prefix: &String) -> Result<u64, BoxError> {
    Ok(step!(work(prefix.len().try_into()?).await).await?)
}

#[durable]
async fn with_hosts(hosts: &Vec<String>) -> Result<u64, BoxError> {
    Ok(step!(work(hosts.len().try_into()?).await).await?)
}

#[durable]
async fn with_text(text: &Cow<'static, str>) -> Result<u64, BoxError> {
    Ok(step!(work(text.len().try_into()?).await).await?)
}

#[test]
fn the_handlers_are_used() {
    let _handlers = (forms(), half());
    let _states = (in_folder(), with_prefix(), with_hosts(), with_text());
}
