//! As few calls as there can be.

use std::time::Instant;

use durable_lambda_tests::{Action, Config, Kind, Quotas};
use serde_json::json;

use super::support::{Stage, numbered};

#[tokio::test]
async fn sequential_steps_take_a_call_each() {
    for n in [1, 10, 100] {
        let stage = Stage::plain("steps").await;
        let done = stage.run(n).await;
        assert_eq!(done.result::<u64>(), n * (n - 1) / 2);
        assert!(
            done.calls() as u64 <= n + 1,
            "{} calls for {n} steps",
            done.calls()
        );
        assert_eq!(done.record.empty(), 0);
        assert_eq!(done.used.operations, n + 1);
        assert_eq!(done.invocations(), 1);
        done.record.assert_well_behaved();
        done.assert_effects(numbered("step", n));
    }
}

#[tokio::test]
async fn a_start_rides_with_its_end() {
    let done = Stage::plain("steps").await.run(5).await;
    for call in &done.record.checkpoints {
        let actions: Vec<Action> = call.updates.iter().map(|update| update.action).collect();
        assert_eq!(actions, [Action::Start, Action::Succeed]);
        assert!(call.updates.iter().all(|update| update.kind == Kind::Step));
    }
}

#[tokio::test]
async fn what_ends_at_once_is_written_at_once() {
    let stage = Stage::plain("together").await;
    let done = stage.run(10).await;
    assert_eq!(done.result::<u64>(), 45);
    assert!(done.calls() <= 4, "{} calls", done.calls());
    done.record.assert_well_behaved();
    done.assert_effects(numbered("step", 10));
}

#[tokio::test]
async fn the_items_of_a_map_share_calls() {
    let stage = Stage::plain("fan").await;
    let done = stage.run(100).await;
    assert_eq!(done.result::<u64>(), 4950);
    assert!(done.calls() <= 10, "{} calls", done.calls());
    done.record.assert_well_behaved();
    done.assert_effects(numbered("item", 100));
}

#[tokio::test]
async fn a_wait_is_one_call_and_a_replay_none() {
    let stage = Stage::plain("waits").await;
    let done = stage.run(4).await;
    assert_eq!(done.result::<u64>(), 6);
    // A step, and a wait that the end of the next step does not wait for.
    assert!(done.calls() <= 8, "{} calls", done.calls());
    assert_eq!(done.invocations(), 5);
    assert_eq!(done.record.states.len(), 0);
    assert_eq!(done.record.empty(), 0);
    done.record.assert_well_behaved();
    done.assert_effects(numbered("step", 4));
}

/// Calls, bytes and time grow with the number of operations, not with its square.
#[tokio::test]
async fn three_thousand_operations_cost_what_they_are() {
    let mut bytes = Vec::new();
    // A hundredth of the quota is held back for the end.
    for n in [740, 2_960] {
        let config = Config {
            quotas: Quotas {
                operations: 3_000,
                ..Quotas::default()
            },
            ..Config::default()
        };
        let stage = Stage::new("steps", config).await;
        let began = Instant::now();
        let done = stage.run(n).await;
        let elapsed = began.elapsed();
        assert_eq!(done.result::<u64>(), n * (n - 1) / 2);
        assert!(done.calls() as u64 <= n + 1, "{} calls", done.calls());
        done.record.assert_well_behaved();
        bytes.push(done.record.bytes() as f64 / n as f64);
        let line = json!({
            "measured": "locally, against the fake",
            "operations": n,
            "calls": done.calls(),
            "bytes": done.record.bytes(),
            "milliseconds": elapsed.as_millis() as u64,
            "invocations": done.invocations(),
        });
        println!("{line}");
    }
    // The longer one may have longer numbers in its keys, and that is all.
    assert!(bytes[1] < bytes[0] * 1.1, "{bytes:?} bytes an operation");
}
