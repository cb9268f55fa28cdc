//! Tests of operations that external events complete.

use durable_lambda_tests::{ErrorObject, Kind};
use serde_json::json;

use super::support::Harness;

#[tokio::test]
async fn callbacks_suspend_until_they_are_completed() {
    let harness = Harness::with_defaults("approval").await;
    let execution = harness.start(json!(null));
    harness
        .fake
        .wait_until(|recording| recording.outputs().first().map(|_| ()))
        .await;
    let operation = execution.operations().remove(1);
    assert_eq!(
        (operation.kind, operation.name.as_deref()),
        (Kind::Callback, Some("approved"))
    );
    let id = operation.callback.unwrap().id;
    execution
        .complete_callback(&id, Ok(Some("\"yes\"".into())))
        .unwrap();
    let finished = harness.finish(execution).await;
    assert_eq!(finished.result::<String>(), "yes");
    assert_eq!((finished.invocations(), finished.calls()), (2, 1));
    finished.recording.assert_well_behaved();
}

#[tokio::test]
async fn failed_callbacks_are_errors() {
    let harness = Harness::with_defaults("approval").await;
    let execution = harness.start(json!(null));
    harness
        .fake
        .wait_until(|recording| recording.outputs().first().map(|_| ()))
        .await;
    let id = execution.operations().remove(1).callback.unwrap().id;
    let rejected = ErrorObject::new("Rejected", "not approved");
    execution.complete_callback(&id, Err(rejected)).unwrap();
    let finished = harness.finish(execution).await;
    assert!(
        finished.error().1.contains("not approved"),
        "{:?}",
        finished.outcome
    );
}

#[tokio::test]
async fn invokes_run_another_function_once() {
    let harness = Harness::with_defaults("invokes_echo").await;
    harness.fake.function("echo", Ok);
    let finished = harness.run("hello").await;
    assert_eq!(finished.result::<String>(), "hello");
    assert_eq!(finished.calls(), 1);
    finished.recording.assert_well_behaved();
}

#[tokio::test]
async fn invokes_suspend_until_the_function_ends() {
    let harness = Harness::with_defaults("invokes_echo").await;
    harness.fake.manual_function("echo");
    let execution = harness.start("hello");
    harness
        .fake
        .wait_until(|recording| recording.outputs().first().map(|_| ()))
        .await;
    let id = execution.operations().remove(1).id;
    let failed = ErrorObject::new("Broken", "it is broken");
    assert!(execution.complete_invoke(&id, Err(failed)));
    let finished = harness.finish(execution).await;
    assert!(
        finished.error().1.contains("it is broken"),
        "{:?}",
        finished.outcome
    );
}

#[tokio::test]
async fn invokes_of_missing_functions_fail_without_suspending() {
    let finished = Harness::with_defaults("invokes_missing")
        .await
        .run(json!(null))
        .await;
    assert!(finished.result::<String>().contains("Function not found"));
    assert_eq!(finished.invocations(), 1);
    finished.recording.assert_well_behaved();
}

#[tokio::test]
async fn retries_suspend_and_are_billed() {
    let finished = Harness::with_defaults("flaky").await.run(json!(null)).await;
    assert_eq!(finished.result::<u32>(), 3);
    assert_eq!((finished.invocations(), finished.effects.len()), (3, 3));
    // One for the start, one for the step and one for each retry.
    assert_eq!(finished.usage.operations, 4);
    let operation = &finished.execution.operations()[1];
    assert_eq!(operation.attempt, 3);
    finished.recording.assert_well_behaved();
}

#[tokio::test]
async fn concurrent_scopes_wait_independently() {
    let finished = Harness::with_defaults("breakfast")
        .await
        .run(json!(null))
        .await;
    assert_eq!(finished.result::<u32>(), 3);
    finished.assert_effects(["eggs".to_owned()]);
    finished.recording.assert_well_behaved();
}
