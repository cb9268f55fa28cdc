//! The guarantees of the README.

use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

use durable::prelude::*;
use durable::store::MemoryStore;
use durable::{Retry, RunError};

use crate::support::{Crash, Effects, TokioClock, process};

#[durable]
async fn every_form(effects: &Effects, n: u32) -> Result<String, BoxError> {
    let day = record!("day", 20_000 + n).await;
    let mut parts = vec![format!("day {day}")];
    for i in 0..n {
        let part = step!("part", key = i, note(effects, format!("part {i}")).await).await?;
        parts.push(part);
        wait!("pause", Duration::from_secs(90)).await;
    }
    let scoped = scope!("scope", {
        let (left, right) = tokio::join!(
            step!("left", note(effects, "left".into()).await),
            step!("right", note(effects, "right".into()).await),
        );
        Ok(format!("{} {}", left?, right?))
    })
    .await?;
    parts.push(scoped);
    parts.push(call!(inner(n)).await?);
    Ok(parts.join("; "))
}

#[durable]
async fn inner(effects: &Effects, n: u32) -> Result<String, BoxError> {
    let called = step!("called", note(effects, format!("called {n}")).await).await?;
    let once = step!("once", at_most_once, note(effects, "once".into()).await).await?;
    Ok(format!("{called} {once}"))
}

async fn note(effects: &Effects, what: String) -> Result<String, std::io::Error> {
    effects.note(what.clone());
    Ok(what)
}

const RESULT: &str = "day 20002; part 0; part 1; left right; called 2 once";

#[tokio::test(start_paused = true)]
async fn a_crash_at_any_checkpoint_changes_neither_result_nor_recorded_effects() {
    let undisturbed = process(&MemoryStore::new(), Crash::Never);
    let effects = Effects::default();
    let run = durable::run(every_form, "a", 2).clock(TokioClock::shared());
    let output = run
        .state(&effects)
        .store(undisturbed.clone())
        .await
        .unwrap();
    assert_eq!(output, RESULT);
    let checkpoints = undisturbed.checkpoints.load(SeqCst);
    assert!(checkpoints > 5);
    for n in 1..=checkpoints {
        for crash in [Crash::Before(n), Crash::After(n)] {
            let (memory, effects) = (MemoryStore::new(), Effects::default());
            let probe = process(&memory, crash);
            let run = durable::run(every_form, "a", 2).clock(TokioClock::shared());
            let run = run.state(&effects).store(probe.clone());
            let died = probe.survive(run.into_future()).await;
            assert!(died.is_none(), "{crash:?} did not crash");
            drop(probe);
            let run = durable::run(every_form, "a", 2).clock(TokioClock::shared());
            let store = process(&memory, Crash::Never);
            let output = run.state(&effects).store(store).await;
            match output {
                Ok(output) => assert_eq!(output, RESULT, "{crash:?}"),
                // The step that must not run twice, interrupted between its START and its outcome.
                Err(RunError::Failed(error)) => {
                    assert!(
                        error.to_string().contains("`inner/once`"),
                        "{crash:?}: {error}"
                    );
                }
                Err(other) => panic!("{crash:?}: {other}"),
            }
            for (what, most) in [("part 0", 2), ("left", 2), ("called 2", 2), ("once", 1)] {
                let count = effects.count(what);
                assert!(count <= most, "{crash:?}: {what} ran {count} times");
                let recorded_before = matches!(crash, Crash::After(_));
                assert!(
                    !recorded_before || count <= 1,
                    "{crash:?}: {what} was recorded"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_finished_execution_returns_its_output_without_running() {
    let (memory, effects) = (MemoryStore::new(), Effects::default());
    for _ in 0..2 {
        let run = durable::run(inner, "a", 1).state(&effects);
        let output = run.store(process(&memory, Crash::Never)).await.unwrap();
        assert_eq!(output, "called 1 once");
    }
    assert_eq!(effects.all(), ["called 1", "once"]);
}

#[tokio::test]
async fn a_different_input_for_the_same_id_is_an_error_that_names_both() {
    let (memory, effects) = (MemoryStore::new(), Effects::default());
    let first = durable::run(inner, "a", 1).state(&effects);
    first.store(process(&memory, Crash::Never)).await.unwrap();
    let second = durable::run(inner, "a", 2).state(&effects);
    let error = second
        .store(process(&memory, Crash::Never))
        .await
        .unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("recorded  1") && text.contains("given     2"),
        "{text}"
    );
    let other = durable::run(every_form, "a", 1).state(&effects);
    let error = other
        .store(process(&memory, Crash::Never))
        .await
        .unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("`inner`") && text.contains("`every_form`"),
        "{text}"
    );
}

#[tokio::test]
async fn an_execution_with_a_live_lease_is_an_error() {
    let memory = MemoryStore::new();
    let (gate, effects) = (tokio::sync::Semaphore::new(0), Effects::default());
    let state = (gate, effects);
    let first = durable::run(gated, "a", ()).state(&state);
    let first = first.store(process(&memory, Crash::Never)).into_future();
    let second = async {
        tokio::task::yield_now().await;
        let run = durable::run(gated, "a", ()).state(&state);
        let error = run.store(process(&memory, Crash::Never)).await.unwrap_err();
        let RunError::Store(error) = error else {
            panic!("{error}");
        };
        assert_eq!(error.kind(), durable::store::StoreErrorKind::Leased);
        state.0.add_permits(1);
    };
    let (first, ()) = tokio::join!(first, second);
    first.unwrap();
    assert_eq!(state.1.all(), ["held"]);
}

#[durable]
async fn gated(state: &(tokio::sync::Semaphore, Effects)) -> Result<(), BoxError> {
    step!("held", {
        let _permit = state.0.acquire().await?;
        state.1.note("held");
        Ok(())
    })
    .await?;
    Ok(())
}

#[durable]
async fn keys(_unused: u32) -> Result<Vec<String>, BoxError> {
    let mut keys = Vec::new();
    for i in 0..2_u32 {
        let key = step!("keyed", key = i, |step| Ok::<_, String>(format!(
            "{} {} {}",
            step.idempotency_key(),
            step.attempt(),
            step.execution_id()
        )))
        .await?;
        keys.push(key);
    }
    Ok(keys)
}

#[tokio::test]
async fn idempotency_keys_are_stable_and_distinct() {
    let run = durable::run(keys, "exec", 0);
    let first = run.store(MemoryStore::new()).await.unwrap();
    let again = durable::run(keys, "exec", 0)
        .store(MemoryStore::new())
        .await;
    assert_eq!(first, again.unwrap());
    assert_ne!(first[0], first[1]);
    assert!(first[0].starts_with("exec/") && first[0].ends_with(" 1 exec"));
}

#[durable]
async fn retried(calls: &AtomicU32) -> Result<u32, BoxError> {
    let policy = || Retry::fixed(Duration::from_secs(3600)).attempts(3);
    let n = step!("flaky", retry = policy(), fail_twice(calls).await).await?;
    Ok(n)
}

async fn fail_twice(calls: &AtomicU32) -> Result<u32, String> {
    match calls.fetch_add(1, SeqCst) {
        n @ 0..2 => Err(format!("failure {n}")),
        n => Ok(n),
    }
}

#[tokio::test(start_paused = true)]
async fn a_retry_delay_is_durable_and_suspends() {
    let (memory, calls) = (MemoryStore::new(), AtomicU32::new(0));
    let run = durable::run(retried, "a", ()).clock(TokioClock::shared());
    let probe = process(&memory, Crash::Never);
    let report = run.state(&calls).store(probe).report().await;
    assert_eq!(report.output.unwrap(), 2);
    assert_eq!(report.invocations, 3, "suspended during each delay");
}
