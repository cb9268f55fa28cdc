//! Clocks that differ, deadlines, and processes that end in the middle of a body.

use std::ops::ControlFlow;

use durable::prelude::*;
use durable_lambda_tests::{Config, Fault, Kind};

use crate::scene::{Scene, config, value};
use crate::subject::Log;

#[durable]
pub(crate) async fn sliced_beside(log: &Log, wait: u64) -> Result<u32, BoxError> {
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

/// A slice ends with a timer that the service ends at once here, and what else was written with it may
/// end just then.
#[tokio::test]
async fn a_slice_that_takes_longer_than_its_timer_is_no_end() {
    let mut all = Vec::new();
    for step in 0..8_u64 {
        all.push(tokio::spawn(async move {
            let config = Config {
                deadline: Duration::from_millis(4_000),
                pace: 1_000.0,
                ..config()
            };
            let scene = Scene::new("sliced_beside", config).await;
            let call = Fault::Delay(Duration::from_millis(100));
            scene.fake.fault_from(1, call);
            let (_, ended) = scene.run(3_500 + 40 * step).await;
            assert_eq!(value(&ended), 1);
            let record = scene.fake.record();
            let slices = record.updates().filter(|update| {
                update.kind == Kind::Wait && update.sub_type.as_deref() == Some("Slice")
            });
            assert!(slices.count() >= 1);
        }));
    }
    for one in all {
        one.await.unwrap();
    }
}

#[durable]
pub(crate) async fn counts_up(log: &Log, to: u32) -> Result<u32, BoxError> {
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
async fn a_check_that_is_cut_off_goes_on_from_its_state() {
    let scene = Scene::new("counts_up", config()).await;
    let kill = async {
        while scene.log.count("check 2") == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        // Long enough for a START to be sent alone.
        tokio::time::sleep(Duration::from_millis(900)).await;
        scene.fake.kill();
    };
    let ((_, ended), ()) = tokio::join!(scene.run(4), kill);
    assert_eq!(value(&ended), 4);
    assert_eq!(scene.log.count("check 2"), 2);
    for once in ["check 0", "check 1", "check 3", "check 4"] {
        assert_eq!(scene.log.count(once), 1, "{once}");
    }
    scene.well_behaved();
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
async fn a_clock_that_is_wrong_changes_no_delay() {
    for ahead in [-240_000, 0, 240_000] {
        let config = Config { ahead, ..config() };
        let scene = Scene::new("waits_and_retries", config).await;
        let (_, ended) = scene.run(1).await;
        assert_eq!(value(&ended), 3, "ahead by {ahead} ms");
        assert_eq!(scene.log.count("flaky"), 2);
        let record = scene.well_behaved();
        let waits: Vec<_> = record
            .updates()
            .filter_map(|update| update.wait_options.as_ref()?.wait_seconds)
            .collect();
        assert_eq!(waits, [60], "ahead by {ahead} ms");
        let delays: Vec<_> = record
            .updates()
            .filter_map(|update| update.step_options.as_ref()?.next_attempt_delay_seconds)
            .collect();
        assert_eq!(delays, [30, 10, 10, 10], "ahead by {ahead} ms");
    }
}
