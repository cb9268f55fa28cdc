//! Tests of invocations and their outputs.

use std::time::Duration;

use durable_lambda_tests::{
    Action, Config, ErrorObject, ExecutionOutcome, InvocationEnd, Kind, Quotas, Update,
};
use serde_json::json;

use super::support::{Fixture, message, step, wait};

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
        let fixture = Fixture::new(Config::default()).await;
        let outcome = fixture.finish(output.clone()).await;
        let error = ErrorObject::new("InvalidParameterValueException", expected);
        assert_eq!(outcome, ExecutionOutcome::Failed(error));
        assert_eq!(fixture.fake.recording().rejected_outputs, [output]);
    }
}

#[tokio::test]
async fn repeated_pending_outputs_without_pending_operations_fail() {
    let mut fixture = Fixture::new(Config::default()).await;
    fixture
        .write(&[step(Action::Start), step(Action::Succeed)])
        .await;
    for _ in 0..3 {
        fixture.suspend().await;
    }
    let outcome = fixture.finish(json!({ "Status": "PENDING" })).await;
    assert!(matches!(outcome, ExecutionOutcome::Failed(_)));
    let recording = fixture.fake.recording();
    assert_eq!(
        (
            recording.invocations.len(),
            recording.rejected_outputs.len()
        ),
        (4, 4)
    );
}

#[tokio::test]
async fn seen_changes_do_not_invoke_again() {
    let mut fixture = Fixture::new(Config::default()).await;
    fixture.write(&[wait("short", 1), wait("long", 20)]).await;
    fixture
        .execution
        .wait_until(|all| all[1].status.is_closed().then_some(()))
        .await;
    // The response contains the short wait, so only the long one invokes again.
    fixture.write(&[]).await;
    fixture.suspend().await;
    assert_eq!(
        fixture.invocation.event["UpdatedOperationIds"],
        json!(["long"])
    );
    let outcome = fixture
        .finish(json!({ "Status": "SUCCEEDED", "Result": "1" }))
        .await;
    assert_eq!(outcome, ExecutionOutcome::Succeeded("1".into()));
    fixture.fake.recording().assert_well_behaved();
}

#[tokio::test]
async fn five_failed_invocations_fail_the_execution() {
    let config = Config {
        speedup: 1_000.0,
        ..Config::default()
    };
    let mut fixture = Fixture::new(config).await;
    for _ in 0..4 {
        fixture
            .client
            .fail(&fixture.invocation, "Runtime.Whatever")
            .await;
        fixture.invocation = fixture.client.next().await;
    }
    fixture
        .client
        .fail(&fixture.invocation, "Runtime.Whatever")
        .await;
    let error = ErrorObject::new("Runtime.Whatever", "for a test");
    assert_eq!(
        fixture.execution.outcome().await,
        ExecutionOutcome::Failed(error)
    );
}

#[tokio::test]
async fn invocations_time_out() {
    let config = Config {
        deadline: Duration::from_millis(50),
        speedup: 1_000.0,
        ..Config::default()
    };
    let fixture = Fixture::new(config).await;
    let second = fixture.client.next().await;
    let late = fixture
        .client
        .respond(&fixture.invocation, json!({ "Status": "SUCCEEDED" }))
        .await;
    assert_eq!(late.unwrap().0, 400);
    fixture
        .client
        .respond(&second, json!({ "Status": "SUCCEEDED" }))
        .await;
    fixture.execution.outcome().await;
    let ends: Vec<_> = fixture
        .fake
        .recording()
        .invocations
        .into_iter()
        .map(|one| one.end)
        .collect();
    assert_eq!(ends[0], Some(InvocationEnd::TimedOut));
}

#[tokio::test]
async fn quotas_are_enforced() {
    let config = Config {
        quotas: Quotas {
            operations: 2,
            ..Quotas::default()
        },
        ..Config::default()
    };
    let mut fixture = Fixture::new(config).await;
    assert_eq!(fixture.write(&[wait("a", 9_000)]).await.0, 200);
    let rejected = fixture
        .write(&[Update::new("x", Kind::Context, Action::Start)])
        .await;
    assert_eq!(
        message(rejected),
        "The execution exceeds its quota of 2 operations."
    );
}

#[tokio::test]
async fn executions_can_be_stopped_and_time_out() {
    let mut fixture = Fixture::new(Config::default()).await;
    fixture.execution.stop();
    assert_eq!(
        message(fixture.write(&[]).await),
        "Invalid checkpoint token"
    );
    let config = Config {
        execution_timeout: Some(1),
        ..Config::default()
    };
    let fixture = Fixture::new(config).await;
    fixture
        .client
        .fail(&fixture.invocation, "Runtime.Whatever")
        .await;
    let outcome = fixture.execution.outcome().await;
    let text = "Execution timed out after 1 seconds.";
    assert!(
        matches!(outcome, ExecutionOutcome::TimedOut(error) if error.error_message.as_deref() == Some(text))
    );
}
