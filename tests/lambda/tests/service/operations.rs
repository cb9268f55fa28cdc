//! Operations that others have a part in.

use durable_lambda_tests::{ErrorObject, Kind};
use serde_json::json;

use super::support::Stage;

#[tokio::test]
async fn a_callback_is_waited_for_without_a_process() {
    let stage = Stage::plain("approval").await;
    let started = stage.start(json!(null));
    stage
        .fake
        .until(|record| record.outputs().first().map(|_| ()))
        .await;
    let operation = started.operations().remove(1);
    assert_eq!(
        (operation.kind, operation.name.as_deref()),
        (Kind::Callback, Some("approved"))
    );
    let id = operation.callback.unwrap().id;
    started
        .complete_callback(&id, Ok(Some("\"yes\"".into())))
        .unwrap();
    let done = stage.finish(started).await;
    assert_eq!(done.result::<String>(), "yes");
    assert_eq!((done.invocations(), done.calls()), (2, 1));
    done.record.assert_well_behaved();
}

#[tokio::test]
async fn a_callback_that_fails_is_an_error() {
    let stage = Stage::plain("approval").await;
    let started = stage.start(json!(null));
    stage
        .fake
        .until(|record| record.outputs().first().map(|_| ()))
        .await;
    let id = started.operations().remove(1).callback.unwrap().id;
    let refused = ErrorObject::new("Rejected", "not approved");
    started.complete_callback(&id, Err(refused)).unwrap();
    let done = stage.finish(started).await;
    assert!(done.error().1.contains("not approved"), "{:?}", done.ended);
}

#[tokio::test]
async fn another_function_is_run_once() {
    let stage = Stage::plain("echoes").await;
    stage.fake.function("echo", Ok);
    let done = stage.run("hello").await;
    assert_eq!(done.result::<String>(), "hello");
    assert_eq!(done.calls(), 1);
    done.record.assert_well_behaved();
}

#[tokio::test]
async fn a_function_answers_when_it_likes() {
    let stage = Stage::plain("echoes").await;
    stage.fake.function_by_hand("echo");
    let started = stage.start("hello");
    stage
        .fake
        .until(|record| record.outputs().first().map(|_| ()))
        .await;
    let id = started.operations().remove(1).id;
    let failed = ErrorObject::new("Broken", "it is broken");
    assert!(started.answer_invoke(&id, Err(failed)));
    let done = stage.finish(started).await;
    assert!(done.error().1.contains("it is broken"), "{:?}", done.ended);
}

#[tokio::test]
async fn a_function_that_is_not_there_is_found_missing_at_once() {
    let done = Stage::plain("missing").await.run(json!(null)).await;
    assert!(done.result::<String>().contains("Function not found"));
    assert_eq!(done.invocations(), 1);
    done.record.assert_well_behaved();
}

#[tokio::test]
async fn retries_wait_without_a_process_and_are_counted() {
    let done = Stage::plain("flaky").await.run(json!(null)).await;
    assert_eq!(done.result::<u32>(), 3);
    assert_eq!((done.invocations(), done.effects.len()), (3, 3));
    // One for the start, one for the step, one for each retry.
    assert_eq!(done.used.operations, 4);
    let operation = &done.started.operations()[1];
    assert_eq!(operation.attempt, 3);
    done.record.assert_well_behaved();
}

#[tokio::test]
async fn branches_wait_beside_each_other() {
    let done = Stage::plain("breakfast").await.run(json!(null)).await;
    assert_eq!(done.result::<u32>(), 3);
    done.assert_effects(["eggs".to_owned()]);
    done.record.assert_well_behaved();
}
