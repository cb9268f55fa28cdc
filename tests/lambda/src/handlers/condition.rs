//! Suite `wait_for_condition`: polls.

use durable::prelude::*;
use serde::{Deserialize, Serialize};

use super::codecs::Prefixed;

/// Counts one more, and stops at `limit`.
async fn count(seen: u64, limit: u64) -> Result<ControlFlow<u64, u64>, BoxError> {
    match seen + 1 {
        enough if enough >= limit => Ok(ControlFlow::Break(enough)),
        more => Ok(ControlFlow::Continue(more)),
    }
}

#[durable]
pub(super) async fn counts(limit: u64) -> Result<u64, BoxError> {
    let count = poll!("count", every = 1.seconds(), state = 0, |seen| count(
        seen, limit
    )
    .await);
    Ok(count.await?)
}

async fn compare(state: u64, limit: u64) -> Result<ControlFlow<u64, u64>, BoxError> {
    match state >= limit {
        true => Ok(ControlFlow::Break(state)),
        false => Ok(ControlFlow::Continue(state)),
    }
}

#[durable]
pub(super) async fn at_once(limit: u64) -> Result<u64, BoxError> {
    let reached = poll!("reached", every = 1.seconds(), state = 5, |state| {
        compare(state, limit).await
    });
    Ok(reached.await?)
}

#[durable]
pub(super) async fn named(limit: u64) -> Result<u64, BoxError> {
    let status = poll!("poll-status", every = 1.seconds(), state = 0, |seen| {
        count(seen, limit).await
    });
    Ok(status.await?)
}

#[durable]
pub(super) async fn from_a_state(limit: u64) -> Result<u64, BoxError> {
    let count = poll!("count", every = 1.seconds(), state = 5, |seen| count(
        seen, limit
    )
    .await);
    Ok(count.await?)
}

#[durable]
pub(super) async fn with_a_fixed_delay(limit: u64) -> Result<u64, BoxError> {
    let every = Backoff::fixed(2.seconds());
    Ok(
        poll!("count", every = every, state = 0, |seen| count(seen, limit)
            .await)
        .await?,
    )
}

async fn never(seen: u64) -> Result<ControlFlow<u64, u64>, BoxError> {
    Ok(ControlFlow::Continue(seen + 1))
}

#[durable]
pub(super) async fn never_satisfied(_limit: u64) -> Result<u64, BoxError> {
    let never = poll!(
        "never",
        every = 1.seconds(),
        attempts = 3,
        state = 0,
        |seen| { never(seen).await }
    );
    Ok(never.await?)
}

async fn broken() -> Result<ControlFlow<u64>, BoxError> {
    Err("the check failed".into())
}

#[durable]
pub(super) async fn fails() -> Result<u64, BoxError> {
    Ok(poll!("broken", every = 1.seconds(), broken().await).await?)
}

#[durable]
pub(super) async fn failure_caught() -> Result<String, BoxError> {
    match poll!("broken", every = 1.seconds(), broken().await).await {
        Ok(value) => Err(format!("the check ended with {value}").into()),
        Err(_) => Ok("recovered".to_owned()),
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct Job {
    status: String,
    attempts: u32,
}

impl Job {
    fn pending() -> Self {
        Self {
            status: "PENDING".to_owned(),
            attempts: 0,
        }
    }
}

async fn check_job(mut job: Job) -> Result<ControlFlow<Job, Job>, BoxError> {
    job.attempts += 1;
    if job.attempts < 2 {
        return Ok(ControlFlow::Continue(job));
    }
    job.status = "DONE".to_owned();
    Ok(ControlFlow::Break(job))
}

#[durable]
pub(super) async fn object() -> Result<Job, BoxError> {
    let job = poll!("job", every = 1.seconds(), state = Job::pending(), |job| {
        check_job(job).await
    });
    Ok(job.await?)
}

async fn nothing() -> Result<ControlFlow<()>, BoxError> {
    Ok(ControlFlow::Break(()))
}

#[durable]
pub(super) async fn null() -> Result<(), BoxError> {
    Ok(poll!("nothing", every = 1.seconds(), nothing().await).await?)
}

async fn lengthen(text: String) -> Result<ControlFlow<String, String>, BoxError> {
    let longer = text + "x";
    Ok(match longer.len() {
        2 => ControlFlow::Break(longer),
        _ => ControlFlow::Continue(longer),
    })
}

#[durable]
pub(super) async fn encoded() -> Result<String, BoxError> {
    let text = poll!(
        "text",
        every = 1.seconds(),
        state = String::new(),
        codec = Prefixed("text:"),
        state_codec = Prefixed("text:"),
        |text| lengthen(text).await
    );
    Ok(text.await?)
}

async fn times_ten(number: u64) -> Result<u64, BoxError> {
    Ok(number * 10)
}

#[durable]
pub(super) async fn before_a_step(limit: u64) -> Result<u64, BoxError> {
    let count = poll!("count", every = 1.seconds(), state = 0, |seen| count(
        seen, limit
    )
    .await);
    let count = count.await?;
    Ok(step!(times_ten(count).await).await?)
}

#[durable]
pub(super) async fn twice() -> Result<u64, BoxError> {
    let two = poll!("to two", every = 1.seconds(), state = 0, |seen| count(
        seen, 2
    )
    .await)
    .await?;
    let four = poll!("to four", every = 1.seconds(), state = two, |seen| count(
        seen, 4
    )
    .await);
    Ok(four.await?)
}
