//! What is called, and how often: nothing that a replay does without.

use std::ops::ControlFlow;
use std::time::Duration as Time;

use durable::prelude::*;
use durable_lambda_tests::{Fake, Fault};
use serde_json::json;

use crate::scene::{Scene, config, value};
use crate::subject::{self, Log};

#[durable]
pub(crate) async fn races_and_waits(log: &Log, n: u32) -> Result<u32, BoxError> {
    race!("race", {
        "slow" => step!("slow", {
            tokio::time::sleep(Time::from_secs(30)).await;
            Ok::<_, String>(())
        }) => (),
        "fast" => step!("fast", {
            // The START of the other one goes alone.
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

/// Each pause is a call, and each step; the loser of the race, which never ends, makes none.
#[tokio::test]
async fn a_loser_that_never_ends_costs_no_calls() {
    let scene = Scene::new("races_and_waits", config()).await;
    let (_, ended) = scene.run(4).await;
    assert_eq!(value(&ended), 4);
    let record = scene.well_behaved();
    let calls: Vec<Vec<_>> = record
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

/// Its checkpoint comes with a token that is worth nothing any more.
#[tokio::test]
async fn an_invocation_that_was_taken_over_changes_nothing() {
    let scene = Scene::new("two_steps", config()).await;
    scene.fake.fault(1, Fault::stale_token());
    let (_, ended) = scene.run(10).await;
    assert_eq!(value(&ended), 10);
    let record = scene.fake.record();
    let errors = record.errors();
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0]["errorType"], "CheckpointFailed");
    assert_eq!(scene.log.count("one"), 2);
    assert_eq!(scene.log.count("two"), 1);
}

/// Executions of one process do not know of each other.
#[tokio::test]
async fn one_process_runs_several_executions_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::new(folder.path().join("log"));
    let mut fake = Fake::start(config()).await;
    let program = subject::program("two_steps", &log);
    fake.run(program.env("AWS_LAMBDA_MAX_CONCURRENCY", "4"));
    let all: Vec<_> = (0..8)
        .map(|n| fake.execute(&format!("e{n}"), &json!(1_000 + n)))
        .collect();
    for (n, one) in all.iter().enumerate() {
        assert_eq!(value(&one.ended().await), 1_000 + n);
    }
    let record = fake.record();
    record.assert_well_behaved();
    assert_eq!(record.processes, 1);
    assert_eq!((log.count("one"), log.count("two")), (8, 8));
}

#[durable]
pub(crate) async fn checks(_log: &Log, n: u32) -> Result<String, BoxError> {
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

/// The service counts every check.
#[tokio::test]
async fn checks_and_retries_are_operations_too() {
    let mut config = config();
    config.quotas.operations = 100;
    let scene = Scene::new("checks", config).await;
    let (started, ended) = scene.run(120).await;
    assert_eq!(value(&ended), "TooLarge", "{:?}", started.used());
    let (_, ended) = scene.run(80).await;
    assert_eq!(value(&ended), "80");
    scene.well_behaved();
}
