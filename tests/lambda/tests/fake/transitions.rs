//! Tests of the state transitions of operations.

use durable_lambda_tests::{
    Action, CallbackOptions, ChainedInvokeOptions, Config, ContextOptions, ErrorObject, Kind,
    Operation, Status, Update,
};
use serde_json::json;

use super::support::{Fixture, message, operation, retry, step, wait};

/// Sends each update in a separate call. Returns the error message of the last one, if it is rejected.
async fn last_error(calls: &[Update]) -> Option<String> {
    let mut fixture = Fixture::new(Config::default()).await;
    for (n, update) in calls.iter().enumerate() {
        let response = fixture.write(std::slice::from_ref(update)).await;
        if n + 1 == calls.len() {
            return (response.0 != 200).then(|| message(response));
        }
        assert_eq!(response.0, 200, "call {n}: {}", response.1);
    }
    None
}

fn context(action: Action) -> Update {
    Update::new("x", Kind::Context, action)
}

#[tokio::test]
async fn invalid_transitions_are_rejected() {
    use Action::{Cancel, Fail, Retry, Start, Succeed};
    let with_error = |update: Update| Update {
        error: Some(ErrorObject::new("E", "m")),
        ..update
    };
    let with_payload = |update: Update| Update {
        payload: Some("1".into()),
        ..update
    };
    let callback = |action| Update::new("c", Kind::Callback, action);
    let invoke = |action| Update::new("i", Kind::ChainedInvoke, action);
    let cases: &[(&[Update], &str)] = &[
        (&[step(Succeed)], "Invalid current STEP state to close."),
        (
            &[step(Start), step(Start)],
            "Invalid current STEP state to start.",
        ),
        (
            &[step(Start), step(Succeed), step(Fail)],
            "Invalid current STEP state to close.",
        ),
        (
            &[step(Start), step(Fail), retry(1)],
            "Invalid current STEP state to re-attempt.",
        ),
        (
            &[step(Start), step(Retry)],
            "Invalid StepOptions for the given action.",
        ),
        (
            &[step(Start), retry(5_000), step(Start)],
            "Invalid current STEP state to start.",
        ),
        (
            &[step(Start), with_error(with_payload(retry(1)))],
            "Cannot provide both error and payload to RETRY a STEP.",
        ),
        (
            &[step(Start), with_error(step(Succeed))],
            "Cannot provide an Error for SUCCEED action.",
        ),
        (
            &[step(Start), with_payload(step(Fail))],
            "Cannot provide a Payload for FAIL action.",
        ),
        (
            &[step(Cancel)],
            "Invalid action for the given operation type.",
        ),
        (
            &[context(Succeed)],
            "Invalid current CONTEXT state to close.",
        ),
        (
            &[context(Start), context(Start)],
            "Cannot start a CONTEXT that already exist.",
        ),
        (
            &[context(Start), context(Succeed), context(Fail)],
            "Invalid current CONTEXT state to close.",
        ),
        (
            &[Update::new("w", Kind::Wait, Start)],
            "Update for WAIT operation requires WaitOptions.",
        ),
        (
            &[wait("w", 9_000), wait("w", 9_000)],
            "Cannot start a WAIT that already exist.",
        ),
        (
            &[callback(Start), callback(Start)],
            "Cannot start a CALLBACK that already exist.",
        ),
        (
            &[callback(Succeed)],
            "Invalid action for the given operation type.",
        ),
        (
            &[invoke(Start)],
            "Update for CHAINED_INVOKE operation requires ChainedInvokeOptions.",
        ),
        (
            &[wait("w", 0)],
            "1 validation error detected: Value '0' at 'updates.1.member.waitOptions.waitSeconds' \
             failed to satisfy constraint: Member must have value greater than or equal to 1",
        ),
    ];
    for (calls, expected) in cases {
        assert_eq!(
            last_error(calls).await.as_deref(),
            Some(*expected),
            "{calls:?}"
        );
    }
}

#[tokio::test]
async fn updates_have_to_repeat_type_subtype_and_name() {
    let mut fixture = Fixture::new(Config::default()).await;
    let started = Update {
        name: Some("load".into()),
        sub_type: Some("Step".into()),
        ..step(Action::Start)
    };
    fixture.write(std::slice::from_ref(&started)).await;
    let end = |change: fn(&mut Update)| {
        let mut end = Update {
            action: Action::Succeed,
            ..started.clone()
        };
        change(&mut end);
        end
    };
    for (change, expected) in [
        (
            (|u| u.kind = Kind::Wait) as fn(&mut Update),
            "Inconsistent operation type.",
        ),
        (|u| u.sub_type = None, "Inconsistent operation subtype."),
        (
            |u| u.name = Some("store".into()),
            "Inconsistent operation name.",
        ),
    ] {
        assert_eq!(message(fixture.write(&[end(change)]).await), expected);
    }
    assert_eq!(fixture.write(&[end(|_| ())]).await.0, 200);
}

#[tokio::test]
async fn children_require_an_open_context() {
    let mut fixture = Fixture::new(Config::default()).await;
    let child = Update {
        parent_id: Some("x".into()),
        ..step(Action::Start)
    };
    let orphan = fixture.write(std::slice::from_ref(&child)).await;
    assert_eq!(message(orphan), "Invalid parent operation id.");
    assert_eq!(
        fixture
            .write(&[context(Action::Start), child.clone()])
            .await
            .0,
        200
    );
    fixture.write(&[context(Action::Succeed)]).await;
    let end = Update {
        action: Action::Succeed,
        ..child
    };
    assert_eq!(
        message(fixture.write(&[end]).await),
        "Invalid parent operation id."
    );
}

#[tokio::test]
async fn finished_attempts_are_counted() {
    let mut fixture = Fixture::new(Config::default()).await;
    let attempt = |body: &serde_json::Value| operation(body, "s")["StepDetails"]["Attempt"].clone();
    let (_, body) = fixture.write(&[step(Action::Start)]).await;
    assert_eq!(attempt(&body), 0);
    let (_, body) = fixture.write(&[retry(1)]).await;
    assert_eq!(
        (&operation(&body, "s")["Status"], attempt(&body)),
        (&json!("PENDING"), json!(1))
    );
    fixture.suspend().await;
    let ready = &fixture.invocation.event["InitialExecutionState"]["Operations"][1];
    assert_eq!(
        (&ready["Status"], &ready["StepDetails"]["Attempt"]),
        (&json!("READY"), &json!(1))
    );
    assert_eq!(
        fixture.invocation.event["UpdatedOperationIds"],
        json!(["s"])
    );
    let (_, body) = fixture
        .write(&[step(Action::Start), step(Action::Succeed)])
        .await;
    assert_eq!(attempt(&body), 2);
    assert_eq!(fixture.execution.usage().operations, 3);
}

#[tokio::test]
async fn closed_contexts_hide_their_children_unless_replayed() {
    for (replay_children, seen) in [(None, 3), (Some(true), 4)] {
        let mut fixture = Fixture::new(Config::default()).await;
        let child = |action| Update {
            parent_id: Some("x".into()),
            ..step(action)
        };
        let close = Update {
            context_options: Some(ContextOptions { replay_children }),
            ..context(Action::Succeed)
        };
        let begin = [context(Action::Start), child(Action::Start)];
        fixture.write(&begin).await;
        fixture
            .write(&[child(Action::Succeed), close, wait("w", 1)])
            .await;
        fixture.suspend().await;
        let operations = &fixture.invocation.event["InitialExecutionState"]["Operations"];
        assert_eq!(operations.as_array().map(Vec::len), Some(seen));
    }
}

#[tokio::test]
async fn payload_and_error_sizes_are_limited() {
    let large = |update: Update, bytes: usize| Update {
        payload: Some("x".repeat(bytes)),
        ..update
    };
    let fits = last_error(&[step(Action::Start), large(step(Action::Succeed), 262_144)]).await;
    assert_eq!(fits, None);
    let rejected = last_error(&[step(Action::Start), large(step(Action::Succeed), 262_145)]).await;
    let expected = "STEP output payload size must be less than or equal to 262144 bytes.";
    assert_eq!(rejected.as_deref(), Some(expected));
    let error = Update {
        error: Some(ErrorObject::new("E", "x".repeat(32_768))),
        ..step(Action::Fail)
    };
    let rejected = last_error(&[step(Action::Start), error]).await;
    let expected = "Error object size must be less than or equal to 32768 bytes.";
    assert_eq!(rejected.as_deref(), Some(expected));
}

#[tokio::test]
async fn callbacks_complete_once_or_time_out() {
    let mut fixture = Fixture::new(Config::default()).await;
    let callback = |id: &str, timeout| Update {
        callback_options: Some(CallbackOptions {
            timeout_seconds: timeout,
            heartbeat_timeout_seconds: None,
        }),
        ..Update::new(id, Kind::Callback, Action::Start)
    };
    let (_, body) = fixture
        .write(&[callback("a", None), callback("b", Some(1))])
        .await;
    let id = operation(&body, "a")["CallbackDetails"]["CallbackId"]
        .as_str()
        .unwrap()
        .to_owned();
    fixture
        .execution
        .complete_callback(&id, Ok(Some("\"yes\"".into())))
        .unwrap();
    let again = fixture
        .execution
        .complete_callback(&id, Ok(None))
        .unwrap_err();
    assert_eq!(again.code, "CallbackTimeoutException");
    let unknown = fixture
        .execution
        .complete_callback("nonsense", Ok(None))
        .unwrap_err();
    assert_eq!(unknown.message, "Invalid callback id");
    fixture.suspend().await;
    let timed_out = |all: &[Operation]| (all[2].status == Status::TimedOut).then_some(());
    fixture.execution.wait_until(timed_out).await;
    let error = fixture.execution.operations()[2].error.clone().unwrap();
    assert_eq!(error.error_type.as_deref(), Some("Callback.Timeout"));
}

#[tokio::test]
async fn invokes_of_missing_functions_fail_at_once() {
    let mut fixture = Fixture::new(Config::default()).await;
    fixture.fake.function("echo", Ok);
    let invoke = |id: &str, function: &str| Update {
        payload: Some("7".into()),
        chained_invoke_options: Some(ChainedInvokeOptions {
            function_name: Some(function.into()),
            ..ChainedInvokeOptions::default()
        }),
        ..Update::new(id, Kind::ChainedInvoke, Action::Start)
    };
    let (_, body) = fixture.write(&[invoke("a", "nobody")]).await;
    let failed = operation(&body, "a");
    assert_eq!(
        failed["ChainedInvokeDetails"]["Error"]["ErrorType"],
        "ResourceNotFoundException"
    );
    let other = "arn:aws:lambda:eu-central-1:999999999999:function:echo:1";
    let rejected = fixture.write(&[invoke("b", other)]).await;
    let expected = "Cannot start a CHAINED_INVOKE on a function in another account.";
    assert_eq!(message(rejected), expected);
    fixture.write(&[invoke("c", "echo:1")]).await;
    fixture.suspend().await;
    let operations = fixture.execution.operations();
    assert_eq!(operations[2].payload.as_deref(), Some("7"));
}
