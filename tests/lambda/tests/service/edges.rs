//! Pages, odd events, other code.

use durable_lambda_tests::{Config, Fault, InvocationEnd, Kind, Paging};
use serde_json::json;

use super::support::{Stage, numbered};

fn paged(first: usize, next: usize) -> Config {
    Config {
        paging: Paging {
            first: Some(first),
            next: Some(next),
        },
        ..Config::default()
    }
}

#[tokio::test]
async fn the_whole_history_is_read_before_anything_runs() {
    for first in [0, 1, 3] {
        let stage = Stage::new("waits", paged(first, 1)).await;
        let done = stage.run(4).await;
        assert_eq!(done.result::<u64>(), 6);
        assert_eq!(done.invocations(), 5);
        assert!(done.record.states.len() > 10);
        assert!(done.record.states.iter().all(|call| call.given == 1));
        done.record.assert_well_behaved();
        done.assert_effects(numbered("step", 4));
    }
}

#[tokio::test]
async fn the_rest_of_an_answer_is_read_before_anybody_goes_on() {
    for handler in ["fan", "together"] {
        let stage = Stage::new(handler, paged(usize::MAX, 1)).await;
        for call in 1..20 {
            stage.fake.fault(call, Fault::PageAnswer(1));
        }
        let done = stage.run(6).await;
        assert_eq!(done.result::<u64>(), 15);
        assert!(done.record.states.len() >= 5, "{:?}", done.record.states);
        done.record.assert_well_behaved();
    }
}

#[tokio::test]
async fn a_large_input_leaves_no_room_on_the_first_page() {
    let stage = Stage::plain("steps").await;
    // An input of 5.5 MB, which is a number all the same.
    let blank = " ".repeat(5_500_000);
    let started = stage.fake.execute_text("large", &format!("{blank}3"));
    let done = stage.finish(started).await;
    assert_eq!(done.result::<u64>(), 3);
    assert_eq!(done.record.states.len(), 1);
    done.record.assert_well_behaved();
}

#[tokio::test]
async fn an_event_of_no_execution_is_refused_with_advice() {
    let stage = Stage::plain("steps").await;
    for event in [
        json!(3),
        json!({ "id": 42 }),
        json!({ "DurableExecutionArn": "a", "InitialExecutionState": { "Operations": [] } }),
    ] {
        let InvocationEnd::Error(error) = stage.fake.invoke(event.clone()).await else {
            panic!("{event} is taken");
        };
        assert_eq!(error["errorType"], "NotADurableInvocation");
        let message = error["errorMessage"].as_str().unwrap();
        assert!(message.contains("DurableConfig"), "{message}");
    }
    // The process is as good as before.
    let done = stage.run(2).await;
    assert_eq!(done.result::<u64>(), 1);
    assert_eq!(done.record.processes, 1);
}

#[tokio::test]
async fn an_input_of_another_type_fails_the_execution() {
    let done = Stage::plain("steps").await.run("three").await;
    let (_, message) = done.error();
    for part in [
        "the recorded input of `steps`",
        "type `u64`",
        "The handler did not run",
    ] {
        assert!(message.contains(part), "{part:?} is not in {message}");
    }
    assert_eq!((done.invocations(), done.calls()), (1, 0));
}

#[tokio::test]
async fn other_code_at_the_same_name_fails_with_a_report() {
    let mut stage = Stage::plain("edited").await;
    let started = stage.start(json!(null));
    stage
        .fake
        .until(|record| record.outputs().first().map(|_| ()))
        .await;
    let later = stage.program("edited_later");
    stage.fake.run(later);
    let done = stage.finish(started).await;
    let (kind, message) = done.error();
    assert_eq!(kind, "NonDeterministicExecutionError");
    for part in ["first", "step", "wait", "handlers.rs"] {
        assert!(message.contains(part), "{part:?} is not in {message}");
    }
    assert_eq!(done.invocations(), 2);
    done.record.assert_well_behaved();
}

#[tokio::test]
async fn another_type_at_the_same_name_fails_with_a_report() {
    let mut stage = Stage::plain("edited").await;
    let started = stage.start(json!(null));
    stage
        .fake
        .until(|record| record.outputs().first().map(|_| ()))
        .await;
    let later = stage.program("edited_retyped");
    stage.fake.run(later);
    let done = stage.finish(started).await;
    let (kind, message) = done.error();
    assert_eq!(kind, "NonDeterministicExecutionError");
    for part in [
        "the recorded value of `first`:",
        "step `first` (tests/lambda/subject/handlers.rs:",
        "type `alloc::string::String`, codec `json`",
        "invalid type: integer, expected a string",
        "give the step another name",
    ] {
        assert!(message.contains(part), "{part:?} is not in {message}");
    }
    assert_eq!(
        done.effects,
        Vec::<String>::new(),
        "the handler never learns"
    );
    done.record.assert_well_behaved();
}

/// There is no build to wait for: what could be taken back is.
#[tokio::test]
async fn a_chain_over_steps_that_could_be_taken_back_fails_and_takes_them_back() {
    let done = Stage::plain("leaves").await.run(1).await;
    let (_, message) = done.error();
    for part in ["`continue_as!` would drop", "`book`"] {
        assert!(message.contains(part), "{part:?} is not in {message}");
    }
    assert_eq!(done.effects, ["taken back"]);
    done.record.assert_well_behaved();
}

#[tokio::test]
async fn a_missing_or_null_input_is_null() {
    let stage = Stage::plain("flaky").await;
    for text in ["", "null"] {
        let started = stage.fake.execute_text("nothing", text);
        let ended = started.ended().await;
        assert!(
            matches!(ended, durable_lambda_tests::Ended::Succeeded(_)),
            "{ended:?}"
        );
    }
}

#[tokio::test]
async fn updates_say_who_they_are_every_time() {
    let done = Stage::plain("breakfast").await.run(json!(null)).await;
    assert_eq!(done.result::<u32>(), 3);
    let updates: Vec<_> = done.record.updates().collect();
    assert!(
        updates
            .iter()
            .all(|update| update.name.is_some() && update.sub_type.is_some())
    );
    let parents = updates
        .iter()
        .filter(|update| update.parent_id.is_some())
        .count();
    assert!(parents >= 6, "{updates:#?}");
    assert!(updates.iter().any(|update| update.kind == Kind::Context));
    done.record.assert_well_behaved();
}
