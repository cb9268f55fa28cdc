//! Tests of pages of operations.

use serde_json::{Value, json};

use super::*;

fn ids(state: &Value) -> Vec<String> {
    let operations = state["Operations"].as_array().unwrap();
    operations
        .iter()
        .map(|o| o["Id"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn events_are_in_milliseconds_and_start_with_the_execution() {
    let mut bench = bench();
    let event = bench.invoke();
    assert_eq!(
        event["DurableExecutionArn"],
        bench.execution.head.arn.as_str()
    );
    assert_eq!(
        event["InitialExecutionState"],
        json!({
            "Operations": [{
                "Id": "4f1c", "Name": "order-1", "Type": "EXECUTION", "Status": "STARTED",
                "StartTimestamp": 1_764_000_000_000_u64,
                "ExecutionDetails": {"InputPayload": "{\"orderId\":\"42\"}"},
            }],
            "NextMarker": "",
        })
    );
}

#[test]
fn children_of_closed_contexts_are_omitted_unless_they_are_replayed() {
    let mut bench = bench();
    bench.invoke();
    for (context, replay) in [("closed", false), ("kept", true)] {
        let child = step(
            &format!("{context}-s"),
            "START",
            json!({"ParentId": context}),
        );
        let start = update(context, "CONTEXT", "START", json!({}));
        let options = json!({"ContextOptions": {"ReplayChildren": replay}});
        let end = update(context, "CONTEXT", "SUCCEED", options);
        bench.send(json!([start, child])).unwrap();
        bench.send(json!([end])).unwrap();
    }
    let token = bench.token.clone();
    let state: Value =
        serde_json::from_str(&bench.execution.state(&token, None, 100).unwrap()).unwrap();
    assert_eq!(ids(&state), ["4f1c", "closed", "kept", "kept-s"]);
}

#[test]
fn markers_visit_every_operation_once() {
    let mut bench = with_limits(Limits {
        page_bytes: 1,
        ..Limits::default()
    });
    let event = bench.invoke();
    let state = &event["InitialExecutionState"];
    assert_eq!(state["Operations"], json!([]), "the input does not fit");
    let starts: Vec<Value> = (0..5)
        .map(|n| step(&format!("s{n}"), "START", json!({})))
        .collect();
    let answer = bench.send(json!(starts)).unwrap();
    let mut page = answer["NewExecutionState"].clone();
    let mut found = ids(&page);
    while let Some(marker) = page["NextMarker"]
        .as_str()
        .filter(|marker| !marker.is_empty())
    {
        let token = bench.token.clone();
        let next = bench.execution.state(&token, Some(marker), 100).unwrap();
        page = serde_json::from_str(&next).unwrap();
        found.extend(ids(&page));
    }
    assert_eq!(found, ["s0", "s1", "s2", "s3", "s4"]);
    let token = bench.token.clone();
    assert_eq!(
        bench
            .execution
            .state(&token, Some("nonsense"), 9)
            .unwrap_err()
            .message,
        "Invalid marker"
    );
}

#[test]
fn page_sizes_are_validated() {
    assert_eq!(page_size(None), Ok(100));
    assert_eq!(page_size(Some("0")), Ok(100));
    assert_eq!(page_size(Some("7")), Ok(7));
    for wrong in ["-1", "1001", "x", "", "99999999999999999999"] {
        assert_eq!(
            page_size(Some(wrong)).unwrap_err().code,
            "ValidationException",
            "{wrong}"
        );
    }
}
