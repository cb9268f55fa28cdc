//! Tests of the number and kind of calls.

use std::ops::ControlFlow;
use std::time::Duration as Time;

use durable::prelude::*;
use durable_lambda_tests::{Fake, Fault};
use serde_json::json;

use crate::harness::{Harness, config, value};
use crate::subject::{self, Log};

#[durable]
pub(crate) async fn races_and_waits(log: &Log, n: u32) -> Result<u32, BoxError> {
    race!("race", {
        "slow" => step!("slow", {
            tokio::time::sleep(Time::from_secs(30)).await;
            Ok::<_, String>(())
        }) => (),
        "fast" => step!("fast", {
            // Long enough for the START of the other step to be sent alone.
            tokio::time::sleep(Time::from_millis(900)).await;
            Ok::<_, String>(())
        }) => (),
    })
    .await;
    for n in 0..n {
        wait!("pause", Time::from_secs(60)).await;
        step!("work", key = n, {
            log.note("work");
            Ok::<_, String>(())
        })
        .await?;
    }
    Ok(n)
}

/// Each wait and each step is a call. The loser of the race, which never ends, makes none.
#[tokio::test]
async fn losers_of_a_race_make_no_calls() {
    let harness = Harness::new("races_and_waits", config()).await;
    let (_, outcome) = harness.run(4).await;
    assert_eq!(value(&outcome), 4);
    let recording = harness.assert_well_behaved();
    let calls: Vec<Vec<_>> = recording
        .checkpoints
        .iter()
        .map(|call| {
            let updates = call.updates.iter();
            updates
                .map(|update| (update.action, update.name.clone().unwrap_or_default()))
                .collect()
        })
        .collect();
    assert_eq!(calls.len(), 3 + 8, "{calls:#?}");
}

#[durable]
pub(crate) async fn two_steps(log: &Log, n: u64) -> Result<u64, BoxError> {
    step!("one", {
        log.note("one");
        tokio::time::sleep(Time::from_millis(n)).await;
        Ok::<_, String>(())
    })
    .await?;
    step!("two", {
        log.note("two");
        Ok::<_, String>(())
    })
    .await?;
    Ok(n)
}

/// The checkpoint of the superseded invocation has a stale token.
#[tokio::test]
async fn superseded_invocations_change_nothing() {
    let harness = Harness::new("two_steps", config()).await;
    harness.fake.fault(1, Fault::stale_token());
    let (_, outcome) = harness.run(10).await;
    assert_eq!(value(&outcome), 10);
    let recording = harness.fake.recording();
    let errors = recording.errors();
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0]["errorType"], "CheckpointFailed");
    assert_eq!(harness.log.count("one"), 2);
    assert_eq!(harness.log.count("two"), 1);
}

/// Executions in one process do not affect each other.
#[tokio::test]
async fn one_process_runs_executions_concurrently() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::new(folder.path().join("log"));
    let mut fake = Fake::start(config()).await;
    let program = subject::program("two_steps", &log);
    fake.run(program.env("AWS_LAMBDA_MAX_CONCURRENCY", "4"));
    let all: Vec<_> = (0..8)
        .map(|n| fake.execute(&format!("e{n}"), &json!(1_000 + n)))
        .collect();
    for (n, one) in all.iter().enumerate() {
        assert_eq!(value(&one.outcome().await), 1_000 + n);
    }
    let recording = fake.recording();
    recording.assert_well_behaved();
    assert_eq!(recording.processes, 1);
    assert_eq!((log.count("one"), log.count("two")), (8, 8));
}

#[durable]
pub(crate) async fn polls(_log: &Log, n: u32) -> Result<String, BoxError> {
    let every = Time::from_secs(1);
    let polled = poll!("check", every = every, state = 0_u32, |state| {
        Ok::<_, String>(if state == n {
            ControlFlow::Break(state)
        } else {
            ControlFlow::Continue(state + 1)
        })
    })
    .await;
    Ok(match polled {
        Ok(n) => n.to_string(),
        Err(error) => format!("{:?}", error.kind()),
    })
}

/// The service bills every check of a poll.
#[tokio::test]
async fn checks_and_retries_count_as_operations() {
    let mut config = config();
    config.quotas.operations = 100;
    let harness = Harness::new("polls", config).await;
    let (execution, outcome) = harness.run(120).await;
    assert_eq!(value(&outcome), "TooLarge", "{:?}", execution.usage());
    let (_, outcome) = harness.run(80).await;
    assert_eq!(value(&outcome), "80");
    harness.assert_well_behaved();
}
