//! Tests of the transition table.

use serde_json::json;

use super::*;

fn retry(more: serde_json::Value) -> serde_json::Value {
    let mut retry = json!({"StepOptions": {"NextAttemptDelaySeconds": 2}});
    for (key, value) in more.as_object().unwrap() {
        retry[key] = value.clone();
    }
    step("s", "RETRY", retry)
}

#[test]
fn a_step_counts_finished_attempts() {
    let mut bench = bench();
    bench.invoke();
    bench.send(json!([step("s", "START", json!({}))])).unwrap();
    assert_eq!(bench.operation("s")["StepDetails"]["Attempt"], 0);
    bench
        .send(json!([retry(json!({"Error": {"ErrorType": "E"}}))]))
        .unwrap();
    let pending = bench.operation("s");
    assert_eq!(pending["Status"], "PENDING");
    assert_eq!(pending["StepDetails"]["Attempt"], 1);
    assert_eq!(
        pending["StepDetails"]["NextAttemptTimestamp"],
        1_764_000_002.0
    );
    assert_eq!(
        bench.refused(json!([step("s", "START", json!({}))])),
        "Invalid current STEP state to start."
    );
    bench.suspend();
    bench.pass(2 * SECOND);
    let ready = bench.operation("s");
    assert_eq!(ready["Status"], "READY");
    assert!(ready["StepDetails"].get("NextAttemptTimestamp").is_none());
    bench.invoke();
    bench
        .send(json!([
            step("s", "START", json!({})),
            step("s", "SUCCEED", json!({"Payload": "1"}))
        ]))
        .unwrap();
    let done = bench.operation("s");
    assert_eq!(done["StepDetails"], json!({"Attempt": 2, "Result": "1"}));
    for action in ["START", "SUCCEED", "FAIL"] {
        bench.refused(json!([step("s", action, json!({}))]));
    }
}

#[test]
fn invalid_updates_are_refused() {
    let mut bench = bench();
    bench.invoke();
    for (update, message) in [
        (
            step("s", "RETRY", json!({})),
            "Invalid StepOptions for the given action.",
        ),
        (
            retry(json!({"Error": {}, "Payload": "1"})),
            "Cannot provide both error and payload to RETRY a STEP.",
        ),
        (
            step("s", "SUCCEED", json!({"Error": {}})),
            "Cannot provide an Error for SUCCEED action.",
        ),
        (
            step("s", "FAIL", json!({"Payload": "1"})),
            "Cannot provide a Payload for FAIL action.",
        ),
        (
            step("s", "START", json!({"StepOptions": {}})),
            "Invalid StepOptions for the given action.",
        ),
        (
            step("s", "CANCEL", json!({})),
            "Invalid action for the given operation type.",
        ),
        (
            update("s", "CONTEXT", "RETRY", json!({})),
            "Invalid action for the given operation type.",
        ),
        (
            update("s", "WAIT", "START", json!({})),
            "Update for WAIT operation requires WaitOptions.",
        ),
        (
            update("s", "WAIT", "CANCEL", json!({})),
            "Cannot cancel a WAIT that does not exist or has already completed.",
        ),
        (
            update("s", "CALLBACK", "SUCCEED", json!({})),
            "Invalid action for the given operation type.",
        ),
        (
            update("s", "CHAINED_INVOKE", "START", json!({})),
            "Update for CHAINED_INVOKE operation requires ChainedInvokeOptions.",
        ),
        (
            update("s", "EXECUTION", "START", json!({})),
            "Invalid action for the given operation type.",
        ),
    ] {
        assert_eq!(bench.refused(json!([update.clone()])), message, "{update}");
    }
}

#[test]
fn the_identity_of_an_operation_cannot_change() {
    let mut bench = bench();
    bench.invoke();
    let context = update("c", "CONTEXT", "START", json!({}));
    let names = json!({"Name": "reserve", "SubType": "Step", "ParentId": "c"});
    bench
        .send(json!([context, step("s", "START", names)]))
        .unwrap();
    for (other, message) in [
        (
            update("s", "CONTEXT", "SUCCEED", json!({})),
            "Inconsistent operation type.",
        ),
        (
            step("s", "SUCCEED", json!({"Name": "other"})),
            "Inconsistent operation name.",
        ),
        (
            step("s", "SUCCEED", json!({"SubType": "other"})),
            "Inconsistent operation subtype.",
        ),
    ] {
        assert_eq!(bench.refused(json!([other])), message);
    }
    // Omitted fields keep their values.
    bench
        .send(json!([step("s", "SUCCEED", json!({}))]))
        .unwrap();
    let done = bench.operation("s");
    assert_eq!(
        (&done["Name"], &done["ParentId"]),
        (&json!("reserve"), &json!("c"))
    );
}

#[test]
fn an_operation_starts_only_once() {
    let mut bench = bench();
    bench.invoke();
    for (kind, more) in [
        ("CONTEXT", json!({})),
        ("WAIT", json!({"WaitOptions": {"WaitSeconds": 9}})),
        ("CALLBACK", json!({})),
        (
            "CHAINED_INVOKE",
            json!({"ChainedInvokeOptions": {"FunctionName": "plain"}}),
        ),
    ] {
        bench
            .send(json!([update(kind, kind, "START", more.clone())]))
            .unwrap();
        let message = bench.refused(json!([update(kind, kind, "START", more)]));
        assert_eq!(
            message,
            format!("Cannot start a {kind} that already exist.")
        );
    }
}

#[test]
fn a_running_wait_can_be_cancelled() {
    let mut bench = bench();
    bench.invoke();
    bench
        .send(json!([update(
            "w",
            "WAIT",
            "START",
            json!({"WaitOptions": {"WaitSeconds": 9}})
        )]))
        .unwrap();
    bench
        .send(json!([update("w", "WAIT", "CANCEL", json!({}))]))
        .unwrap();
    assert_eq!(bench.operation("w")["Status"], "CANCELLED");
    bench.pass(10 * SECOND);
    assert_eq!(bench.trace(), "WaitStarted WaitCancelled");
}

#[test]
fn an_invoke_without_a_target_fails_in_the_response_to_its_start() {
    let mut bench = bench();
    bench.invoke();
    let start = |name: &str| {
        let options = json!({"ChainedInvokeOptions": {"FunctionName": name}, "Payload": "1"});
        update("i", "CHAINED_INVOKE", "START", options)
    };
    assert_eq!(bench.refused(json!([start("elsewhere")])), "elsewhere");
    let answer = bench.send(json!([start("nobody")])).unwrap();
    let operation = &answer["NewExecutionState"]["Operations"][0];
    assert_eq!(operation["Status"], "FAILED");
    assert_eq!(
        operation["ChainedInvokeDetails"]["Error"]["ErrorType"],
        "ResourceNotFoundException"
    );
    assert_eq!(bench.trace(), "ChainedInvokeStarted ChainedInvokeFailed");
    assert_eq!(
        bench.events()[1]["ChainedInvokeStartedDetails"],
        json!({"FunctionName": "nobody"})
    );
}
