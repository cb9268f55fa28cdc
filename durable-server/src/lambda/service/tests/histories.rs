//! Tests of the order and the details of events.

use serde_json::json;

use super::*;

fn wait(id: &str, seconds: u64) -> serde_json::Value {
    update(
        id,
        "WAIT",
        "START",
        json!({"WaitOptions": {"WaitSeconds": seconds}}),
    )
}

#[test]
fn a_step() {
    let mut bench = bench();
    bench.invoke();
    bench
        .send(json!([
            step("s", "START", json!({"Name": "reserve", "SubType": "Step"})),
            step("s", "SUCCEED", json!({"Payload": "\"r-9\""}))
        ]))
        .unwrap();
    bench.output(json!({"Status": "SUCCEEDED", "Result": "\"done\""}));
    assert_eq!(
        bench.trace(),
        "StepStarted StepSucceeded InvocationCompleted ExecutionSucceeded"
    );
    let events = bench.events();
    assert_eq!(
        events[0],
        json!({
            "EventId": 1, "EventType": "ExecutionStarted", "EventTimestamp": 1_764_000_000.0,
            "Id": "4f1c", "Name": "order-1",
            "ExecutionStartedDetails": {
                "Input": {"Payload": "{\"orderId\":\"42\"}", "Truncated": false},
                "ExecutionTimeout": 300,
            },
        })
    );
    assert_eq!(
        events[2]["StepSucceededDetails"],
        json!({"Result": {"Payload": "\"r-9\"", "Truncated": false}, "RetryDetails": {"CurrentAttempt": 1}})
    );
    assert_eq!(events[2]["Name"], "reserve");
    assert!(events[3].get("Id").is_none());
    let mut bare = events[2].clone();
    without_data(&mut bare);
    assert_eq!(
        bare["StepSucceededDetails"]["Result"],
        json!({"Truncated": false})
    );
}

#[test]
fn a_step_that_fails_once() {
    let mut bench = bench();
    bench.invoke();
    let retry =
        json!({"Error": {"ErrorType": "Io"}, "StepOptions": {"NextAttemptDelaySeconds": 4}});
    bench
        .send(json!([
            step("s", "START", json!({})),
            step("s", "RETRY", retry)
        ]))
        .unwrap();
    bench.suspend();
    bench.pass(4 * SECOND);
    bench.invoke();
    bench
        .send(json!([
            step("s", "START", json!({})),
            step("s", "SUCCEED", json!({}))
        ]))
        .unwrap();
    bench.output(json!({"Status": "SUCCEEDED", "Result": "1"}));
    assert_eq!(
        bench.trace(),
        "StepStarted StepFailed InvocationCompleted StepStarted StepSucceeded InvocationCompleted ExecutionSucceeded"
    );
    let retry = &bench.events()[2]["StepFailedDetails"]["RetryDetails"];
    assert_eq!(
        *retry,
        json!({"CurrentAttempt": 1, "NextAttemptDelaySeconds": 4})
    );
}

#[test]
fn a_condition_that_is_not_met_yet_succeeds_with_its_state() {
    let mut bench = bench();
    bench.invoke();
    let retry = json!({"Payload": "7", "SubType": "WaitForCondition", "StepOptions": {"NextAttemptDelaySeconds": 1}});
    bench
        .send(json!([
            step("s", "START", json!({"SubType": "WaitForCondition"})),
            step("s", "RETRY", retry)
        ]))
        .unwrap();
    assert_eq!(bench.trace(), "StepStarted StepSucceeded");
    assert_eq!(
        bench.events()[2]["StepSucceededDetails"]["Result"]["Payload"],
        "7"
    );
}

#[test]
fn a_wait_ends_after_the_invocation_that_started_it() {
    let mut bench = bench();
    bench.invoke();
    bench.send(json!([wait("w", 2)])).unwrap();
    bench.suspend();
    assert!(!bench.is_due());
    bench.pass(2 * SECOND);
    bench.invoke();
    bench.output(json!({"Status": "SUCCEEDED"}));
    assert_eq!(
        bench.trace(),
        "WaitStarted InvocationCompleted WaitSucceeded InvocationCompleted ExecutionSucceeded"
    );
    let events = bench.events();
    assert_eq!(
        events[1]["WaitStartedDetails"],
        json!({"Duration": 2, "ScheduledEndTimestamp": 1_764_000_002.0})
    );
    assert_eq!(events[3]["WaitSucceededDetails"], json!({"Duration": 2}));
}

#[test]
fn a_chained_invoke_starts_its_target_once_its_caller_suspends() {
    let mut bench = bench();
    bench.invoke();
    let options = json!({"ChainedInvokeOptions": {"FunctionName": "echo:$LATEST", "TenantId": "t"}, "Payload": "1"});
    bench
        .send(json!([update("i", "CHAINED_INVOKE", "START", options)]))
        .unwrap();
    bench.execution.advance(bench.at());
    assert_eq!(bench.execution.take_dispatches(), Vec::<String>::new());
    bench.suspend();
    assert_eq!(bench.execution.take_dispatches(), ["i"]);
    let at = bench.at();
    let outcome = InvokeOutcome::Succeeded(Some("2".into()));
    assert!(bench.execution.complete_invoke("i", outcome.clone(), at));
    assert!(!bench.execution.complete_invoke("i", outcome, at), "twice");
    bench.invoke();
    bench.output(json!({"Status": "SUCCEEDED", "Result": "2"}));
    assert_eq!(
        bench.trace(),
        "ChainedInvokeStarted InvocationCompleted ChainedInvokeSucceeded InvocationCompleted ExecutionSucceeded"
    );
    let details = &bench.events()[1]["ChainedInvokeStartedDetails"];
    assert_eq!(
        (&details["ExecutedVersion"], &details["TenantId"]),
        (&json!("$LATEST"), &json!("t"))
    );
    let (name, id) = token::child(&bench.execution.head.arn, "i");
    let child = details["DurableExecutionArn"].as_str().unwrap();
    assert!(
        child.ends_with(&format!("/durable-execution/{name}/{id}")),
        "{child}"
    );
}

#[test]
fn a_busy_caller_delays_its_target_only_briefly() {
    let mut bench = bench();
    bench.invoke();
    let options = json!({"ChainedInvokeOptions": {"FunctionName": "plain"}});
    bench
        .send(json!([update("i", "CHAINED_INVOKE", "START", options)]))
        .unwrap();
    bench.pass(300);
    assert_eq!(bench.execution.take_dispatches(), ["i"]);
}

#[test]
fn an_execution_update_ends_the_execution_with_its_invocation() {
    let mut bench = bench();
    bench.invoke();
    let close = update(
        "4f1c",
        "EXECUTION",
        "SUCCEED",
        json!({"Payload": "\"stored\""}),
    );
    let answer = bench.send(json!([close])).unwrap();
    assert!(answer.get("CheckpointToken").is_none());
    let token = bench.token.clone();
    assert_eq!(
        bench
            .send_with(&token, None, json!([]))
            .unwrap_err()
            .message,
        "Invalid checkpoint token"
    );
    bench.output(json!({"Status": "SUCCEEDED", "Result": ""}));
    assert_eq!(bench.trace(), "InvocationCompleted ExecutionSucceeded");
    let ending = bench.execution.head.ending.clone().unwrap();
    assert_eq!(ending.result.as_deref(), Some("\"stored\""));
}

#[test]
fn a_stop_leaves_the_operations_unchanged() {
    let mut bench = bench();
    bench.invoke();
    bench.send(json!([wait("w", 2)])).unwrap();
    let at = bench.at();
    bench
        .execution
        .stop(Some(ErrorObject::message("enough")), at);
    bench.pass(9 * SECOND);
    assert_eq!(bench.status(), "STOPPED");
    assert_eq!(bench.operation("w")["Status"], "STARTED");
    let token = bench.token.clone();
    assert!(bench.send_with(&token, None, json!([])).is_err());
    bench.suspend();
    assert!(!bench.is_due());
    assert_eq!(
        bench.trace(),
        "WaitStarted ExecutionStopped InvocationCompleted"
    );
}
