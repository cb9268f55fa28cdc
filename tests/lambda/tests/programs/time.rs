//! Tests of clock skew, deadlines and interrupted bodies.

use std::ops::ControlFlow;

use durable::prelude::*;
use durable_lambda_tests::{Config, Fault, Kind};

use crate::harness::{Harness, config, value};
use crate::subject::Log;

#[durable]
pub(crate) async fn sliced_with_timer(log: &Log, wait: u64) -> Result<u32, BoxError> {
    let many = async {
        for n in 0..45_u32 {
            step!("many", key = n, {
                log.note(&format!("many {n}"));
                Ok::<_, String>(())
            })
            .await?;
        }
        Ok::<_, BoxError>(())
    };
    let beside = scope!("beside", {
        wait!("pause", Duration::from_millis(wait * 1_000)).await;
        Ok::<_, BoxError>(1)
    });
    let (many, beside) = tokio::join!(many, beside);
    many?;
    Ok(beside?)
}

/// The wait between two slices ends at once here, and the timer that was started together with it may end at the same
/// time.
#[tokio::test]
async fn slow_slices_do_not_end_the_execution() {
    let mut tasks = Vec::new();
    for step in 0..8_u64 {
        tasks.push(tokio::spawn(async move {
            let config = Config {
                deadline: Duration::from_millis(4_000),
                speedup: 1_000.0,
                ..config()
            };
            let harness = Harness::new("sliced_with_timer", config).await;
            let call = Fault::Delay(Duration::from_millis(100));
            harness.fake.fault_from(1, call);
            let (_, outcome) = harness.run(3_500 + 40 * step).await;
            assert_eq!(value(&outcome), 1);
            let recording = harness.fake.recording();
            let slices = recording.updates().filter(|update| {
                update.kind == Kind::Wait && update.sub_type.as_deref() == Some("Slice")
            });
            assert!(slices.count() >= 1);
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
}

#[durable]
pub(crate) async fn slow_poll(log: &Log, to: u32) -> Result<u32, BoxError> {
    let every = Duration::from_secs(1);
    Ok(poll!("count", every = every, state = 0_u32, |state| {
        log.note(&format!("check {state}"));
        if state == 2 && log.count("check 2") == 1 {
            tokio::time::sleep(Duration::from_secs(20)).await;
        }
        Ok::<_, String>(if state == to {
            ControlFlow::Break(state)
        } else {
            ControlFlow::Continue(state + 1)
        })
    })
    .await?)
}

#[tokio::test]
async fn interrupted_checks_resume_from_their_state() {
    let harness = Harness::new("slow_poll", config()).await;
    let kill = async {
        while harness.log.count("check 2") == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        // Long enough for a START to be sent alone.
        tokio::time::sleep(Duration::from_millis(900)).await;
        harness.fake.kill();
    };
    let ((_, outcome), ()) = tokio::join!(harness.run(4), kill);
    assert_eq!(value(&outcome), 4);
    assert_eq!(harness.log.count("check 2"), 2);
    for once in ["check 0", "check 1", "check 3", "check 4"] {
        assert_eq!(harness.log.count(once), 1, "{once}");
    }
    harness.assert_well_behaved();
}

#[durable]
pub(crate) async fn waits_and_retries(log: &Log, _n: u32) -> Result<u32, BoxError> {
    step!("first", Ok::<_, String>(())).await?;
    wait!("minute", Duration::from_secs(60)).await;
    let again = Retry::fixed(Duration::from_secs(30)).attempts(2);
    step!("flaky", retry = again, |step| {
        log.note("flaky");
        if step.attempt() == 1 {
            Err("not yet")?;
        }
        Ok(())
    })
    .await?;
    let (every, limit) = (Duration::from_secs(10), Duration::from_secs(300));
    Ok(poll!(
        "check",
        every = every,
        timeout = limit,
        state = 0_u32,
        |state| {
            Ok::<_, String>(if state == 3 {
                ControlFlow::Break(state)
            } else {
                ControlFlow::Continue(state + 1)
            })
        }
    )
    .await?)
}

#[tokio::test]
async fn clock_skew_does_not_change_delays() {
    for clock_skew in [-240_000, 0, 240_000] {
        let config = Config {
            clock_skew,
            ..config()
        };
        let harness = Harness::new("waits_and_retries", config).await;
        let (_, outcome) = harness.run(1).await;
        assert_eq!(value(&outcome), 3, "clock skew of {clock_skew} ms");
        assert_eq!(harness.log.count("flaky"), 2);
        let recording = harness.assert_well_behaved();
        let waits: Vec<_> = recording
            .updates()
            .filter_map(|update| update.wait_options.as_ref()?.wait_seconds)
            .collect();
        assert_eq!(waits, [60], "clock skew of {clock_skew} ms");
        let delays: Vec<_> = recording
            .updates()
            .filter_map(|update| update.step_options.as_ref()?.next_attempt_delay_seconds)
            .collect();
        assert_eq!(delays, [30, 10, 10, 10], "clock skew of {clock_skew} ms");
    }
}
