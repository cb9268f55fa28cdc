//! Slicing: long loops split into invocations under a budget.

use durable::prelude::*;
use durable::store::MemoryStore;
use durable::{ErrorKind, RunError};

use crate::support::{Crash, Effects, TokioClock, process};

/// A body that takes this much time.
async fn work(effects: &Effects, what: String, time: Duration) -> Result<(), String> {
    tokio::time::sleep(time).await;
    effects.note(what);
    Ok(())
}

#[durable]
async fn hundred(effects: &Effects) -> Result<(), BoxError> {
    for n in 0..100 {
        let second = Duration::from_secs(1);
        step!("work", key = n, work(effects, format!("{n}"), second).await).await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_loop_of_a_hundred_steps_under_a_budget_of_five_takes_twenty_invocations() {
    let effects = Effects::default();
    let report = durable::run(hundred, "a", ())
        .state(&effects)
        .clock(TokioClock::shared())
        .budget_with_reserve(Duration::from_millis(5_500), Duration::from_millis(400))
        .store(MemoryStore::new())
        .report()
        .await;
    report.output.unwrap();
    assert_eq!(report.invocations, 20);
    assert_eq!(effects.all().len(), 100);
    let mut distinct = effects.all();
    distinct.sort();
    distinct.dedup();
    assert_eq!(distinct.len(), 100, "each body ran once");
}

#[tokio::test(start_paused = true)]
async fn the_first_body_of_an_invocation_always_runs() {
    let effects = Effects::default();
    let report = durable::run(two_steps, "a", ())
        .state(&effects)
        .clock(TokioClock::shared())
        .budget_with_reserve(Duration::from_secs(1), Duration::from_secs(2))
        .store(MemoryStore::new())
        .report()
        .await;
    report.output.unwrap();
    assert_eq!(report.invocations, 2, "one body each");
}

#[durable]
async fn two_steps(effects: &Effects) -> Result<(), BoxError> {
    step!(
        "short",
        work(effects, "short".into(), Duration::from_secs(3)).await
    )
    .await?;
    step!(
        "also_short",
        work(effects, "also".into(), Duration::from_secs(3)).await
    )
    .await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_unknown_site_is_estimated_by_the_longest_known_one() {
    let effects = Effects::default();
    let report = durable::run(two_steps, "a", ())
        .state(&effects)
        .clock(TokioClock::shared())
        .budget_with_reserve(Duration::from_secs(5), Duration::ZERO)
        .store(MemoryStore::new())
        .report()
        .await;
    report.output.unwrap();
    assert_eq!(report.invocations, 2);
}

#[durable]
async fn timed(effects: &Effects, seconds: u64) -> Result<String, BoxError> {
    step!(
        "first",
        work(effects, "first".into(), Duration::from_secs(1)).await
    )
    .await?;
    let limit = Duration::from_secs(seconds);
    let second = step!(
        "second",
        timeout = limit,
        retry = Retry::none(),
        work(effects, "second".into(), Duration::from_secs(1)).await
    )
    .await;
    Ok(match second {
        Ok(()) => "fits".to_owned(),
        Err(error) => format!("{:?}: {error}", error.kind()),
    })
}

#[tokio::test(start_paused = true)]
async fn a_timeout_is_the_estimate_of_a_site() {
    for (seconds, invocations, outcome) in
        [(3, 1, "fits"), (5, 2, "fits"), (11, 1, "can never finish")]
    {
        let effects = Effects::default();
        let report = durable::run(timed, "a", seconds)
            .state(&effects)
            .clock(TokioClock::shared())
            .budget_with_reserve(Duration::from_secs(5), Duration::ZERO)
            .store(MemoryStore::new())
            .report()
            .await;
        let output = report.output.unwrap();
        assert!(output.contains(outcome), "{seconds}: {output}");
        assert_eq!(report.invocations, invocations, "{seconds}");
    }
}

#[durable]
async fn too_long(effects: &Effects) -> Result<(), BoxError> {
    step!(
        "too_long",
        work(effects, "long".into(), Duration::from_secs(60)).await
    )
    .await?;
    Ok(())
}

/// Runs on a platform that kills the process when its time is up.
#[tokio::test(start_paused = true)]
async fn a_step_that_is_always_interrupted_fails() {
    let (memory, effects) = (MemoryStore::new(), Effects::default());
    let mut kills = 0;
    let error = loop {
        let run = durable::run(too_long, "a", ())
            .state(&effects)
            .clock(TokioClock::shared())
            .budget(Duration::from_secs(5))
            .store(process(&memory, Crash::Never));
        match tokio::time::timeout(Duration::from_secs(5), run.into_future()).await {
            Err(_) => kills += 1,
            Ok(ended) => break ended.unwrap_err(),
        }
        assert!(kills < 10, "it loops forever");
    };
    let RunError::Failed(error) = error else {
        panic!("{error}");
    };
    assert!(
        error.to_string().contains("`too_long` was interrupted"),
        "{error}"
    );
    assert_eq!(
        kills, 3,
        "its START is written after half a second, so each is counted"
    );
}

#[durable]
async fn batched(effects: &Effects, n: u32) -> Result<u32, BoxError> {
    let items: Vec<u32> = (0..n).collect();
    let sums = batches!("sum", items, target = Duration::from_secs(2), |batch| {
        effects.note(format!("{}..{}", batch[0], batch[batch.len() - 1] + 1));
        tokio::time::sleep(Duration::from_millis(10) * batch.len() as u32).await;
        Ok::<u32, String>(batch.iter().sum())
    })
    .await?;
    Ok(sums.iter().sum())
}

#[tokio::test(start_paused = true)]
async fn batches_start_small_and_grow_towards_their_target() {
    let effects = Effects::default();
    let run = durable::run(batched, "a", 1000).clock(TokioClock::shared());
    let sum = run.state(&effects).store(MemoryStore::new()).await.unwrap();
    assert_eq!(sum, 499_500);
    assert_eq!(
        effects.all(),
        [
            "0..10",
            "10..110",
            "110..310",
            "310..510",
            "510..710",
            "710..910",
            "910..1000"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn resumed_batches_cover_the_same_items() {
    for crash in (1..=7).flat_map(|n| [Crash::Before(n), Crash::After(n)]) {
        let (memory, effects) = (MemoryStore::new(), Effects::default());
        let probe = process(&memory, crash);
        let run = durable::run(batched, "a", 1000).clock(TokioClock::shared());
        let run = run.state(&effects).store(probe.clone()).into_future();
        assert!(probe.survive(run).await.is_none());
        drop(probe);
        let run = durable::run(batched, "a", 1000).clock(TokioClock::shared());
        let run = run.state(&effects).store(process(&memory, Crash::Never));
        assert_eq!(run.await.unwrap(), 499_500, "{crash:?}");
    }
}

#[durable]
async fn no_items(_n: u32) -> Result<(), BoxError> {
    let items: Vec<u32> = Vec::new();
    let none = batches!("none", items, |batch| Ok::<usize, String>(batch.len())).await?;
    assert!(none.is_empty());
    let _ = ErrorKind::Failed;
    Ok(())
}

#[tokio::test]
async fn no_items_are_no_batches() {
    let report = durable::run(no_items, "a", 0)
        .store(MemoryStore::new())
        .report()
        .await;
    report.output.unwrap();
    assert_eq!(report.records_written, 0);
}

/// Hangs in the first batch until it has noted more than one.
#[durable]
async fn interrupted(effects: &Effects, n: u32) -> Result<u32, BoxError> {
    let items: Vec<u32> = (0..n).collect();
    let counts = batches!("count", items, max = 10, |batch| {
        effects.note(format!("{}..{}", batch[0], batch[batch.len() - 1] + 1));
        if effects.all().len() == 1 {
            tokio::time::sleep(Duration::from_secs(3600)).await;
        }
        Ok::<usize, String>(batch.len())
    })
    .await?;
    Ok(u32::try_from(counts.iter().sum::<usize>())?)
}

#[tokio::test(start_paused = true)]
async fn only_an_interrupted_batch_is_halved() {
    let (memory, effects) = (MemoryStore::new(), Effects::default());
    let run = durable::run(interrupted, "a", 25).clock(TokioClock::shared());
    let run = run
        .state(&effects)
        .store(process(&memory, Crash::Never))
        .into_future();
    let killed = tokio::time::timeout(Duration::from_secs(5), run).await;
    assert!(killed.is_err());
    let run = durable::run(interrupted, "a", 25).clock(TokioClock::shared());
    let run = run.state(&effects).store(process(&memory, Crash::Never));
    assert_eq!(run.await.unwrap(), 25);
    assert_eq!(
        effects.all(),
        ["0..10", "0..5", "5..10", "10..20", "20..25"]
    );
}
