//! Tokens, idempotency, signatures and pages.

use durable_lambda_tests::{Action, CallEnd, Config, Ended, Fault, Kind, Paging, Update};
use serde_json::{Value, json};

use super::support::{Bench, message, operation, step, wait};

#[tokio::test]
async fn each_checkpoint_takes_a_token_and_gives_another() {
    let mut bench = Bench::new(Config::default()).await;
    let first = bench.token.clone();
    assert_eq!(bench.write(&[step(Action::Start)]).await.0, 200);
    assert_ne!(bench.token, first);
    let second = std::mem::replace(&mut bench.token, first.clone());
    let refused = bench.write(&[step(Action::Succeed)]).await;
    assert_eq!(message(refused), "Invalid checkpoint token");
    let arn = bench.started.arn();
    let read = bench.client.state(arn, &first, "", 10).await;
    assert_eq!(message(read.unwrap()), "Invalid checkpoint token");
    assert_eq!(
        bench.client.state(arn, &second, "", 10).await.unwrap().0,
        200
    );
}

#[tokio::test]
async fn a_rejected_batch_changes_nothing_and_keeps_the_token() {
    let mut bench = Bench::new(Config::default()).await;
    let refused = bench
        .write(&[step(Action::Start), step(Action::Start)])
        .await;
    assert_eq!(
        message(refused),
        "Cannot checkpoint multiple operations with the same ID."
    );
    assert_eq!(bench.started.operations().len(), 1);
    assert_eq!(
        bench
            .write(&[step(Action::Start), step(Action::Succeed)])
            .await
            .0,
        200
    );
}

#[tokio::test]
async fn a_repeated_call_gets_the_stored_answer() {
    let mut bench = Bench::new(Config::default()).await;
    let token = bench.token.clone();
    let first = bench.write_as("once", &[step(Action::Start)]).await;
    bench.token = token.clone();
    let again = bench.write_as("once", &[step(Action::Start)]).await;
    assert_eq!(first, again);
    let ends: Vec<_> = bench
        .fake
        .record()
        .checkpoints
        .into_iter()
        .map(|call| call.end)
        .collect();
    assert_eq!(ends, [CallEnd::Accepted, CallEnd::Repeated]);
    bench.token = token;
    let other = bench
        .write_as("twice", &[step(Action::Start)])
        .await
        .unwrap();
    assert_eq!(message(other), "Invalid checkpoint token");
}

#[tokio::test]
async fn a_lost_answer_is_there_for_the_same_client_token() {
    let mut bench = Bench::new(Config::default()).await;
    bench.fake.fault(1, Fault::LoseResponse);
    assert_eq!(bench.write_as("a", &[step(Action::Start)]).await, None);
    let (status, body) = bench.write_as("a", &[step(Action::Start)]).await.unwrap();
    assert_eq!(
        (status, &operation(&body, "s")["Status"]),
        (200, &json!("STARTED"))
    );
}

#[tokio::test]
async fn a_new_invocation_shuts_out_the_old_one() {
    let mut bench = Bench::new(Config::default()).await;
    bench.write(&[wait("w", 1)]).await;
    let old = bench.token.clone();
    bench.suspend().await;
    bench.token = old;
    assert_eq!(message(bench.write(&[]).await), "Invalid checkpoint token");
}

#[tokio::test]
async fn an_execution_update_closes_it_without_a_token() {
    let mut bench = Bench::new(Config::default()).await;
    let end = Update {
        payload: Some("\"done\"".into()),
        ..Update::new("x", Kind::Execution, Action::Succeed)
    };
    let early = bench.write(&[end.clone(), step(Action::Start)]).await;
    assert_eq!(
        message(early),
        "EXECUTION checkpoint must be the last update."
    );
    let (_, body) = bench.write(&[end]).await;
    assert_eq!(body.get("CheckpointToken"), None);
    assert_eq!(message(bench.write(&[]).await), "Invalid checkpoint token");
    let ended = bench
        .finish(json!({ "Status": "SUCCEEDED", "Result": "" }))
        .await;
    assert_eq!(ended, Ended::Succeeded("\"done\"".into()));
}

#[tokio::test]
async fn who_does_not_sign_is_refused() {
    let bench = Bench::new(Config::default()).await;
    let path = "/2025-12-01/durable-executions/a/checkpoint";
    let answer = bench.client.call("POST", path, "", b"{}", false).await;
    assert_eq!(answer.unwrap().0, 403);
    // Slashes of an ARN that are not encoded make another path.
    let path = format!(
        "/2025-12-01/durable-executions/{}/checkpoint",
        bench.started.arn()
    );
    let answer = bench.client.call("POST", &path, "", b"{}", true).await;
    assert_eq!(answer.unwrap().0, 404);
    assert_eq!(bench.fake.record().strays.len(), 2);
}

#[tokio::test]
async fn pages_lead_to_the_end() {
    let paging = Paging {
        first: Some(0),
        next: Some(1),
    };
    let config = Config {
        paging,
        ..Config::default()
    };
    let mut bench = Bench::new(config).await;
    bench
        .write(&[wait("a", 1), wait("b", 1), wait("c", 50_000)])
        .await;
    bench.suspend().await;
    let mut found = Vec::new();
    let state = bench.taken.event["InitialExecutionState"].clone();
    assert_eq!(state["Operations"], json!([]));
    let mut marker = state["NextMarker"].as_str().unwrap_or_default().to_owned();
    while !marker.is_empty() {
        let arn = bench.started.arn();
        let (_, page) = bench
            .client
            .state(arn, &bench.token, &marker, 1000)
            .await
            .unwrap();
        assert_eq!(page["Operations"].as_array().map(Vec::len), Some(1));
        found.push(page["Operations"][0]["Id"].clone());
        marker = page["NextMarker"].as_str().unwrap_or_default().to_owned();
    }
    let id = bench.started.arn().rsplit('/').next().unwrap();
    assert_eq!(found, [json!(id), json!("a"), json!("b"), json!("c")]);
}

#[tokio::test]
async fn a_paged_answer_goes_on_with_the_new_token() {
    let mut bench = Bench::new(Config::default()).await;
    bench.fake.fault(1, Fault::PageAnswer(1));
    let (_, body) = bench.write(&[wait("a", 50_000), wait("b", 50_000)]).await;
    let state = &body["NewExecutionState"];
    assert_eq!(state["Operations"].as_array().map(Vec::len), Some(1));
    let marker = state["NextMarker"].as_str().unwrap();
    let arn = bench.started.arn();
    let (_, page) = bench
        .client
        .state(arn, &bench.token, marker, 1000)
        .await
        .unwrap();
    assert_eq!(page["Operations"][0]["Id"], "b");
    assert_eq!(page["NextMarker"], "");
}

#[tokio::test]
async fn times_are_millis_in_the_event_and_seconds_in_answers() {
    let mut bench = Bench::new(Config::default()).await;
    let (_, body) = bench.write(&[wait("w", 1)]).await;
    let seconds = operation(&body, "w")["StartTimestamp"].as_f64().unwrap();
    bench.suspend().await;
    let operations = &bench.taken.event["InitialExecutionState"]["Operations"];
    let millis = operations[1]["StartTimestamp"].as_u64().unwrap();
    assert_eq!((seconds * 1000.0).round() as u64, millis);
    assert!(matches!(operations[1]["EndTimestamp"], Value::Number(_)));
}
