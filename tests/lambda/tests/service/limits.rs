//! Tests of the service's limits, which are enforced before it rejects a call.

use durable_lambda_tests::{Action, Config, ExecutionOutcome, Kind, Quotas};
use serde_json::json;

use super::support::Harness;

const INLINE: usize = 6 * 1024 * 1024 - 50;

#[tokio::test]
async fn results_too_large_for_the_response_are_checkpointed() {
    // The result's own quotation marks are escaped, and the response adds another pair.
    for (bytes, calls, checkpointed) in [(INLINE - 10, 1, false), (INLINE + 10, 2, true)] {
        let finished = Harness::with_defaults("large_result")
            .await
            .run(bytes)
            .await;
        assert_eq!(finished.result::<String>().len(), bytes);
        assert_eq!(finished.calls(), calls);
        let outputs = finished.recording.outputs();
        assert_eq!(outputs.len(), 1);
        assert_eq!(outputs[0]["Result"] == json!(""), checkpointed);
        if checkpointed {
            let last = finished.recording.updates().last().unwrap();
            assert_eq!((last.kind, last.action), (Kind::Execution, Action::Succeed));
        }
        finished.recording.assert_well_behaved();
    }
}

#[tokio::test]
async fn results_too_large_after_escaping_are_checkpointed() {
    // Each quotation mark takes two bytes in the result and four in the response.
    let finished = Harness::with_defaults("quoted_result")
        .await
        .run(2_000_000)
        .await;
    assert_eq!(finished.result::<String>().len(), 2_000_000);
    assert_eq!(finished.recording.outputs()[0]["Result"], "");
    assert_eq!(finished.invocations(), 1);
    finished.recording.assert_well_behaved();
}

#[tokio::test]
async fn results_over_the_service_limit_fail_the_execution() {
    let finished = Harness::with_defaults("large_result")
        .await
        .run(7_000_000)
        .await;
    let (kind, message) = finished.error();
    assert_eq!(kind, "TooLargeError");
    assert!(message.contains("7000002 bytes"), "{message}");
    finished.recording.assert_well_behaved();
}

#[tokio::test]
async fn values_over_the_service_limit_fail_their_step() {
    let finished = Harness::with_defaults("large_value")
        .await
        .run(200 * 1024)
        .await;
    assert_eq!(finished.result::<String>(), "204800 bytes");
    let finished = Harness::with_defaults("large_value")
        .await
        .run(256 * 1024)
        .await;
    assert_eq!(finished.result::<String>(), "TooLarge");
    let failed = finished
        .recording
        .updates()
        .find(|update| update.action == Action::Fail);
    assert_eq!(
        failed.and_then(|update| update.name.as_deref()),
        Some("large")
    );
    finished.recording.assert_well_behaved();
}

#[tokio::test]
async fn long_errors_are_shortened() {
    let finished = Harness::with_defaults("long_errors")
        .await
        .run(100_000)
        .await;
    let (_, message) = finished.error();
    assert!(
        message.starts_with("yyyy") && message.len() < 32_768,
        "{} bytes",
        message.len()
    );
    let failed = finished
        .recording
        .updates()
        .find_map(|update| update.error.clone())
        .unwrap();
    assert!(json!(failed).to_string().len() < 32_768);
    finished.recording.assert_well_behaved();
}

#[tokio::test]
async fn large_scopes_are_rebuilt_from_their_steps() {
    let finished = Harness::with_defaults("large_scope")
        .await
        .run(json!(null))
        .await;
    assert_eq!(finished.result::<usize>(), 300 * 1024);
    let closed = finished
        .recording
        .updates()
        .find(|update| update.kind == Kind::Context && update.action == Action::Succeed);
    let closed = closed.unwrap();
    let options = closed.context_options.as_ref();
    assert_eq!(
        options.and_then(|options| options.replay_children),
        Some(true)
    );
    assert!(closed.payload.as_deref().unwrap_or_default().len() < 1024);
    // The scope's body ran in both invocations, its steps only in the first.
    let count = |effect: &str| {
        finished
            .effects
            .iter()
            .filter(|line| *line == effect)
            .count()
    };
    assert_eq!(
        (count("scope"), count("part 0"), count("part 2")),
        (2, 1, 1)
    );
    assert_eq!(finished.invocations(), 2);
    finished.recording.assert_well_behaved();
}

#[tokio::test]
async fn operations_over_the_quota_fail_before_the_service_rejects_them() {
    let config = Config {
        quotas: Quotas {
            operations: 50,
            ..Quotas::default()
        },
        ..Config::default()
    };
    let mut harness = Harness::new("steps", config).await;
    let program = harness.program("steps").env("SUBJECT_MAX_OPERATIONS", "50");
    harness.fake.run(program);
    let finished = harness.run(60).await;
    let ExecutionOutcome::Failed(error) = &finished.outcome else {
        panic!("{:?}", finished.outcome);
    };
    let message = error.error_message.clone().unwrap_or_default();
    assert!(
        message.contains("operation 50 ") && message.contains("at most 50"),
        "{message}"
    );
    // No call exceeded the quota.
    finished.recording.assert_well_behaved();
    assert!(finished.usage.operations <= 50);
    assert!(
        finished.effects.len() >= 45,
        "{} steps",
        finished.effects.len()
    );
    let warned = finished
        .recording
        .output
        .iter()
        .filter(|line| line.contains("operations"));
    assert!(warned.count() >= 1, "{:?}", finished.recording.output);
}
