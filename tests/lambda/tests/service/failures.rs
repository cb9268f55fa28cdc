//! Tests of failing calls, by error class.

use durable_lambda_tests::{CallOutcome, Config, ExecutionOutcome, Fault, InvocationEnd};
use serde_json::json;

use super::support::{Finished, Harness, numbered};

/// Runs five steps with a fault in the third call.
async fn run_with_fault(fault: Fault) -> Finished {
    let harness = Harness::with_defaults("steps").await;
    harness.fake.fault(3, fault);
    harness.run(5).await
}

/// Asserts that the fault had no effect on the execution.
fn assert_unaffected(finished: &Finished) {
    assert_eq!(finished.result::<u64>(), 10);
    assert_eq!(finished.invocations(), 1);
    finished.assert_effects(numbered("step", 5));
    finished.recording.assert_well_behaved();
}

#[tokio::test]
async fn calls_without_a_response_are_retried_with_the_same_client_token() {
    for fault in [Fault::LoseResponse, Fault::LoseRequest, Fault::Garble] {
        let finished = run_with_fault(fault.clone()).await;
        assert_unaffected(&finished);
        let calls = &finished.recording.checkpoints;
        assert_eq!(calls.len(), 6);
        assert_eq!(calls[2].client_token, calls[3].client_token);
        assert_eq!(calls[2].updates, calls[3].updates);
        let again = if fault == Fault::LoseRequest {
            CallOutcome::Accepted
        } else {
            CallOutcome::Repeated
        };
        assert_eq!(calls[3].outcome, again);
    }
}

#[tokio::test]
async fn transient_errors_are_retried() {
    for fault in [Fault::internal_error(), Fault::throttled(None)] {
        let harness = Harness::with_defaults("steps").await;
        harness.fake.fault(3, fault.clone());
        harness.fake.fault(4, fault);
        let finished = harness.run(5).await;
        assert_unaffected(&finished);
        let calls = &finished.recording.checkpoints;
        assert_eq!(calls.len(), 7);
        assert_eq!(calls[2].client_token, calls[4].client_token);
    }
}

#[tokio::test]
async fn throttled_calls_wait_for_the_given_time() {
    let harness = Harness::with_defaults("steps").await;
    harness.fake.fault_from(3, Fault::Throttle(1));
    let finished = harness.run(5).await;
    assert_eq!(finished.result::<u64>(), 10);
    // An earlier attempt would have been rejected as well.
    let rejected = finished.recording.checkpoints.iter();
    let rejected = rejected.filter(|call| call.outcome == CallOutcome::Faulted(Fault::Throttle(1)));
    let rejected =
        rejected.filter(|call| call.client_token == finished.recording.checkpoints[2].client_token);
    assert_eq!(rejected.count(), 2, "one rejected and one successful");
}

#[tokio::test]
async fn stale_token_fails_the_invocation_only() {
    let finished = run_with_fault(Fault::stale_token()).await;
    assert_eq!(finished.result::<u64>(), 10);
    assert_eq!(finished.invocations(), 2);
    assert_eq!(finished.recording.errors().len(), 1);
    assert_eq!(finished.recording.outputs().len(), 1);
    // The rejected call is not retried, because a stale token never becomes valid.
    let tokens: Vec<_> = finished
        .recording
        .checkpoints
        .iter()
        .map(|call| &call.client_token)
        .collect();
    assert_eq!(
        tokens.iter().filter(|token| **token == tokens[2]).count(),
        1
    );
}

#[tokio::test]
async fn permanent_errors_fail_the_execution_without_a_retry() {
    for fault in [
        Fault::access_denied(),
        Fault::not_found(),
        Fault::validation_error(),
        Fault::kms_error("KMSAccessDeniedException"),
        Fault::kms_error("KMSDisabledException"),
        Fault::kms_error("KMSInvalidStateException"),
        Fault::kms_error("KMSNotFoundException"),
    ] {
        let finished = run_with_fault(fault.clone()).await;
        let (kind, message) = finished.error();
        assert_eq!(kind, "CheckpointError", "{message}");
        assert_eq!(finished.invocations(), 1, "{fault:?}");
        assert!(finished.recording.errors().is_empty());
        let calls = &finished.recording.checkpoints;
        let same = calls
            .iter()
            .filter(|call| call.client_token == calls[2].client_token);
        assert_eq!(same.count(), 1, "{fault:?}");
    }
}

#[tokio::test]
async fn handlers_cannot_ignore_a_rejected_checkpoint() {
    let harness = Harness::with_defaults("ignores_errors").await;
    harness.fake.fault(2, Fault::access_denied());
    let finished = harness.run(json!(null)).await;
    assert_eq!(finished.error().0, "CheckpointError");
    assert_eq!(finished.calls(), 2);
}

#[tokio::test]
async fn withheld_token_suspends_the_invocation_without_further_calls() {
    let finished = run_with_fault(Fault::WithholdToken).await;
    assert_eq!(finished.result::<u64>(), 10);
    assert_eq!(finished.invocations(), 2);
    assert_eq!(
        finished.recording.outputs()[0],
        &json!({ "Status": "PENDING" })
    );
    let first = &finished.recording.invocations[0].request_id;
    let calls = finished.recording.checkpoints.iter();
    let calls = calls.filter(|call| call.invocation.as_ref() == Some(first));
    assert_eq!(calls.count(), 3);
    // The updates of the last call are kept.
    finished.assert_effects(numbered("step", 5));
    finished.recording.assert_well_behaved();
}

#[tokio::test]
async fn state_calls_are_retried() {
    let config = Config {
        paging: durable_lambda_tests::Paging {
            first: Some(1),
            next: None,
        },
        ..Config::default()
    };
    let harness = Harness::new("waits", config).await;
    harness.fake.fault_state(1, Fault::internal_error());
    harness.fake.fault_state(2, Fault::LoseResponse);
    let finished = harness.run(2).await;
    assert_eq!(finished.result::<u64>(), 1);
    finished.assert_effects(numbered("step", 2));
    finished.recording.assert_well_behaved();
}

#[tokio::test]
async fn stopped_executions_are_not_invoked_again() {
    let harness = Harness::with_defaults("slow_steps").await;
    let execution = harness.start(20);
    harness
        .fake
        .wait_until(|recording| (recording.checkpoints.len() > 2).then_some(()))
        .await;
    execution.stop();
    let finished = harness.finish(execution).await;
    assert!(matches!(finished.outcome, ExecutionOutcome::Stopped(_)));
    assert_eq!(finished.invocations(), 1);
    assert!(matches!(
        finished.recording.invocations[0].end,
        Some(InvocationEnd::Error(_))
    ));
}

#[tokio::test]
async fn unavailable_service_fails_the_invocation() {
    let config = Config {
        deadline: std::time::Duration::from_secs(2),
        speedup: 1_000.0,
        ..Config::default()
    };
    let harness = Harness::new("steps", config).await;
    for call in 3..8 {
        harness.fake.fault(call, Fault::LoseRequest);
    }
    let finished = harness.run(5).await;
    assert_eq!(finished.result::<u64>(), 10);
    assert!(
        finished.recording.outputs().len() == 1,
        "{:?}",
        finished.recording.outputs()
    );
}
