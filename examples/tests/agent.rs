//! Tests of the agent.

use durable::testing::{TestRun, crash_everywhere, shuffled};

use super::*;

#[tokio::test]
async fn failed_tools_do_not_stop_the_others() {
    let run = TestRun::new(agent)
        .fail_step("tools[0]/item[1]/use", "out of order", 6)
        .run("question-1", "what is 6 squared?".to_owned())
        .await;
    let answer = run.output().unwrap();
    assert!(
        answer.starts_with("square(6) = 36, ") && answer.contains("out of order"),
        "{answer}"
    );
}

#[tokio::test]
async fn survives_a_crash_at_any_point() {
    let question = || "what is 6 squared?".to_owned();
    let crashes = crash_everywhere(agent, |_| (), question()).await.unwrap();
    assert!(crashes.count() >= 30, "{crashes:?}");
    shuffled(agent, |_| (), question()).await.unwrap();
}
