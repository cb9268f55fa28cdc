//! Tests of tokens, idempotency, returned changes and batches.

use serde_json::json;

use super::*;

#[test]
fn every_checkpoint_rotates_the_token() {
    let mut bench = bench();
    bench.invoke();
    let first = bench.token.clone();
    bench.send(json!([])).unwrap();
    assert_ne!(bench.token, first);
    let stale = bench.send_with(&first, None, json!([])).unwrap_err();
    assert_eq!(stale.code, "InvalidParameterValueException");
    assert_eq!(stale.message, "Invalid checkpoint token");
    assert!(bench.execution.state(&first, None, 100).is_err());
    let current = bench.token.clone();
    assert!(bench.execution.state(&current, None, 100).is_ok());
}

#[test]
fn a_new_invocation_fences_the_one_before() {
    let mut bench = bench();
    bench.invoke();
    let first = bench.token.clone();
    let at = bench.at();
    let error = ErrorObject::new("Runtime.ExitError", "gone");
    bench.execution.invocation_failed(error, at);
    bench.pass(SECOND);
    bench.invoke();
    assert!(bench.send_with(&first, None, json!([])).is_err());
    bench.send(json!([])).unwrap();
}

#[test]
fn a_token_of_another_execution_is_refused() {
    let mut bench = bench();
    bench.invoke();
    let other = token::of_checkpoint("other", "secret", 1);
    let refusal = bench.send_with(&other, None, json!([])).unwrap_err();
    let message = "Checkpoint token is not valid for the durable execution ARN";
    assert_eq!(refusal.message, message);
}

#[test]
fn a_repeated_client_token_returns_the_stored_response() {
    let mut bench = bench();
    bench.invoke();
    let token = bench.token.clone();
    let updates = json!([
        step("a", "START", json!({})),
        step(
            "a",
            "RETRY",
            json!({"Error": {"ErrorType": "Io"}, "StepOptions": {"NextAttemptDelaySeconds": 4}})
        ),
    ]);
    let answer = bench
        .send_with(&token, Some("u1"), updates.clone())
        .unwrap();
    // Timers that fire meanwhile do not change the stored response.
    bench.now += 5 * SECOND;
    let again = bench
        .send_with(&token, Some("u1"), updates.clone())
        .unwrap();
    assert_eq!(answer, again);
    assert_eq!(bench.trace(), "StepStarted StepFailed");
    let other = bench.send_with(&token, Some("u2"), updates).unwrap_err();
    assert_eq!(other.message, "Invalid checkpoint token");
}

#[test]
fn a_response_contains_all_changes_since_the_previous_one() {
    let mut bench = bench();
    bench.invoke();
    bench
        .send(json!([update(
            "w",
            "WAIT",
            "START",
            json!({"WaitOptions": {"WaitSeconds": 1}})
        )]))
        .unwrap();
    bench.now += 2 * SECOND;
    let answer = bench.send(json!([step("s", "START", json!({}))])).unwrap();
    let operations = answer["NewExecutionState"]["Operations"]
        .as_array()
        .unwrap();
    let shown: Vec<_> = operations
        .iter()
        .map(|o| (&o["Id"], &o["Status"]))
        .collect();
    assert_eq!(
        shown,
        [
            (&json!("w"), &json!("SUCCEEDED")),
            (&json!("s"), &json!("STARTED"))
        ]
    );
    let answer = bench.send(json!([])).unwrap();
    assert_eq!(answer["NewExecutionState"]["Operations"], json!([]));
}

#[test]
fn a_refused_batch_changes_nothing_and_keeps_the_token() {
    let mut bench = bench();
    bench.invoke();
    let batch = json!([step("a", "START", json!({})), step("b", "RETRY", json!({}))]);
    assert_eq!(
        bench.refused(batch),
        "Invalid StepOptions for the given action."
    );
    assert!(bench.execution.operation("a").is_none());
    bench.send(json!([step("a", "START", json!({}))])).unwrap();
    assert_eq!(bench.trace(), "StepStarted");
}

#[test]
fn batches_follow_the_rules_of_the_service() {
    let mut bench = bench();
    bench.invoke();
    let close = |action| update("4f1c", "EXECUTION", action, json!({}));
    let context = update("c", "CONTEXT", "START", json!({}));
    for (batch, message) in [
        (
            json!([close("SUCCEED"), close("SUCCEED")]),
            "Cannot checkpoint multiple EXECUTION updates.",
        ),
        (
            json!([close("SUCCEED"), step("a", "START", json!({}))]),
            "EXECUTION checkpoint must be the last update.",
        ),
        (
            json!([step("a", "START", json!({})), step("a", "START", json!({}))]),
            "Cannot checkpoint multiple operations with the same ID.",
        ),
        (
            json!([step("a", "START", json!({"ParentId": "c"})), context]),
            "Invalid parent operation id.",
        ),
        (
            json!([
                step("s", "START", json!({})),
                step("a", "START", json!({"ParentId": "s"}))
            ]),
            "Invalid parent operation id.",
        ),
        (
            json!([step(
                "a",
                "FAIL",
                json!({"Error": {"ErrorMessage": "x".repeat(40_000)}})
            )]),
            "Error object size must be less than or equal to 32768 bytes.",
        ),
        (
            json!([step(
                "a",
                "SUCCEED",
                json!({"Payload": "x".repeat(262_145)})
            )]),
            "STEP output payload size must be less than or equal to 262144 bytes.",
        ),
    ] {
        assert_eq!(bench.refused(batch), message);
    }
    let fits = json!([context, step("a", "START", json!({"ParentId": "c"}))]);
    bench.send(fits).unwrap();
}

#[test]
fn quotas_count_starts_and_retries() {
    let mut bench = with_limits(Limits {
        operations: 3,
        bytes: 100,
        ..Limits::default()
    });
    bench.invoke();
    bench
        .send(json!([
            step("a", "START", json!({})),
            step("a", "SUCCEED", json!({}))
        ]))
        .unwrap();
    bench.send(json!([step("b", "START", json!({}))])).unwrap();
    let retry = json!({"Error": {}, "StepOptions": {"NextAttemptDelaySeconds": 1}});
    let message = bench.refused(json!([step("b", "RETRY", retry)]));
    assert_eq!(message, "The execution exceeds its quota of 3 operations.");
    let message = bench.refused(json!([step(
        "b",
        "SUCCEED",
        json!({"Payload": "x".repeat(100)})
    )]));
    assert_eq!(message, "The execution exceeds its quota of 100 bytes.");
}

#[test]
fn values_are_validated_by_the_model() {
    let mut bench = bench();
    bench.invoke();
    let wait = |seconds: i64| {
        update(
            "w",
            "WAIT",
            "START",
            json!({"WaitOptions": {"WaitSeconds": seconds}}),
        )
    };
    let refusal = bench.send(json!([wait(0)])).unwrap_err();
    assert_eq!(refusal.code, "ValidationException");
    assert_eq!(
        refusal.message,
        "1 validation error detected: Value '0' at 'updates.1.member.waitOptions.waitSeconds' failed to satisfy constraint: Member must have value greater than or equal to 1"
    );
    for wrong in [
        wait(31_622_401),
        step("", "START", json!({})),
        step("a b", "START", json!({})),
        step(&"x".repeat(65), "START", json!({})),
        step("a", "START", json!({"Name": "ümlaut"})),
        step("a", "START", json!({"Name": ""})),
        step("a", "START", json!({"SubType": "x".repeat(33)})),
        step("a", "START", json!({"ParentId": "../.."})),
    ] {
        assert_eq!(
            bench.send(json!([wrong])).unwrap_err().code,
            "ValidationException",
            "{wrong}"
        );
    }
}
