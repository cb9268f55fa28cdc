//! Calls that go wrong as a test says.

use durable_lambda_tests::{Action, Config, Fault, InvocationEnd};
use serde_json::json;

use super::support::{Bench, step};

#[tokio::test]
async fn errors_have_their_status_and_their_spelling() {
    let cases = [
        (Fault::throttled(Some(3)), 429, "message"),
        (Fault::broken(), 500, "Message"),
        (Fault::denied(), 403, "Message"),
        (Fault::missing(), 404, "Message"),
        (Fault::invalid(), 400, "message"),
        (Fault::key("KMSAccessDeniedException"), 502, "Message"),
    ];
    for (fault, expected, key) in cases {
        let mut bench = Bench::new(Config::default()).await;
        bench.fake.fault(1, fault);
        let (status, body) = bench.write_as("a", &[step(Action::Start)]).await.unwrap();
        assert_eq!(status, expected);
        assert!(body[key].is_string(), "{body}");
        // It had no effect, and the token is still good.
        assert_eq!(
            bench.write_as("a", &[step(Action::Start)]).await.unwrap().0,
            200
        );
    }
}

#[tokio::test]
async fn a_withheld_token_is_asked_for_again_by_the_next_invocation() {
    let mut bench = Bench::new(Config::default()).await;
    bench.fake.fault(1, Fault::WithholdToken);
    let (status, body) = bench
        .write(&[step(Action::Start), step(Action::Succeed)])
        .await;
    assert_eq!((status, body.get("CheckpointToken")), (200, None));
    bench.suspend().await;
    let operations = &bench.taken.event["InitialExecutionState"]["Operations"];
    assert_eq!(operations[1]["Status"], "SUCCEEDED");
    assert!(bench.fake.record().improper_outputs.is_empty());
}

#[tokio::test]
async fn a_lost_request_has_no_effect() {
    let mut bench = Bench::new(Config::default()).await;
    bench.fake.fault(1, Fault::LoseRequest);
    assert_eq!(bench.write_as("a", &[step(Action::Start)]).await, None);
    assert_eq!(bench.started.operations().len(), 1);
}

#[tokio::test]
async fn an_event_of_no_execution_is_handed_on() {
    let mut bench = Bench::new(Config::default()).await;
    let invoked = bench.fake.invoke(json!({ "plain": true }));
    let answered = async {
        let taken = bench.client.next().await;
        assert_eq!(taken.event, json!({ "plain": true }));
        bench.client.fail(&taken, "NotDurable").await;
    };
    let (end, ()) = tokio::join!(invoked, answered);
    assert!(matches!(end, InvocationEnd::Error(error) if error["errorType"] == "NotDurable"));
    bench.write(&[]).await;
    assert_eq!(bench.fake.record().empty(), 1);
}
