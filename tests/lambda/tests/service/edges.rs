//! Tests of paging, unexpected events and changed code.

use durable_lambda_tests::{Config, Fault, InvocationEnd, Kind, Paging};
use serde_json::json;

use super::support::{Harness, numbered};

fn paged(first: usize, next: usize) -> Config {
    Config {
        paging: Paging {
            first: Some(first),
            next: Some(next),
        },
        ..Config::default()
    }
}

#[tokio::test]
async fn reads_all_pages_of_the_history_before_running() {
    for first in [0, 1, 3] {
        let harness = Harness::new("waits", paged(first, 1)).await;
        let finished = harness.run(4).await;
        assert_eq!(finished.result::<u64>(), 6);
        assert_eq!(finished.invocations(), 5);
        assert!(finished.recording.states.len() > 10);
        assert!(
            finished
                .recording
                .states
                .iter()
                .all(|call| call.returned == 1)
        );
        finished.recording.assert_well_behaved();
        finished.assert_effects(numbered("step", 4));
    }
}

#[tokio::test]
async fn reads_all_pages_of_a_checkpoint_response_before_continuing() {
    for handler in ["mapped_steps", "concurrent_steps"] {
        let harness = Harness::new(handler, paged(usize::MAX, 1)).await;
        for call in 1..20 {
            harness.fake.fault(call, Fault::PageResponse(1));
        }
        let finished = harness.run(6).await;
        assert_eq!(finished.result::<u64>(), 15);
        assert!(
            finished.recording.states.len() >= 5,
            "{:?}",
            finished.recording.states
        );
        finished.recording.assert_well_behaved();
    }
}

#[tokio::test]
async fn reads_an_input_too_large_for_the_first_page() {
    let harness = Harness::with_defaults("steps").await;
    // A number padded to 5.5 MB.
    let blank = " ".repeat(5_500_000);
    let execution = harness.fake.execute_text("large", &format!("{blank}3"));
    let finished = harness.finish(execution).await;
    assert_eq!(finished.result::<u64>(), 3);
    assert_eq!(finished.recording.states.len(), 1);
    finished.recording.assert_well_behaved();
}

#[tokio::test]
async fn rejects_other_events_with_advice() {
    let harness = Harness::with_defaults("steps").await;
    for event in [
        json!(3),
        json!({ "id": 42 }),
        json!({ "DurableExecutionArn": "a", "InitialExecutionState": { "Operations": [] } }),
    ] {
        let InvocationEnd::Error(error) = harness.fake.invoke(event.clone()).await else {
            panic!("{event} was accepted");
        };
        assert_eq!(error["errorType"], "NotADurableInvocation");
        let message = error["errorMessage"].as_str().unwrap();
        assert!(message.contains("DurableConfig"), "{message}");
    }
    // The process can still run executions.
    let finished = harness.run(2).await;
    assert_eq!(finished.result::<u64>(), 1);
    assert_eq!(finished.recording.processes, 1);
}

#[tokio::test]
async fn input_of_the_wrong_type_fails_the_execution() {
    let finished = Harness::with_defaults("steps").await.run("three").await;
    let (_, message) = finished.error();
    for part in [
        "the recorded input of `steps`",
        "type `u64`",
        "The handler did not run",
    ] {
        assert!(message.contains(part), "{part:?} is not in {message}");
    }
    assert_eq!((finished.invocations(), finished.calls()), (1, 0));
}

#[tokio::test]
async fn incompatible_code_fails_the_execution_with_a_report() {
    let mut harness = Harness::with_defaults("edited").await;
    let execution = harness.start(json!(null));
    harness
        .fake
        .wait_until(|recording| recording.outputs().first().map(|_| ()))
        .await;
    let later = harness.program("edited_later");
    harness.fake.run(later);
    let finished = harness.finish(execution).await;
    let (kind, message) = finished.error();
    assert_eq!(kind, "NonDeterministicExecutionError");
    for part in ["first", "step", "wait", "handlers.rs"] {
        assert!(message.contains(part), "{part:?} is not in {message}");
    }
    assert_eq!(finished.invocations(), 2);
    finished.recording.assert_well_behaved();
}

#[tokio::test]
async fn changed_value_types_fail_the_execution_with_a_report() {
    let mut harness = Harness::with_defaults("edited").await;
    let execution = harness.start(json!(null));
    harness
        .fake
        .wait_until(|recording| recording.outputs().first().map(|_| ()))
        .await;
    let later = harness.program("edited_retyped");
    harness.fake.run(later);
    let finished = harness.finish(execution).await;
    let (kind, message) = finished.error();
    assert_eq!(kind, "NonDeterministicExecutionError");
    for part in [
        "the recorded value of `first`:",
        "step `first` (tests/lambda/subject/handlers.rs:",
        "type `alloc::string::String`, codec `json`",
        "invalid type: integer, expected a string",
        "give the step another name",
    ] {
        assert!(message.contains(part), "{part:?} is not in {message}");
    }
    assert_eq!(
        finished.effects,
        Vec::<String>::new(),
        "the handler does not observe the mismatch"
    );
    finished.recording.assert_well_behaved();
}

/// The service cannot block an execution, so it fails and its steps are undone.
#[tokio::test]
async fn continuing_after_undoable_steps_fails_and_undoes_them() {
    let harness = Harness::with_defaults("continues_after_undoable_step").await;
    let finished = harness.run(1).await;
    let (_, message) = finished.error();
    for part in ["`continue_as!` would drop", "`book`"] {
        assert!(message.contains(part), "{part:?} is not in {message}");
    }
    assert_eq!(finished.effects, ["undone"]);
    finished.recording.assert_well_behaved();
}

#[tokio::test]
async fn missing_input_is_null() {
    let harness = Harness::with_defaults("flaky").await;
    for text in ["", "null"] {
        let execution = harness.fake.execute_text("nothing", text);
        let outcome = execution.outcome().await;
        assert!(
            matches!(
                outcome,
                durable_lambda_tests::ExecutionOutcome::Succeeded(_)
            ),
            "{outcome:?}"
        );
    }
}

#[tokio::test]
async fn every_update_has_name_subtype_and_parent() {
    let finished = Harness::with_defaults("breakfast")
        .await
        .run(json!(null))
        .await;
    assert_eq!(finished.result::<u32>(), 3);
    let updates: Vec<_> = finished.recording.updates().collect();
    assert!(
        updates
            .iter()
            .all(|update| update.name.is_some() && update.sub_type.is_some())
    );
    let parents = updates
        .iter()
        .filter(|update| update.parent_id.is_some())
        .count();
    assert!(parents >= 6, "{updates:#?}");
    assert!(updates.iter().any(|update| update.kind == Kind::Context));
    finished.recording.assert_well_behaved();
}
