//! What the service would refuse is found before.

use durable_lambda_tests::{Action, Config, Ended, Kind, Quotas};
use serde_json::json;

use super::support::Stage;

const INLINE: usize = 6 * 1024 * 1024 - 50;

#[tokio::test]
async fn a_result_that_fits_no_answer_is_sent_ahead() {
    // Two quotation marks belong to it, each of them has to be escaped, and quoted it is as a whole.
    for (bytes, calls, ahead) in [(INLINE - 10, 1, false), (INLINE + 10, 2, true)] {
        let done = Stage::plain("result").await.run(bytes).await;
        assert_eq!(done.result::<String>().len(), bytes);
        assert_eq!(done.calls(), calls);
        let outputs = done.record.outputs();
        assert_eq!(outputs.len(), 1);
        assert_eq!(outputs[0]["Result"] == json!(""), ahead);
        if ahead {
            let last = done.record.updates().last().unwrap();
            assert_eq!((last.kind, last.action), (Kind::Execution, Action::Succeed));
        }
        done.record.assert_well_behaved();
    }
}

#[tokio::test]
async fn what_grows_by_being_escaped_is_sent_ahead() {
    // Each of these is two bytes of the result and four of an answer.
    let done = Stage::plain("quotes").await.run(2_000_000).await;
    assert_eq!(done.result::<String>().len(), 2_000_000);
    assert_eq!(done.record.outputs()[0]["Result"], "");
    assert_eq!(done.invocations(), 1);
    done.record.assert_well_behaved();
}

#[tokio::test]
async fn a_result_that_nobody_keeps_fails_the_execution() {
    let done = Stage::plain("result").await.run(7_000_000).await;
    let (kind, message) = done.error();
    assert_eq!(kind, "TooLargeError");
    assert!(message.contains("7000002 bytes"), "{message}");
    done.record.assert_well_behaved();
}

#[tokio::test]
async fn a_value_that_is_too_large_is_an_error_of_its_step() {
    let done = Stage::plain("value").await.run(200 * 1024).await;
    assert_eq!(done.result::<String>(), "204800 bytes");
    let done = Stage::plain("value").await.run(256 * 1024).await;
    assert_eq!(done.result::<String>(), "TooLarge");
    let failed = done
        .record
        .updates()
        .find(|update| update.action == Action::Fail);
    assert_eq!(
        failed.and_then(|update| update.name.as_deref()),
        Some("large")
    );
    done.record.assert_well_behaved();
}

#[tokio::test]
async fn errors_are_shortened_until_they_fit() {
    let done = Stage::plain("errors").await.run(100_000).await;
    let (_, message) = done.error();
    assert!(
        message.starts_with("yyyy") && message.len() < 32_768,
        "{} bytes",
        message.len()
    );
    let failed = done
        .record
        .updates()
        .find_map(|update| update.error.clone())
        .unwrap();
    assert!(json!(failed).to_string().len() < 32_768);
    done.record.assert_well_behaved();
}

#[tokio::test]
async fn a_large_scope_is_built_again_from_its_steps() {
    let done = Stage::plain("scoped").await.run(json!(null)).await;
    assert_eq!(done.result::<usize>(), 300 * 1024);
    let closed = done
        .record
        .updates()
        .find(|update| update.kind == Kind::Context && update.action == Action::Succeed);
    let closed = closed.unwrap();
    let options = closed.context_options.as_ref();
    assert_eq!(
        options.and_then(|options| options.replay_children),
        Some(true)
    );
    assert!(closed.payload.as_deref().unwrap_or_default().len() < 1024);
    // Its body ran in both invocations, its steps in one.
    let count = |what: &str| done.effects.iter().filter(|line| *line == what).count();
    assert_eq!(
        (count("scope"), count("part 0"), count("part 2")),
        (2, 1, 1)
    );
    assert_eq!(done.invocations(), 2);
    done.record.assert_well_behaved();
}

#[tokio::test]
async fn the_quota_of_operations_is_an_error_before_it_is_a_refusal() {
    let config = Config {
        quotas: Quotas {
            operations: 50,
            ..Quotas::default()
        },
        ..Config::default()
    };
    let mut stage = Stage::new("steps", config).await;
    let program = stage.program("steps").env("SUBJECT_MAX_OPERATIONS", "50");
    stage.fake.run(program);
    let done = stage.run(60).await;
    let Ended::Failed(error) = &done.ended else {
        panic!("{:?}", done.ended);
    };
    let message = error.error_message.clone().unwrap_or_default();
    assert!(
        message.contains("operation 50 ") && message.contains("at most 50"),
        "{message}"
    );
    // The service was never asked for one too many.
    done.record.assert_well_behaved();
    assert!(done.used.operations <= 50);
    assert!(done.effects.len() >= 45, "{} steps", done.effects.len());
    let warned = done
        .record
        .output
        .iter()
        .filter(|line| line.contains("operations"));
    assert!(warned.count() >= 1, "{:?}", done.record.output);
}
