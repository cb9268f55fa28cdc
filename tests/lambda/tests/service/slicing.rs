//! Time limits, and processes that are killed.

use std::time::Duration;

use durable_lambda_tests::{Action, Config, Fault, InvocationEnd, Kind, Program, Record};
use serde_json::json;

use super::support::{Stage, numbered};

fn within(deadline: Duration) -> Config {
    Config {
        deadline,
        ..Config::default()
    }
}

/// Holds more back than a tenth of a second: a busy machine stops a process for as long.
fn unhurried(stage: &Stage) -> Program {
    stage.program("slices").env("SUBJECT_RESERVE_MILLIS", "400")
}

#[tokio::test]
async fn a_long_loop_slices_itself() {
    let mut stage = Stage::new("slices", within(Duration::from_secs(1))).await;
    let program = unhurried(&stage);
    stage.fake.run(program);
    let done = stage.run(40).await;
    assert_eq!(done.result::<u64>(), 780);
    // 40 bodies of a tenth of a second: no second is long enough for ten.
    assert!(
        done.invocations() >= 5,
        "{} invocations",
        done.invocations()
    );
    let timed_out = done.record.invocations.iter();
    let timed_out = timed_out.filter(|one| one.end == Some(InvocationEnd::TimedOut));
    assert_eq!(timed_out.count(), 0);
    done.assert_effects(numbered("step", 40));
    let slices = done
        .record
        .updates()
        .filter(|update| update.kind == Kind::Wait)
        .count();
    assert_eq!(slices, done.invocations() - 1);
    done.record.assert_well_behaved();
}

#[tokio::test]
async fn slices_do_not_depend_on_a_warm_process() {
    let mut stage = Stage::new("slices", within(Duration::from_secs(1))).await;
    let program = unhurried(&stage).fresh();
    stage.fake.run(program);
    let done = stage.run(20).await;
    assert_eq!(done.result::<u64>(), 190);
    assert!(done.record.processes >= done.invocations() as u64);
    done.assert_effects(numbered("step", 20));
    done.record.assert_well_behaved();
}

#[tokio::test]
async fn a_step_whose_process_is_killed_runs_again() {
    for (how, starts) in [("early", 1), ("late", 1)] {
        let done = Stage::plain("killed").await.run(how).await;
        assert_eq!(done.result::<usize>(), 2);
        assert_eq!(done.invocations(), 2);
        assert!(matches!(
            done.record.invocations[0].end,
            Some(InvocationEnd::Exited(_))
        ));
        let started = done
            .record
            .updates()
            .filter(|update| update.action == Action::Start);
        assert_eq!(started.count(), starts, "{how}");
        done.record.assert_well_behaved();
    }
}

/// The service keeps no count of bodies that were cut off: each is noted by an operation of its own, once the step
/// has been under way for a minute.
#[tokio::test]
async fn a_step_that_never_ends_is_given_up() {
    let config = Config {
        pace: 1.0,
        ..within(Duration::from_secs(1))
    };
    let stage = Stage::new("endless", config).await;
    let started = stage.start(json!(null));
    let ended = |record: &Record| record.invocations.first()?.end.clone();
    assert_eq!(stage.fake.until(ended).await, InvocationEnd::TimedOut);
    started.pass(Duration::from_secs(16 * 60));
    let done = stage.finish(started).await;
    assert_eq!(done.result::<String>(), "Interrupted");
    // The first run was too young to count; the last invocation gives up without another.
    assert_eq!((done.effects.len(), done.invocations()), (3, 4));
    done.record.assert_well_behaved();
}

#[tokio::test]
async fn a_step_that_was_cut_off_once_may_rest_for_long() {
    let stage = Stage::plain("killed").await;
    let started = stage.start(json!("late"));
    let ended = |record: &Record| record.invocations.first()?.end.clone();
    stage.fake.until(ended).await;
    // As after a pause: that is one cut-off, however long ago.
    started.pass(Duration::from_secs(24 * 3600));
    let done = stage.finish(started).await;
    assert_eq!(done.result::<usize>(), 2);
    done.record.assert_well_behaved();
}

#[tokio::test]
async fn a_step_that_may_run_once_does() {
    let done = Stage::plain("once").await.run(json!(null)).await;
    assert_eq!(done.result::<String>(), "Interrupted");
    done.assert_effects(["charge".to_owned()]);
    done.record.assert_well_behaved();
}

#[tokio::test]
async fn being_killed_at_any_call_does_no_harm() {
    for call in 1..=5 {
        for fault in [Fault::KillBefore, Fault::KillAfter] {
            let stage = Stage::plain("steps").await;
            stage.fake.fault(call, fault.clone());
            let done = stage.run(5).await;
            assert_eq!(done.result::<u64>(), 10);
            assert_eq!(done.invocations(), 2);
            // A body whose end was not written runs again, and no other does.
            let again = usize::from(fault == Fault::KillBefore);
            assert_eq!(done.effects.len(), 5 + again, "{fault:?} at call {call}");
            assert!(done.record.refused().is_empty());
        }
    }
}
