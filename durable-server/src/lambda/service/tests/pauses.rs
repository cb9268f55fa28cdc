//! Tests of pauses.

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

fn pause(bench: &mut Bench, token: &str) -> Result<(), Refusal> {
    let at = bench.at();
    bench
        .execution
        .pause(Some(token.into()), Some("deploy".into()), true, at)
}

fn resume(bench: &mut Bench) -> Result<(), Refusal> {
    let at = bench.at();
    bench.execution.resume(None, None, at)
}

#[test]
fn a_pause_interrupts_the_invocation_at_its_next_checkpoint() {
    let mut bench = bench();
    bench.invoke();
    pause(&mut bench, "p").unwrap();
    assert_eq!(bench.status(), "PAUSING");
    let answer = bench.send(json!([step("s", "START", json!({}))])).unwrap();
    assert!(
        answer.get("CheckpointToken").is_none(),
        "the updates are applied, but no token is returned"
    );
    assert_eq!(bench.status(), "PAUSED");
    bench.suspend();
    assert!(!bench.is_due());
    resume(&mut bench).unwrap();
    let event = bench.invoke();
    assert_eq!(event["InitialExecutionState"]["Operations"][1]["Id"], "s");
    assert_eq!(
        bench.trace(),
        "StepStarted ExecutionPaused InvocationCompleted ExecutionResumed"
    );
}

#[test]
fn timers_keep_running_while_an_execution_is_paused() {
    let mut bench = bench();
    bench.invoke();
    bench.send(json!([wait("w", 2)])).unwrap();
    bench.suspend();
    pause(&mut bench, "p").unwrap();
    assert_eq!(bench.status(), "PAUSED");
    bench.pass(3 * SECOND);
    assert_eq!(bench.operation("w")["Status"], "SUCCEEDED");
    assert!(!bench.is_due());
    resume(&mut bench).unwrap();
    assert!(bench.is_due());
}

#[test]
fn a_pause_can_stop_the_execution_timeout() {
    let mut bench = bench();
    bench.invoke();
    bench
        .send(json!([update("c", "CALLBACK", "START", json!({}))]))
        .unwrap();
    bench.suspend();
    bench.pass(100 * SECOND);
    pause(&mut bench, "p").unwrap();
    bench.pass(1_000 * SECOND);
    assert_eq!(bench.status(), "PAUSED");
    resume(&mut bench).unwrap();
    bench.pass(199 * SECOND);
    assert_eq!(bench.status(), "RUNNING");
    bench.pass(SECOND);
    assert_eq!(bench.status(), "TIMED_OUT");
}

#[test]
fn requests_are_idempotent_by_client_token_and_conflict_without() {
    let mut bench = bench();
    assert_eq!(
        resume(&mut bench).unwrap_err().code,
        "ResourceConflictException"
    );
    pause(&mut bench, "p").unwrap();
    pause(&mut bench, "p").unwrap();
    assert_eq!(pause(&mut bench, "q").unwrap_err().status, 409);
    let at = bench.at();
    bench.execution.resume(Some("r".into()), None, at).unwrap();
    bench.execution.resume(Some("r".into()), None, at).unwrap();
    assert_eq!(resume(&mut bench).unwrap_err().status, 409);
    assert_eq!(bench.trace(), "ExecutionPaused ExecutionResumed");
    bench.execution.stop(None, at);
    assert_eq!(pause(&mut bench, "p").unwrap_err().status, 409);
}
