//! Tests of injected faults.

use durable_lambda_tests::{Action, Config, Fault, InvocationEnd};
use serde_json::json;

use super::support::{Fixture, step};

#[tokio::test]
async fn errors_have_their_status_and_message_key() {
    let cases = [
        (Fault::throttled(Some(3)), 429, "message"),
        (Fault::internal_error(), 500, "Message"),
        (Fault::access_denied(), 403, "Message"),
        (Fault::not_found(), 404, "Message"),
        (Fault::validation_error(), 400, "message"),
        (Fault::kms_error("KMSAccessDeniedException"), 502, "Message"),
    ];
    for (fault, expected, key) in cases {
        let mut fixture = Fixture::new(Config::default()).await;
        fixture.fake.fault(1, fault);
        let (status, body) = fixture.write_as("a", &[step(Action::Start)]).await.unwrap();
        assert_eq!(status, expected);
        assert!(body[key].is_string(), "{body}");
        // The call was not applied, and its token is still valid.
        assert_eq!(
            fixture
                .write_as("a", &[step(Action::Start)])
                .await
                .unwrap()
                .0,
            200
        );
    }
}

#[tokio::test]
async fn withheld_token_leads_to_another_invocation() {
    let mut fixture = Fixture::new(Config::default()).await;
    fixture.fake.fault(1, Fault::WithholdToken);
    let (status, body) = fixture
        .write(&[step(Action::Start), step(Action::Succeed)])
        .await;
    assert_eq!((status, body.get("CheckpointToken")), (200, None));
    fixture.suspend().await;
    let operations = &fixture.invocation.event["InitialExecutionState"]["Operations"];
    assert_eq!(operations[1]["Status"], "SUCCEEDED");
    assert!(fixture.fake.recording().rejected_outputs.is_empty());
}

#[tokio::test]
async fn lost_requests_are_not_applied() {
    let mut fixture = Fixture::new(Config::default()).await;
    fixture.fake.fault(1, Fault::LoseRequest);
    assert_eq!(fixture.write_as("a", &[step(Action::Start)]).await, None);
    assert_eq!(fixture.execution.operations().len(), 1);
}

#[tokio::test]
async fn other_events_are_passed_on() {
    let mut fixture = Fixture::new(Config::default()).await;
    let invoked = fixture.fake.invoke(json!({ "plain": true }));
    let failed = async {
        let invocation = fixture.client.next().await;
        assert_eq!(invocation.event, json!({ "plain": true }));
        fixture.client.fail(&invocation, "NotDurable").await;
    };
    let (end, ()) = tokio::join!(invoked, failed);
    assert!(matches!(end, InvocationEnd::Error(error) if error["errorType"] == "NotDurable"));
    fixture.write(&[]).await;
    assert_eq!(fixture.fake.recording().empty_checkpoints(), 1);
}
