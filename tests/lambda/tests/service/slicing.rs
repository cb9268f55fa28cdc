//! Tests of deadlines and killed processes.

use std::time::Duration;

use durable_lambda_tests::{Action, Config, Fault, InvocationEnd, Kind, Program, Recording};
use serde_json::json;

use super::support::{Harness, numbered};

fn with_deadline(deadline: Duration) -> Config {
    Config {
        deadline,
        ..Config::default()
    }
}

/// Returns a program with a reserve of more than a tenth of a second, for which a busy machine may stall a process.
fn with_large_reserve(harness: &Harness) -> Program {
    harness
        .program("slow_steps")
        .env("SUBJECT_RESERVE_MILLIS", "400")
}

#[tokio::test]
async fn long_loops_are_sliced() {
    let mut harness = Harness::new("slow_steps", with_deadline(Duration::from_secs(1))).await;
    let program = with_large_reserve(&harness);
    harness.fake.run(program);
    let finished = harness.run(40).await;
    assert_eq!(finished.result::<u64>(), 780);
    // 40 bodies of a tenth of a second each: an invocation of one second runs fewer than ten.
    assert!(
        finished.invocations() >= 5,
        "{} invocations",
        finished.invocations()
    );
    let timed_out = finished.recording.invocations.iter();
    let timed_out = timed_out.filter(|one| one.end == Some(InvocationEnd::TimedOut));
    assert_eq!(timed_out.count(), 0);
    finished.assert_effects(numbered("step", 40));
    let slices = finished
        .recording
        .updates()
        .filter(|update| update.kind == Kind::Wait)
        .count();
    assert_eq!(slices, finished.invocations() - 1);
    finished.recording.assert_well_behaved();
}

#[tokio::test]
async fn loops_are_sliced_in_new_processes() {
    let mut harness = Harness::new("slow_steps", with_deadline(Duration::from_secs(1))).await;
    let program = with_large_reserve(&harness).fresh();
    harness.fake.run(program);
    let finished = harness.run(20).await;
    assert_eq!(finished.result::<u64>(), 190);
    assert!(finished.recording.processes >= finished.invocations() as u64);
    finished.assert_effects(numbered("step", 20));
    finished.recording.assert_well_behaved();
}

#[tokio::test]
async fn steps_of_killed_processes_run_again() {
    for (how, starts) in [("early", 1), ("late", 1)] {
        let finished = Harness::with_defaults("killed_once").await.run(how).await;
        assert_eq!(finished.result::<usize>(), 2);
        assert_eq!(finished.invocations(), 2);
        assert!(matches!(
            finished.recording.invocations[0].end,
            Some(InvocationEnd::Exited(_))
        ));
        let started = finished
            .recording
            .updates()
            .filter(|update| update.action == Action::Start);
        assert_eq!(started.count(), starts, "{how}");
        finished.recording.assert_well_behaved();
    }
}

/// The service does not count interruptions, so each is recorded as an operation once the step is a minute old.
#[tokio::test]
async fn steps_fail_after_repeated_interruptions() {
    let harness = Harness::new("never_ends", with_deadline(Duration::from_secs(1))).await;
    let execution = harness.start(json!(null));
    let outcome = |recording: &Recording| recording.invocations.first()?.end.clone();
    assert_eq!(
        harness.fake.wait_until(outcome).await,
        InvocationEnd::TimedOut
    );
    execution.age_operations(Duration::from_secs(16 * 60));
    let finished = harness.finish(execution).await;
    assert_eq!(finished.result::<String>(), "Interrupted");
    // The first run was too young to count, and the last invocation does not run the body.
    assert_eq!((finished.effects.len(), finished.invocations()), (3, 4));
    finished.recording.assert_well_behaved();
}

#[tokio::test]
async fn one_interruption_counts_once_however_old_it_is() {
    let harness = Harness::with_defaults("killed_once").await;
    let execution = harness.start(json!("late"));
    let outcome = |recording: &Recording| recording.invocations.first()?.end.clone();
    harness.fake.wait_until(outcome).await;
    // As if the execution had been paused for a day.
    execution.age_operations(Duration::from_secs(24 * 3600));
    let finished = harness.finish(execution).await;
    assert_eq!(finished.result::<usize>(), 2);
    finished.recording.assert_well_behaved();
}

#[tokio::test]
async fn at_most_once_steps_do_not_run_again() {
    let finished = Harness::with_defaults("charges_once")
        .await
        .run(json!(null))
        .await;
    assert_eq!(finished.result::<String>(), "Interrupted");
    finished.assert_effects(["charge".to_owned()]);
    finished.recording.assert_well_behaved();
}

#[tokio::test]
async fn executions_survive_a_kill_at_any_call() {
    for call in 1..=5 {
        for fault in [Fault::KillBefore, Fault::KillAfter] {
            let harness = Harness::with_defaults("steps").await;
            harness.fake.fault(call, fault.clone());
            let finished = harness.run(5).await;
            assert_eq!(finished.result::<u64>(), 10);
            assert_eq!(finished.invocations(), 2);
            // Only a body whose end was not recorded runs again.
            let again = usize::from(fault == Fault::KillBefore);
            assert_eq!(
                finished.effects.len(),
                5 + again,
                "{fault:?} at call {call}"
            );
            assert!(finished.recording.rejections().is_empty());
        }
    }
}
