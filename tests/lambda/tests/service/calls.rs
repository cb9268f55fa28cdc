//! Tests of the number of calls.

use std::time::Instant;

use durable_lambda_tests::{Action, Config, Kind, Quotas};
use serde_json::json;

use super::support::{Harness, numbered};

#[tokio::test]
async fn sequential_steps_take_one_call_each() {
    for n in [1, 10, 100] {
        let harness = Harness::with_defaults("steps").await;
        let finished = harness.run(n).await;
        assert_eq!(finished.result::<u64>(), n * (n - 1) / 2);
        assert!(
            finished.calls() as u64 <= n + 1,
            "{} calls for {n} steps",
            finished.calls()
        );
        assert_eq!(finished.recording.empty_checkpoints(), 0);
        assert_eq!(finished.usage.operations, n + 1);
        assert_eq!(finished.invocations(), 1);
        finished.recording.assert_well_behaved();
        finished.assert_effects(numbered("step", n));
    }
}

#[tokio::test]
async fn start_and_end_share_a_call() {
    let finished = Harness::with_defaults("steps").await.run(5).await;
    for call in &finished.recording.checkpoints {
        let actions: Vec<Action> = call.updates.iter().map(|update| update.action).collect();
        assert_eq!(actions, [Action::Start, Action::Succeed]);
        assert!(call.updates.iter().all(|update| update.kind == Kind::Step));
    }
}

#[tokio::test]
async fn concurrent_steps_share_calls() {
    let harness = Harness::with_defaults("concurrent_steps").await;
    let finished = harness.run(10).await;
    assert_eq!(finished.result::<u64>(), 45);
    assert!(finished.calls() <= 4, "{} calls", finished.calls());
    finished.recording.assert_well_behaved();
    finished.assert_effects(numbered("step", 10));
}

#[tokio::test]
async fn items_of_a_map_share_calls() {
    let harness = Harness::with_defaults("mapped_steps").await;
    let finished = harness.run(100).await;
    assert_eq!(finished.result::<u64>(), 4950);
    assert!(finished.calls() <= 10, "{} calls", finished.calls());
    finished.recording.assert_well_behaved();
    finished.assert_effects(numbered("item", 100));
}

#[tokio::test]
async fn waits_take_one_call_and_replay_none() {
    let harness = Harness::with_defaults("waits").await;
    let finished = harness.run(4).await;
    assert_eq!(finished.result::<u64>(), 6);
    // One call for each step and one for each wait.
    assert!(finished.calls() <= 8, "{} calls", finished.calls());
    assert_eq!(finished.invocations(), 5);
    assert_eq!(finished.recording.states.len(), 0);
    assert_eq!(finished.recording.empty_checkpoints(), 0);
    finished.recording.assert_well_behaved();
    finished.assert_effects(numbered("step", 4));
}

/// Calls and bytes grow linearly with the number of operations.
#[tokio::test]
async fn cost_of_three_thousand_operations_is_linear() {
    let mut bytes = Vec::new();
    // One percent of the quota is reserved for the end of the execution.
    for n in [740, 2_960] {
        let config = Config {
            quotas: Quotas {
                operations: 3_000,
                ..Quotas::default()
            },
            ..Config::default()
        };
        let harness = Harness::new("steps", config).await;
        let start = Instant::now();
        let finished = harness.run(n).await;
        let elapsed = start.elapsed();
        assert_eq!(finished.result::<u64>(), n * (n - 1) / 2);
        assert!(
            finished.calls() as u64 <= n + 1,
            "{} calls",
            finished.calls()
        );
        finished.recording.assert_well_behaved();
        bytes.push(finished.recording.bytes() as f64 / n as f64);
        let line = json!({
            "measured": "locally, against the fake",
            "operations": n,
            "calls": finished.calls(),
            "bytes": finished.recording.bytes(),
            "milliseconds": elapsed.as_millis() as u64,
            "invocations": finished.invocations(),
        });
        println!("{line}");
    }
    // Only the numbers in the keys are longer.
    assert!(bytes[1] < bytes[0] * 1.1, "{bytes:?} bytes per operation");
}
