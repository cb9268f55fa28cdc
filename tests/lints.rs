//! Lints that the output of the attribute must not trip, whatever a user denies. Checked by clippy.
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

#[test]
fn the_handlers_are_used() {
    let _handlers = (forms(), half());
}
