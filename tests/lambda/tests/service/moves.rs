//! Tests of call sites that move to other scopes while executions are open.

use serde_json::json;

use super::support::{Finished, Harness};

/// Starts an execution with one version and finishes it with another.
async fn run_across_deploy(before: &'static str, after: &str) -> Finished {
    let mut harness = Harness::with_defaults(before).await;
    let execution = harness.start(json!(null));
    harness
        .fake
        .wait_until(|recording| recording.outputs().first().map(|_| ()))
        .await;
    let after = harness.program(after);
    harness.fake.run(after);
    harness.finish(execution).await
}

/// Updates of moved operations repeat the context in which the service knows them.
#[tokio::test]
async fn steps_move_from_map_items_into_a_scope() {
    let finished = run_across_deploy("itemized", "inlined").await;
    assert_eq!(finished.result::<String>(), "b]a/1charge");
    finished.assert_effects(["a/1", "b]", "charge"].map(str::to_owned));
    finished.recording.assert_well_behaved();
}

/// The service does not return operations inside a finished context. The execution fails instead of running the step
/// again.
#[tokio::test]
async fn moving_a_step_out_of_a_finished_scope_fails_with_a_report() {
    let finished = run_across_deploy("paid_inside", "paid_outside").await;
    let (kind, message) = finished.error();
    assert_eq!(kind, "NonDeterministicExecutionError");
    assert!(
        message.contains("the scope `pay`, which has ended"),
        "{message}"
    );
    finished.assert_effects(["charge".to_owned()]);
}

#[tokio::test]
async fn executions_started_after_a_move_succeed() {
    let finished = Harness::with_defaults("paid_outside")
        .await
        .run(json!(null))
        .await;
    assert_eq!(finished.result::<String>(), "charge");
    assert_eq!(finished.invocations(), 2);
    finished.assert_effects(["print", "charge"].map(str::to_owned));
    finished.recording.assert_well_behaved();
}
