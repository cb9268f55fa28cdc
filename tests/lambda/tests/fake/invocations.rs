//! Who is invoked when, and what an invocation may end with.

use std::time::Duration;

use durable_lambda_tests::{
    Action, Config, Ended, ErrorObject, InvocationEnd, Kind, Quotas, Update,
};
use serde_json::json;

use super::support::{Bench, message, step, wait};

#[tokio::test]
async fn outputs_are_checked() {
    for (output, expected) in [
        (
            json!({ "Status": "DONE" }),
            "Invalid Status in invocation output.",
        ),
        (
            json!({ "Status": "SUCCEEDED", "Error": {} }),
            "Cannot provide an Error for SUCCEEDED status.",
        ),
        (
            json!({ "Status": "FAILED", "Result": "1" }),
            "Cannot provide a Result for FAILED status.",
        ),
    ] {
        let bench = Bench::new(Config::default()).await;
        let ended = bench.finish(output.clone()).await;
        let error = ErrorObject::new("InvalidParameterValueException", expected);
        assert_eq!(ended, Ended::Failed(error));
        assert_eq!(bench.fake.record().improper_outputs, [output]);
    }
}

#[tokio::test]
async fn pending_with_nothing_pending_is_an_offence() {
    let mut bench = Bench::new(Config::default()).await;
    bench
        .write(&[step(Action::Start), step(Action::Succeed)])
        .await;
    for _ in 0..3 {
        bench.suspend().await;
    }
    let ended = bench.finish(json!({ "Status": "PENDING" })).await;
    assert!(matches!(ended, Ended::Failed(_)));
    let record = bench.fake.record();
    assert_eq!(
        (record.invocations.len(), record.improper_outputs.len()),
        (4, 4)
    );
}

#[tokio::test]
async fn what_an_invocation_was_told_of_does_not_wake_it_again() {
    let mut bench = Bench::new(Config::default()).await;
    bench.write(&[wait("short", 1), wait("long", 20)]).await;
    bench
        .started
        .until(|all| all[1].status.is_closed().then_some(()))
        .await;
    // This call tells of the short wait, so only the long one is left to wake it.
    bench.write(&[]).await;
    bench.suspend().await;
    assert_eq!(bench.taken.event["UpdatedOperationIds"], json!(["long"]));
    let ended = bench
        .finish(json!({ "Status": "SUCCEEDED", "Result": "1" }))
        .await;
    assert_eq!(ended, Ended::Succeeded("1".into()));
    bench.fake.record().assert_well_behaved();
}

#[tokio::test]
async fn failed_invocations_are_repeated_five_times() {
    let config = Config {
        pace: 1_000.0,
        ..Config::default()
    };
    let mut bench = Bench::new(config).await;
    for _ in 0..4 {
        bench.client.fail(&bench.taken, "Runtime.Whatever").await;
        bench.taken = bench.client.next().await;
    }
    bench.client.fail(&bench.taken, "Runtime.Whatever").await;
    let error = ErrorObject::new("Runtime.Whatever", "for a test");
    assert_eq!(bench.started.ended().await, Ended::Failed(error));
}

#[tokio::test]
async fn an_invocation_that_takes_too_long_is_over() {
    let config = Config {
        deadline: Duration::from_millis(50),
        pace: 1_000.0,
        ..Config::default()
    };
    let bench = Bench::new(config).await;
    let second = bench.client.next().await;
    let late = bench
        .client
        .respond(&bench.taken, json!({ "Status": "SUCCEEDED" }))
        .await;
    assert_eq!(late.unwrap().0, 400);
    bench
        .client
        .respond(&second, json!({ "Status": "SUCCEEDED" }))
        .await;
    bench.started.ended().await;
    let ends: Vec<_> = bench
        .fake
        .record()
        .invocations
        .into_iter()
        .map(|one| one.end)
        .collect();
    assert_eq!(ends[0], Some(InvocationEnd::TimedOut));
}

#[tokio::test]
async fn quotas_are_kept() {
    let config = Config {
        quotas: Quotas {
            operations: 2,
            ..Quotas::default()
        },
        ..Config::default()
    };
    let mut bench = Bench::new(config).await;
    assert_eq!(bench.write(&[wait("a", 9_000)]).await.0, 200);
    let refused = bench
        .write(&[Update::new("x", Kind::Context, Action::Start)])
        .await;
    assert_eq!(
        message(refused),
        "The execution exceeds its quota of 2 operations."
    );
}

#[tokio::test]
async fn an_execution_may_be_stopped_or_run_out_of_time() {
    let mut bench = Bench::new(Config::default()).await;
    bench.started.stop();
    assert_eq!(message(bench.write(&[]).await), "Invalid checkpoint token");
    let config = Config {
        execution_timeout: Some(1),
        ..Config::default()
    };
    let bench = Bench::new(config).await;
    bench.client.fail(&bench.taken, "Runtime.Whatever").await;
    let ended = bench.started.ended().await;
    let text = "Execution timed out after 1 seconds.";
    assert!(
        matches!(ended, Ended::TimedOut(error) if error.error_message.as_deref() == Some(text))
    );
}
