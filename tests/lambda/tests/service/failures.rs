//! Calls that fail, by their class.

use durable_lambda_tests::{CallEnd, Config, Ended, Fault, InvocationEnd};
use serde_json::json;

use super::support::{Done, Stage, numbered};

/// Five steps with a fault in the way of the third call.
async fn faulty(fault: Fault) -> Done {
    let stage = Stage::plain("steps").await;
    stage.fake.fault(3, fault);
    stage.run(5).await
}

/// Everything went on as if nothing had happened.
fn assert_unharmed(done: &Done) {
    assert_eq!(done.result::<u64>(), 10);
    assert_eq!(done.invocations(), 1);
    done.assert_effects(numbered("step", 5));
    done.record.assert_well_behaved();
}

#[tokio::test]
async fn a_call_without_an_answer_is_repeated_as_the_same() {
    for fault in [Fault::LoseResponse, Fault::LoseRequest, Fault::Garble] {
        let done = faulty(fault.clone()).await;
        assert_unharmed(&done);
        let calls = &done.record.checkpoints;
        assert_eq!(calls.len(), 6);
        assert_eq!(calls[2].client_token, calls[3].client_token);
        assert_eq!(calls[2].updates, calls[3].updates);
        let again = if fault == Fault::LoseRequest {
            CallEnd::Accepted
        } else {
            CallEnd::Repeated
        };
        assert_eq!(calls[3].end, again);
    }
}

#[tokio::test]
async fn what_passes_is_waited_for() {
    for fault in [Fault::broken(), Fault::throttled(None)] {
        let stage = Stage::plain("steps").await;
        stage.fake.fault(3, fault.clone());
        stage.fake.fault(4, fault);
        let done = stage.run(5).await;
        assert_unharmed(&done);
        let calls = &done.record.checkpoints;
        assert_eq!(calls.len(), 7);
        assert_eq!(calls[2].client_token, calls[4].client_token);
    }
}

#[tokio::test]
async fn throttling_is_waited_out_for_as_long_as_it_says() {
    let stage = Stage::plain("steps").await;
    stage.fake.fault_from(3, Fault::Throttle(1));
    let done = stage.run(5).await;
    assert_eq!(done.result::<u64>(), 10);
    // An attempt before the time is up would have been refused too.
    let refused = done.record.checkpoints.iter();
    let refused = refused.filter(|call| call.end == CallEnd::Faulted(Fault::Throttle(1)));
    let refused =
        refused.filter(|call| call.client_token == done.record.checkpoints[2].client_token);
    assert_eq!(refused.count(), 2, "one refused, one that went through");
}

#[tokio::test]
async fn a_stale_token_ends_the_invocation_and_not_the_execution() {
    let done = faulty(Fault::stale_token()).await;
    assert_eq!(done.result::<u64>(), 10);
    assert_eq!(done.invocations(), 2);
    assert_eq!(done.record.errors().len(), 1);
    assert_eq!(done.record.outputs().len(), 1);
    // The refused call was made once: the token never becomes good.
    let tokens: Vec<_> = done
        .record
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
async fn what_never_passes_fails_the_execution_at_once() {
    for fault in [
        Fault::denied(),
        Fault::missing(),
        Fault::invalid(),
        Fault::key("KMSAccessDeniedException"),
        Fault::key("KMSDisabledException"),
        Fault::key("KMSInvalidStateException"),
        Fault::key("KMSNotFoundException"),
    ] {
        let done = faulty(fault.clone()).await;
        let (kind, message) = done.error();
        assert_eq!(kind, "CheckpointError", "{message}");
        assert_eq!(done.invocations(), 1, "{fault:?}");
        assert!(done.record.errors().is_empty());
        let calls = &done.record.checkpoints;
        let same = calls
            .iter()
            .filter(|call| call.client_token == calls[2].client_token);
        assert_eq!(same.count(), 1, "{fault:?}");
    }
}

#[tokio::test]
async fn a_refused_write_cannot_be_swallowed() {
    let stage = Stage::plain("swallowed").await;
    stage.fake.fault(2, Fault::denied());
    let done = stage.run(json!(null)).await;
    assert_eq!(done.error().0, "CheckpointError");
    assert_eq!(done.calls(), 2);
}

#[tokio::test]
async fn without_a_token_the_invocation_says_pending_and_no_more() {
    let done = faulty(Fault::WithholdToken).await;
    assert_eq!(done.result::<u64>(), 10);
    assert_eq!(done.invocations(), 2);
    assert_eq!(done.record.outputs()[0], &json!({ "Status": "PENDING" }));
    let first = &done.record.invocations[0].request_id;
    let calls = done.record.checkpoints.iter();
    let calls = calls.filter(|call| call.invocation.as_ref() == Some(first));
    assert_eq!(calls.count(), 3);
    // What was written with the last call is kept.
    done.assert_effects(numbered("step", 5));
    done.record.assert_well_behaved();
}

#[tokio::test]
async fn reading_the_state_is_repeated_too() {
    let config = Config {
        paging: durable_lambda_tests::Paging {
            first: Some(1),
            next: None,
        },
        ..Config::default()
    };
    let stage = Stage::new("waits", config).await;
    stage.fake.fault_state(1, Fault::broken());
    stage.fake.fault_state(2, Fault::LoseResponse);
    let done = stage.run(2).await;
    assert_eq!(done.result::<u64>(), 1);
    done.assert_effects(numbered("step", 2));
    done.record.assert_well_behaved();
}

#[tokio::test]
async fn an_execution_that_was_stopped_is_left_alone() {
    let stage = Stage::plain("slices").await;
    let started = stage.start(20);
    stage
        .fake
        .until(|record| (record.checkpoints.len() > 2).then_some(()))
        .await;
    started.stop();
    let done = stage.finish(started).await;
    assert!(matches!(done.ended, Ended::Stopped(_)));
    assert_eq!(done.invocations(), 1);
    assert!(matches!(
        done.record.invocations[0].end,
        Some(InvocationEnd::Error(_))
    ));
}

#[tokio::test]
async fn a_service_that_is_gone_fails_the_invocation() {
    let config = Config {
        deadline: std::time::Duration::from_secs(2),
        pace: 1_000.0,
        ..Config::default()
    };
    let stage = Stage::new("steps", config).await;
    for call in 3..8 {
        stage.fake.fault(call, Fault::LoseRequest);
    }
    let done = stage.run(5).await;
    assert_eq!(done.result::<u64>(), 10);
    assert!(
        done.record.outputs().len() == 1,
        "{:?}",
        done.record.outputs()
    );
}
