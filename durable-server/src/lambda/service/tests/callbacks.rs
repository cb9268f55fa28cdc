//! Tests of callbacks and their two deadlines.

use serde_json::json;

use super::*;

fn started(timeout: u64, heartbeat: u64) -> (Bench, String) {
    let mut bench = bench();
    bench.invoke();
    let options = json!({"CallbackOptions": {"TimeoutSeconds": timeout, "HeartbeatTimeoutSeconds": heartbeat}});
    let answer = bench
        .send(json!([update("c", "CALLBACK", "START", options)]))
        .unwrap();
    let details = &answer["NewExecutionState"]["Operations"][0]["CallbackDetails"];
    let id = details["CallbackId"].as_str().unwrap().to_owned();
    bench.suspend();
    (bench, id)
}

fn complete(bench: &mut Bench, id: &str) -> Result<(), Refusal> {
    let at = bench.at();
    let outcome = CallbackOutcome::Succeeded(Some("\"abc\"".into()));
    bench.execution.complete_callback("c", id, outcome, at)
}

#[test]
fn a_callback_is_completed_once() {
    let (mut bench, id) = started(0, 0);
    complete(&mut bench, &id).unwrap();
    assert_eq!(bench.operation("c")["CallbackDetails"]["Result"], "\"abc\"");
    let again = complete(&mut bench, &id).unwrap_err();
    assert_eq!(
        (again.status, again.code),
        (400, "CallbackTimeoutException")
    );
    assert_eq!(
        bench.trace(),
        "CallbackStarted InvocationCompleted CallbackSucceeded"
    );
}

#[test]
fn callback_ids_cannot_be_guessed_from_the_operation() {
    let (mut bench, id) = started(0, 0);
    assert_eq!(
        token::callback_target(&id),
        Some(("4f1c".into(), "c".into()))
    );
    let forged = token::of_callback("4f1c", "another secret", "c");
    assert_eq!(
        complete(&mut bench, &forged).unwrap_err().message,
        "Invalid callback id"
    );
    assert_eq!(token::callback_target("AAAA"), None);
    assert_eq!(token::callback_target("%%%"), None);
}

#[test]
fn a_failure_carries_its_error() {
    let (mut bench, id) = started(0, 0);
    let at = bench.at();
    let outcome = CallbackOutcome::Failed(ErrorObject::new("Denied", "no"));
    bench
        .execution
        .complete_callback("c", &id, outcome, at)
        .unwrap();
    assert_eq!(bench.operation("c")["Status"], "FAILED");
    assert!(bench.is_due());
    assert_eq!(
        bench.events()[3]["CallbackFailedDetails"]["Error"]["Payload"]["ErrorType"],
        "Denied"
    );
}

#[test]
fn heartbeats_do_not_extend_the_timeout() {
    let (mut bench, id) = started(10, 4);
    for _ in 0..3 {
        bench.pass(3 * SECOND);
        let at = bench.at();
        bench.execution.heartbeat("c", &id, at).unwrap();
        assert!(!bench.is_due(), "a heartbeat starts no invocation");
    }
    bench.pass(SECOND);
    assert_eq!(bench.operation("c")["Status"], "TIMED_OUT");
    assert_eq!(
        bench.operation("c")["CallbackDetails"]["Error"]["ErrorType"],
        "Callback.Timeout"
    );
    assert_eq!(
        complete(&mut bench, &id).unwrap_err().code,
        "CallbackTimeoutException"
    );
    assert!(bench.is_due());
}

#[test]
fn missing_heartbeats_end_a_callback_before_its_timeout() {
    let (mut bench, id) = started(10, 4);
    bench.pass(3 * SECOND);
    let at = bench.at();
    bench.execution.heartbeat("c", &id, at).unwrap();
    bench.pass(3 * SECOND);
    assert_eq!(bench.operation("c")["Status"], "STARTED");
    bench.pass(SECOND);
    assert_eq!(
        bench.operation("c")["CallbackDetails"]["Error"]["ErrorType"],
        "Callback.Heartbeat"
    );
    assert_eq!(
        bench.trace(),
        "CallbackStarted InvocationCompleted CallbackTimedOut"
    );
    let details = &bench.events()[1]["CallbackStartedDetails"];
    assert_eq!(
        (&details["Timeout"], &details["HeartbeatTimeout"]),
        (&json!(10), &json!(4))
    );
}

#[test]
fn a_completion_after_the_deadline_is_refused() {
    let (mut bench, id) = started(10, 0);
    // The server has not fired its timers yet.
    bench.now += 11 * SECOND;
    assert_eq!(
        complete(&mut bench, &id).unwrap_err().code,
        "CallbackTimeoutException"
    );
    assert_eq!(bench.operation("c")["Status"], "TIMED_OUT");
}
