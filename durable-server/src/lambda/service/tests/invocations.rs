//! Tests of invocations and of the ends of executions.

use serde_json::json;

use super::*;

fn callback(id: &str) -> serde_json::Value {
    update(id, "CALLBACK", "START", json!({}))
}

fn complete(bench: &mut Bench, operation: &str) {
    let id = bench.operation(operation)["CallbackDetails"]["CallbackId"]
        .as_str()
        .unwrap()
        .to_owned();
    let at = bench.at();
    let outcome = CallbackOutcome::Succeeded(Some("1".into()));
    bench
        .execution
        .complete_callback(operation, &id, outcome, at)
        .unwrap();
}

#[test]
fn every_completion_starts_an_invocation_even_while_others_are_open() {
    let mut bench = bench();
    bench.invoke();
    bench.send(json!([callback("a"), callback("b")])).unwrap();
    bench.suspend();
    assert!(!bench.is_due());
    complete(&mut bench, "a");
    let event = bench.invoke();
    assert_eq!(event["UpdatedOperationIds"], json!(["a"]));
    bench.suspend();
    assert!(!bench.is_due());
    complete(&mut bench, "b");
    assert!(bench.is_due());
}

#[test]
fn a_change_that_was_delivered_starts_no_invocation() {
    let mut bench = bench();
    bench.invoke();
    bench.send(json!([callback("a"), callback("b")])).unwrap();
    complete(&mut bench, "a");
    bench.send(json!([])).unwrap();
    bench.suspend();
    assert!(!bench.is_due(), "the handler has seen it");
    bench.pass(0);
    complete(&mut bench, "b");
    bench.invoke();
    complete_nothing(&mut bench);
}

fn complete_nothing(bench: &mut Bench) {
    bench.output(json!({"Status": "SUCCEEDED", "Result": "1"}));
    assert_eq!(bench.status(), "SUCCEEDED");
}

#[test]
fn an_unseen_change_starts_an_invocation_at_once() {
    let mut bench = bench();
    bench.invoke();
    bench.send(json!([callback("a"), callback("b")])).unwrap();
    complete(&mut bench, "a");
    bench.suspend();
    assert!(bench.is_due());
}

#[test]
fn failed_invocations_are_retried_with_growing_delays_up_to_a_limit() {
    let mut bench = bench();
    let mut pauses = Vec::new();
    loop {
        bench.invoke();
        bench.now += 10;
        let at = bench.at();
        let error = ErrorObject::new("Runtime.ExitError", "exit status: 1");
        bench.execution.invocation_failed(error, at);
        let Some(due) = bench.execution.next_due() else {
            break;
        };
        pauses.push(due - bench.now);
        bench.pass(due - bench.now);
    }
    assert_eq!(pauses, [1_000, 2_000, 4_000, 8_000]);
    assert_eq!(bench.status(), "FAILED");
    let ending = bench.execution.head.ending.clone().unwrap();
    assert_eq!(
        ending.error.unwrap().error_type.as_deref(),
        Some("Runtime.ExitError")
    );
    let events = bench.events();
    let completed = &events[1]["InvocationCompletedDetails"];
    assert_eq!(
        completed["Error"]["Payload"]["ErrorType"],
        "Runtime.ExitError"
    );
    assert_eq!(events.len(), 1 + 5 + 1);
}

#[test]
fn a_valid_output_resets_the_count_of_failures() {
    let mut bench = bench();
    for _ in 0..3 {
        bench.invoke();
        let at = bench.at();
        bench
            .execution
            .invocation_failed(ErrorObject::default(), at);
        bench.pass(60 * SECOND / 4);
    }
    bench.invoke();
    bench.send(json!([callback("a")])).unwrap();
    bench.suspend();
    complete(&mut bench, "a");
    for _ in 0..4 {
        bench.invoke();
        let at = bench.at();
        bench
            .execution
            .invocation_failed(ErrorObject::default(), at);
        bench.pass(10 * SECOND);
    }
    assert_eq!(bench.status(), "RUNNING");
}

#[test]
fn pending_with_nothing_pending_fails_the_execution_the_fourth_time() {
    let mut bench = bench();
    for _ in 0..3 {
        bench.invoke();
        bench.suspend();
        assert_eq!(bench.status(), "RUNNING");
    }
    bench.invoke();
    bench.suspend();
    let error = bench.execution.head.ending.clone().unwrap().error.unwrap();
    let message = "Cannot return PENDING status with no pending operations.";
    assert_eq!(error.error_message.as_deref(), Some(message));
}

#[test]
fn outputs_are_validated() {
    for (output, message) in [
        (json!({}), "Invalid Status in invocation output."),
        (
            json!({"Status": "DONE"}),
            "Invalid Status in invocation output.",
        ),
        (json!([1]), "Invalid Status in invocation output."),
        (
            json!({"Status": "SUCCEEDED", "Error": {}}),
            "Cannot provide an Error for SUCCEEDED status.",
        ),
        (
            json!({"Status": "FAILED", "Result": "1"}),
            "Cannot provide a Result for FAILED status.",
        ),
        (
            json!({"Status": "SUCCEEDED", "Result": 1}),
            "Invalid Result in invocation output.",
        ),
        (
            json!({"Status": "FAILED", "Error": 1}),
            "Invalid Error in invocation output.",
        ),
    ] {
        let mut bench = bench();
        bench.invoke();
        bench.output(output.clone());
        assert_eq!(bench.status(), "FAILED", "{output}");
        let error = bench.execution.head.ending.clone().unwrap().error.unwrap();
        assert_eq!(
            error.error_type.as_deref(),
            Some("InvalidParameterValueException")
        );
        assert_eq!(error.error_message.as_deref(), Some(message), "{output}");
    }
}

#[test]
fn an_execution_that_takes_too_long_times_out() {
    let mut bench = bench();
    bench.invoke();
    bench.send(json!([callback("a")])).unwrap();
    bench.suspend();
    bench.pass(301 * SECOND);
    assert_eq!(bench.status(), "TIMED_OUT");
    let error = bench.execution.head.ending.clone().unwrap().error.unwrap();
    assert_eq!(
        error.error_message.as_deref(),
        Some("Execution timed out after 300 seconds.")
    );
    assert_eq!(
        bench.trace(),
        "CallbackStarted InvocationCompleted ExecutionTimedOut"
    );
}

#[test]
fn an_invocation_lost_in_a_restart_is_repeated_at_once() {
    let mut bench = bench();
    bench.invoke();
    bench.send(json!([step("s", "START", json!({}))])).unwrap();
    let changes = bench.execution.take_changes().unwrap();
    let head = serde_json::from_str(&changes.head).unwrap();
    let operations = changes.operations.iter();
    let operations = operations.map(|(_, json)| serde_json::from_str(json).unwrap());
    let mut restored = Execution::restored(head, operations.collect(), Limits::default());
    assert!(!restored.is_due(bench.now));
    restored.recover(bench.at());
    assert!(restored.is_due(bench.now));
    let stale = bench.token.clone();
    restored.begin_invocation("again", bench.at());
    assert!(
        restored.state(&stale, None, 9).is_err(),
        "the lost invocation is fenced"
    );
    assert_eq!(restored.operation("s"), bench.execution.operation("s"));
}

#[test]
fn large_results_of_asynchronous_executions_fail() {
    let mut bench = bench();
    bench.execution.head.asynchronous = true;
    bench.invoke();
    bench.output(json!({"Status": "SUCCEEDED", "Result": "x".repeat(1_048_577)}));
    assert_eq!(bench.status(), "FAILED");
    let error = bench.execution.head.ending.clone().unwrap().error.unwrap();
    let message = "Execution output payload size must be less than or equal to 1048576 bytes.";
    assert_eq!(error.error_message.as_deref(), Some(message));
}
