//! Call sites that move to other scopes while executions are under way.

use serde_json::json;

use super::support::{Finished, Harness};

/// Starts an execution under one build and ends it under another.
async fn deployed(before: &'static str, after: &str) -> Finished {
    let mut harness = Harness::with_defaults(before).await;
    let started = harness.start(json!(null));
    harness
        .fake
        .wait_until(|recording| recording.outputs().first().map(|_| ()))
        .await;
    let after = harness.program(after);
    harness.fake.run(after);
    harness.finish(started).await
}

/// Operations keep the contexts that the service knows them in.
#[tokio::test]
async fn out_of_the_items_of_a_map_and_into_a_scope() {
    let done = deployed("itemized", "inlined").await;
    assert_eq!(done.result::<String>(), "b]a/1charge");
    done.assert_effects(["a/1", "b]", "charge"].map(str::to_owned));
    done.recording.assert_well_behaved();
}

/// The service gives away nothing of a context that has ended, so the step is not done a second time.
#[tokio::test]
async fn out_of_a_scope_that_has_ended_fails_with_a_report() {
    let done = deployed("paid_inside", "paid_outside").await;
    let (kind, message) = done.error();
    assert_eq!(kind, "NonDeterministicExecutionError");
    assert!(
        message.contains("the scope `pay`, which has ended"),
        "{message}"
    );
    done.assert_effects(["charge".to_owned()]);
}

/// Executions that began after the move go on through every invocation.
#[tokio::test]
async fn a_scope_that_was_left_is_no_obstacle_to_new_executions() {
    let done = Harness::with_defaults("paid_outside")
        .await
        .run(json!(null))
        .await;
    assert_eq!(done.result::<String>(), "charge");
    assert_eq!(done.invocations(), 2);
    done.assert_effects(["print", "charge"].map(str::to_owned));
    done.recording.assert_well_behaved();
}
