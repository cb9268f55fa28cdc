//! Tests of the API over HTTP.

use serde_json::{Value, json};

use crate::server::{Server, Settings, callback, encoded, execution, function};

fn scaled() -> Server {
    Server::start(Settings {
        arguments: vec!["--time-scale".into(), "20".into()],
        ..Settings::default()
    })
}

#[test]
fn a_caller_gets_the_result_of_the_whole_execution() {
    let server = scaled();
    let answer = server.invoke("journey:$LATEST", &json!(7));
    assert_eq!(
        (answer.status, answer.json()),
        (200, json!(37)),
        "{answer:?}"
    );
    assert_eq!(answer.header("x-amz-executed-version"), "$LATEST");
    let arn = answer.header("x-amz-durable-execution-arn");
    let kinds: Vec<String> = server
        .history(arn)
        .iter()
        .map(|event| event["EventType"].as_str().unwrap().to_owned())
        .collect();
    let day = [
        "StepStarted",
        "StepSucceeded",
        "WaitStarted",
        "InvocationCompleted",
        "WaitSucceeded",
    ];
    let invoke = [
        "ChainedInvokeStarted",
        "InvocationCompleted",
        "ChainedInvokeSucceeded",
    ];
    let mut expected = vec!["ExecutionStarted"];
    expected.extend(
        day.iter()
            .chain(&day)
            .chain(&day)
            .chain(&invoke)
            .chain(&invoke),
    );
    expected.extend(["InvocationCompleted", "ExecutionSucceeded"]);
    assert_eq!(kinds, expected);
    let got = server.get(arn);
    assert_eq!(
        (&got["Status"], &got["Result"]),
        (&json!("SUCCEEDED"), &json!("37"))
    );
    assert_eq!(got["InputPayload"], "7");
}

#[test]
fn a_failed_execution_is_a_function_error() {
    let server = scaled();
    let answer = server.invoke("broken:$LATEST", &json!(null));
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("x-amz-function-error"), "Unhandled");
    assert_eq!(answer.json()["errorMessage"], "nothing works");
    let got = server.get(answer.header("x-amz-durable-execution-arn"));
    assert_eq!(
        (&got["Status"], &got["Error"]["ErrorMessage"]),
        (&json!("FAILED"), &json!("nothing works"))
    );
}

#[test]
fn names_make_starts_idempotent() {
    let server = scaled();
    let start = |input: Value, function: &str| {
        let name = [("x-amz-durable-execution-name", "order-1")];
        server.try_invoke(function, &name, &input).unwrap()
    };
    let first = start(json!(3), "steps:$LATEST");
    let again = start(json!(3), "steps:$LATEST");
    assert_eq!(first.json(), again.json());
    let arn =
        |answer: &crate::server::Answer| answer.header("x-amz-durable-execution-arn").to_owned();
    assert_eq!(arn(&first), arn(&again));
    assert!(arn(&first).contains("/durable-execution/order-1/"));
    let other = start(json!(4), "steps:$LATEST");
    assert_eq!(
        other.error(),
        (
            409,
            "DurableExecutionAlreadyStartedException".into(),
            format!("Execution already started: {}", arn(&first))
        )
    );
    // Names are separate for each function.
    assert_eq!(start(json!(3), "echo:$LATEST").status, 200);
    let effects = server.effects();
    assert_eq!(
        effects
            .iter()
            .filter(|line| line.starts_with("step"))
            .count(),
        3
    );
}

#[test]
fn invocation_types_and_names_are_checked() {
    let server = scaled();
    let with = |function: &str, headers: &[(&str, &str)]| {
        server.try_invoke(function, headers, &json!(1)).unwrap()
    };
    let dry = with("steps:$LATEST", &[("x-amz-invocation-type", "DryRun")]);
    assert_eq!((dry.status, dry.body.len()), (204, 0));
    assert_eq!(server.effects().len(), 0);
    let unqualified = with("steps", &[]);
    assert_eq!(
        unqualified.error(),
        (
            400,
            "InvalidParameterValueException".into(),
            "You cannot invoke a durable function using an unqualified ARN.".into()
        )
    );
    let missing = with("nobody:$LATEST", &[]);
    assert_eq!(missing.error().1, "ResourceNotFoundException");
    assert_eq!(
        missing.error().2,
        "Function not found: arn:aws:lambda:us-east-1:123456789012:function:nobody:$LATEST"
    );
    assert_eq!(with("steps:9", &[]).error().0, 404);
    assert_eq!(
        with("steps:$LATEST", &[("x-amz-invocation-type", "Later")])
            .error()
            .1,
        "ValidationException"
    );
    assert_eq!(
        with("steps:$LATEST", &[("x-amz-durable-execution-name", "a b")])
            .error()
            .1,
        "ValidationException"
    );
    let path = "/2015-03-31/functions/steps/invocations?Qualifier=%24LATEST";
    assert_eq!(server.call("POST", path, &json!(2)).json(), 1);
    let arn = "arn:aws:lambda:us-east-1:123456789012:function:steps:$LATEST";
    assert_eq!(server.invoke(arn, &json!(2)).json(), 1);
    let broken = server.try_call("POST", path, &[], b"{").unwrap();
    assert_eq!(broken.error().1, "InvalidRequestContentException");
    let large = format!("\"{}\"", "x".repeat(1 << 20));
    let event = [("x-amz-invocation-type", "Event")];
    let large = server
        .try_call("POST", path, &event, large.as_bytes())
        .unwrap();
    assert_eq!(large.error().1, "RequestTooLargeException");
}

#[test]
fn versions_and_aliases_pin_an_execution() {
    let server = Server::start(Settings {
        functions: function("steps", "version = 7\naliases = [\"live\"]"),
        ..Settings::default()
    });
    for qualifier in ["7", "live"] {
        let answer = server.invoke(&format!("steps:{qualifier}"), &json!(1));
        assert_eq!(answer.header("x-amz-executed-version"), "7");
        assert!(
            answer
                .header("x-amz-durable-execution-arn")
                .contains(":function:steps:7/")
        );
    }
    let list = |qualifier: &str| {
        let path = format!(
            "/2025-12-01/functions/steps/durable-executions?Qualifier={}",
            encoded(qualifier)
        );
        server.call("GET", &path, &Value::Null).json()["DurableExecutions"]
            .as_array()
            .unwrap()
            .len()
    };
    assert_eq!((list("7"), list("$LATEST")), (2, 0));
}

#[test]
fn callbacks_succeed_fail_and_accept_heartbeats() {
    let server = scaled();
    let begin = |who: &str| {
        let arn = server.begin("approval:$LATEST", &json!(who));
        let started = server.event(&arn, "CallbackStarted");
        let id = started["CallbackStartedDetails"]["CallbackId"]
            .as_str()
            .unwrap()
            .to_owned();
        (arn, id)
    };
    let (arn, id) = begin("ann");
    assert_eq!(
        server
            .call("POST", &callback(&id, "heartbeat"), &Value::Null)
            .status,
        200
    );
    assert_eq!(
        server
            .call("POST", &callback(&id, "succeed"), &json!("yes"))
            .json(),
        json!({})
    );
    assert_eq!(server.until(&arn, "SUCCEEDED")["Result"], "\"ann: yes\"");
    let late = server.call("POST", &callback(&id, "succeed"), &json!("yes"));
    assert_eq!(late.error().1, "CallbackTimeoutException");
    let (arn, id) = begin("bob");
    let error = json!({"ErrorType": "Denied", "ErrorMessage": "not today"});
    assert_eq!(
        server.call("POST", &callback(&id, "fail"), &error).status,
        200
    );
    let result = server.until(&arn, "SUCCEEDED")["Result"].to_string();
    assert!(result.contains("not today"), "{result}");
    for wrong in ["AAAA", "%%%", &"A".repeat(2_000)] {
        assert_eq!(
            server
                .call("POST", &callback(wrong, "succeed"), &json!(1))
                .error()
                .2,
            "Invalid callback id"
        );
    }
}

#[test]
fn a_callback_without_heartbeats_times_out() {
    let server = Server::start(Settings {
        arguments: vec!["--time-scale".into(), "300".into()],
        ..Settings::default()
    });
    let arn = server.begin("approval:$LATEST", &json!("eve"));
    let timed_out = server.event(&arn, "CallbackTimedOut");
    assert_eq!(
        timed_out["CallbackTimedOutDetails"]["Error"]["Payload"]["ErrorType"],
        "Callback.Heartbeat"
    );
}

#[test]
fn executions_are_stopped_paused_resumed_and_deleted() {
    let server = scaled();
    let arn = server.begin("sleepy:$LATEST", &json!(null));
    server.event(&arn, "InvocationCompleted");
    let act =
        |operation: &str, body: &Value| server.call("POST", &execution(&arn, operation), body);
    assert_eq!(
        act("/resume", &Value::Null).error().1,
        "ResourceConflictException"
    );
    assert_eq!(act("/pause", &json!({"Reason": "deploy"})).status, 202);
    let paused = server.get(&arn);
    assert_eq!(
        (&paused["Status"], &paused["PauseDetails"]["Reason"]),
        (&json!("PAUSED"), &json!("deploy"))
    );
    assert_eq!(act("/resume", &Value::Null).status, 202);
    let delete = || server.call("DELETE", &execution(&arn, ""), &Value::Null);
    assert_eq!(delete().error().0, 409);
    let stopped = act("/stop", &json!({"ErrorMessage": "enough"}));
    assert!(stopped.json()["StopTimestamp"].as_f64().unwrap() > 1.7e9);
    let got = server.get(&arn);
    assert_eq!(
        (&got["Status"], &got["Error"]),
        (&json!("STOPPED"), &json!({"ErrorMessage": "enough"}))
    );
    assert_eq!(delete().status, 202);
    assert_eq!(
        server
            .call("GET", &execution(&arn, ""), &Value::Null)
            .error()
            .1,
        "ResourceNotFoundException"
    );
}

#[test]
fn lists_are_filtered_and_paged_newest_first() {
    let server = scaled();
    for n in 0..5 {
        let name = format!("n{n}");
        let name = [("x-amz-durable-execution-name", name.as_str())];
        server
            .try_invoke("steps:$LATEST", &name, &json!(n))
            .unwrap();
    }
    server.begin("sleepy:$LATEST", &json!(null));
    let list = |query: &str| {
        let path = format!("/2025-12-01/functions/steps/durable-executions?{query}");
        server.call("GET", &path, &Value::Null).json()
    };
    let names = |page: &Value| -> Vec<String> {
        let all = page["DurableExecutions"].as_array().unwrap().iter();
        all.map(|one| one["DurableExecutionName"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(names(&list("")), ["n4", "n3", "n2", "n1", "n0"]);
    assert_eq!(names(&list("ReverseOrder=true&MaxItems=2")), ["n0", "n1"]);
    let first = list("MaxItems=3");
    assert_eq!(names(&first), ["n4", "n3", "n2"]);
    let marker = encoded(first["NextMarker"].as_str().unwrap());
    let second = list(&format!("MaxItems=3&Marker={marker}"));
    assert_eq!(names(&second), ["n1", "n0"]);
    assert!(second.get("NextMarker").is_none());
    assert_eq!(names(&list("DurableExecutionName=n2")), ["n2"]);
    assert_eq!(
        names(&list("Statuses=FAILED&Statuses=RUNNING")),
        Vec::<String>::new()
    );
    assert_eq!(names(&list("Statuses=FAILED&Statuses=SUCCEEDED")).len(), 5);
    assert_eq!(
        names(&list("StartedAfter=2020-01-01T00%3A00%3A00Z")).len(),
        5
    );
    assert_eq!(
        names(&list("StartedBefore=2020-01-01T00%3A00%3A00Z")).len(),
        0
    );
    let path = "/2025-12-01/functions/steps/durable-executions";
    for wrong in [
        "Statuses=DONE",
        "MaxItems=-1",
        "StartedAfter=soon",
        "ReverseOrder=maybe",
        "Marker=x",
    ] {
        let answer = server.call("GET", &format!("{path}?{wrong}"), &Value::Null);
        assert_eq!(answer.status, 400, "{wrong}");
    }
}

#[test]
fn histories_are_paged_in_both_directions_and_can_omit_data() {
    let server = scaled();
    let answer = server.invoke("steps:$LATEST", &json!(10));
    let arn = answer.header("x-amz-durable-execution-arn");
    let whole = server.history(arn);
    let numbers = |events: &[Value]| {
        events
            .iter()
            .map(|e| e["EventId"].as_u64().unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        numbers(&whole),
        (1..=whole.len() as u64).collect::<Vec<_>>()
    );
    let (mut backwards, mut marker) = (Vec::new(), String::new());
    loop {
        let query = format!(
            "/history?MaxItems=4&ReverseOrder=true&IncludeExecutionData=false&Marker={}",
            encoded(&marker)
        );
        let page = server
            .call("GET", &execution(arn, &query), &Value::Null)
            .json();
        backwards.extend(page["Events"].as_array().unwrap().iter().cloned());
        match page["NextMarker"].as_str() {
            Some(next) => marker = next.to_owned(),
            None => break,
        }
    }
    assert!(!json!(backwards).to_string().contains("Payload"));
    backwards.reverse();
    assert_eq!(numbers(&backwards), numbers(&whole));
    let bare = server
        .call(
            "GET",
            &execution(arn, "?IncludeExecutionData=false"),
            &Value::Null,
        )
        .json();
    assert!(bare.get("InputPayload").is_none() && bare.get("Result").is_none());
}

#[test]
fn the_execution_timeout_ends_an_execution() {
    let server = Server::start(Settings {
        functions: function("sleepy", "execution_timeout = 20"),
        arguments: vec!["--time-scale".into(), "20".into()],
        ..Settings::default()
    });
    let answer = server.invoke("sleepy:$LATEST", &json!(null));
    assert_eq!(answer.header("x-amz-function-error"), "Unhandled");
    assert_eq!(
        answer.json()["errorMessage"],
        "Execution timed out after 20 seconds."
    );
    assert_eq!(
        server.get(answer.header("x-amz-durable-execution-arn"))["Status"],
        "TIMED_OUT"
    );
}
