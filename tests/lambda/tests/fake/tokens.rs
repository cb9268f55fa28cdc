//! Tests of tokens, idempotency, signatures and paging.

use durable_lambda_tests::{
    Action, CallOutcome, Config, ExecutionOutcome, Fault, Kind, Paging, Update,
};
use serde_json::{Value, json};

use super::support::{Fixture, message, operation, step, wait};

#[tokio::test]
async fn each_checkpoint_replaces_the_token() {
    let mut fixture = Fixture::new(Config::default()).await;
    let first = fixture.token.clone();
    assert_eq!(fixture.write(&[step(Action::Start)]).await.0, 200);
    assert_ne!(fixture.token, first);
    let second = std::mem::replace(&mut fixture.token, first.clone());
    let rejected = fixture.write(&[step(Action::Succeed)]).await;
    assert_eq!(message(rejected), "Invalid checkpoint token");
    let arn = fixture.execution.arn();
    let read = fixture.client.state(arn, &first, "", 10).await;
    assert_eq!(message(read.unwrap()), "Invalid checkpoint token");
    assert_eq!(
        fixture.client.state(arn, &second, "", 10).await.unwrap().0,
        200
    );
}

#[tokio::test]
async fn rejected_batches_change_nothing_and_keep_the_token() {
    let mut fixture = Fixture::new(Config::default()).await;
    let rejected = fixture
        .write(&[step(Action::Start), step(Action::Start)])
        .await;
    assert_eq!(
        message(rejected),
        "Cannot checkpoint multiple operations with the same ID."
    );
    assert_eq!(fixture.execution.operations().len(), 1);
    assert_eq!(
        fixture
            .write(&[step(Action::Start), step(Action::Succeed)])
            .await
            .0,
        200
    );
}

#[tokio::test]
async fn retried_calls_get_the_stored_response() {
    let mut fixture = Fixture::new(Config::default()).await;
    let token = fixture.token.clone();
    let first = fixture.write_as("once", &[step(Action::Start)]).await;
    fixture.token = token.clone();
    let again = fixture.write_as("once", &[step(Action::Start)]).await;
    assert_eq!(first, again);
    let ends: Vec<_> = fixture
        .fake
        .recording()
        .checkpoints
        .into_iter()
        .map(|call| call.outcome)
        .collect();
    assert_eq!(ends, [CallOutcome::Accepted, CallOutcome::Repeated]);
    fixture.token = token;
    let other = fixture
        .write_as("twice", &[step(Action::Start)])
        .await
        .unwrap();
    assert_eq!(message(other), "Invalid checkpoint token");
}

#[tokio::test]
async fn retrying_with_the_client_token_recovers_a_lost_response() {
    let mut fixture = Fixture::new(Config::default()).await;
    fixture.fake.fault(1, Fault::LoseResponse);
    assert_eq!(fixture.write_as("a", &[step(Action::Start)]).await, None);
    let (status, body) = fixture.write_as("a", &[step(Action::Start)]).await.unwrap();
    assert_eq!(
        (status, &operation(&body, "s")["Status"]),
        (200, &json!("STARTED"))
    );
}

#[tokio::test]
async fn new_invocations_invalidate_older_tokens() {
    let mut fixture = Fixture::new(Config::default()).await;
    fixture.write(&[wait("w", 1)]).await;
    let old = fixture.token.clone();
    fixture.suspend().await;
    fixture.token = old;
    assert_eq!(
        message(fixture.write(&[]).await),
        "Invalid checkpoint token"
    );
}

#[tokio::test]
async fn execution_update_ends_the_execution_without_a_token() {
    let mut fixture = Fixture::new(Config::default()).await;
    let end = Update {
        payload: Some("\"done\"".into()),
        ..Update::new("x", Kind::Execution, Action::Succeed)
    };
    let early = fixture.write(&[end.clone(), step(Action::Start)]).await;
    assert_eq!(
        message(early),
        "EXECUTION checkpoint must be the last update."
    );
    let (_, body) = fixture.write(&[end]).await;
    assert_eq!(body.get("CheckpointToken"), None);
    assert_eq!(
        message(fixture.write(&[]).await),
        "Invalid checkpoint token"
    );
    let outcome = fixture
        .finish(json!({ "Status": "SUCCEEDED", "Result": "" }))
        .await;
    assert_eq!(outcome, ExecutionOutcome::Succeeded("\"done\"".into()));
}

#[tokio::test]
async fn unsigned_requests_are_rejected() {
    let fixture = Fixture::new(Config::default()).await;
    let path = "/2025-12-01/durable-executions/a/checkpoint";
    let response = fixture.client.call("POST", path, "", b"{}", false).await;
    assert_eq!(response.unwrap().0, 403);
    // An ARN with unencoded slashes results in another route.
    let path = format!(
        "/2025-12-01/durable-executions/{}/checkpoint",
        fixture.execution.arn()
    );
    let response = fixture.client.call("POST", &path, "", b"{}", true).await;
    assert_eq!(response.unwrap().0, 404);
    assert_eq!(fixture.fake.recording().invalid_requests.len(), 2);
}

#[tokio::test]
async fn markers_lead_through_all_pages() {
    let paging = Paging {
        first: Some(0),
        next: Some(1),
    };
    let config = Config {
        paging,
        ..Config::default()
    };
    let mut fixture = Fixture::new(config).await;
    fixture
        .write(&[wait("a", 1), wait("b", 1), wait("c", 50_000)])
        .await;
    fixture.suspend().await;
    let mut found = Vec::new();
    let state = fixture.invocation.event["InitialExecutionState"].clone();
    assert_eq!(state["Operations"], json!([]));
    let mut marker = state["NextMarker"].as_str().unwrap_or_default().to_owned();
    while !marker.is_empty() {
        let arn = fixture.execution.arn();
        let (_, page) = fixture
            .client
            .state(arn, &fixture.token, &marker, 1000)
            .await
            .unwrap();
        assert_eq!(page["Operations"].as_array().map(Vec::len), Some(1));
        found.push(page["Operations"][0]["Id"].clone());
        marker = page["NextMarker"].as_str().unwrap_or_default().to_owned();
    }
    let id = fixture.execution.arn().rsplit('/').next().unwrap();
    assert_eq!(found, [json!(id), json!("a"), json!("b"), json!("c")]);
}

#[tokio::test]
async fn paged_responses_continue_with_the_new_token() {
    let mut fixture = Fixture::new(Config::default()).await;
    fixture.fake.fault(1, Fault::PageResponse(1));
    let (_, body) = fixture.write(&[wait("a", 50_000), wait("b", 50_000)]).await;
    let state = &body["NewExecutionState"];
    assert_eq!(state["Operations"].as_array().map(Vec::len), Some(1));
    let marker = state["NextMarker"].as_str().unwrap();
    let arn = fixture.execution.arn();
    let (_, page) = fixture
        .client
        .state(arn, &fixture.token, marker, 1000)
        .await
        .unwrap();
    assert_eq!(page["Operations"][0]["Id"], "b");
    assert_eq!(page["NextMarker"], "");
}

#[tokio::test]
async fn times_are_milliseconds_in_events_and_seconds_in_responses() {
    let mut fixture = Fixture::new(Config::default()).await;
    let (_, body) = fixture.write(&[wait("w", 1)]).await;
    let seconds = operation(&body, "w")["StartTimestamp"].as_f64().unwrap();
    fixture.suspend().await;
    let operations = &fixture.invocation.event["InitialExecutionState"]["Operations"];
    let millis = operations[1]["StartTimestamp"].as_u64().unwrap();
    assert_eq!((seconds * 1000.0).round() as u64, millis);
    assert!(matches!(operations[1]["EndTimestamp"], Value::Number(_)));
}
