//! Concurrency: maps over changing lists, races and their replay, completion policies.

use durable::prelude::*;
use durable::store::{AdminStore, MemoryStore};
use durable::{BatchResult, BranchOutcome, Complete, Reason, Status};

use crate::support::{Crash, Effects, TokioClock, process};

/// Yields a random number of times, so that no two runs poll in the same order.
async fn jitter(result: &str) -> Result<String, String> {
    for _ in 0..fastrand::u32(..4) {
        tokio::task::yield_now().await;
    }
    Ok(result.to_owned())
}

#[durable]
async fn raced(seen: &Effects, replays: u32) -> Result<(), BoxError> {
    let winner = race!("race", {
        "a" => a = step!("a", jitter("a").await) => a,
        "b" => b = step!("b", jitter("b").await) => b,
        "c" => c = scope!("c", { Ok(step!("inner", jitter("c").await).await?) }) => c,
    })
    .await?;
    seen.note(winner);
    for _ in 0..replays {
        wait!(Duration::from_secs(3600)).await;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_race_replayed_a_thousand_times_has_one_winner() {
    let seen = Effects::default();
    let run = durable::run(raced, "a", 1000).clock(TokioClock::shared());
    let report = run.state(&seen).store(MemoryStore::new()).report().await;
    report.output.unwrap();
    let seen = seen.all();
    assert_eq!(seen.len(), 1001);
    assert!(seen.iter().all(|winner| *winner == seen[0]));
    assert_eq!(report.drift, [], "losers are no drift");
}

#[durable]
async fn timed(seen: &Effects) -> Result<String, BoxError> {
    let outcome = race!("race", {
        "work" => step!("work", never(seen).await) => "work".to_owned(),
        "late" => wait!("late", Duration::from_secs(5)) => "late".to_owned(),
        "later" => wait!("later", Duration::from_secs(50)) => "later".to_owned(),
    })
    .await;
    step!("after", jitter("after").await).await?;
    Ok(outcome)
}

async fn never(seen: &Effects) -> Result<(), String> {
    seen.note("began");
    std::future::pending().await
}

#[tokio::test(start_paused = true)]
async fn a_timer_can_win_a_race_and_losing_timers_are_cancelled() {
    let (store, seen) = (MemoryStore::new(), Effects::default());
    let run = durable::run(timed, "a", ()).clock(TokioClock::shared());
    let run = run.state(&seen).store(store.clone());
    assert_eq!(run.await.unwrap(), "late");
    let history = store.history(&"a".parse().unwrap()).await.unwrap();
    let status = |name: &str| {
        let record = history.iter().find(|record| record.name == name);
        record.map(|record| record.status)
    };
    assert_eq!(status("later"), Some(Status::Cancelled));
    assert_eq!(status("after"), Some(Status::Succeeded));
    assert_ne!(status("work"), Some(Status::Succeeded));
}

mod lists {
    use super::*;

    #[durable(name = "lists")]
    pub(super) async fn before(effects: &Effects) -> Result<Vec<String>, BoxError> {
        let orders = vec![1, 2, 3];
        let receipts = map!("charge", orders, key = |order| order, |order| {
            Ok(step!("pay", pay(effects, order).await).await?)
        })
        .await;
        Ok(receipts.into_values()?)
    }

    /// The list has a new first item and is reordered.
    #[durable(name = "lists")]
    pub(super) async fn after(effects: &Effects) -> Result<Vec<String>, BoxError> {
        let orders = vec![7, 3, 1, 2];
        let receipts = map!("charge", orders, key = |order| order, |order| {
            Ok(step!("pay", pay(effects, order).await).await?)
        })
        .await;
        Ok(receipts.into_values()?)
    }
}

async fn pay(effects: &Effects, order: u32) -> Result<String, String> {
    effects.note(format!("charged {order}"));
    Ok(format!("receipt {order}"))
}

#[tokio::test]
async fn a_reordered_and_extended_list_uses_the_right_records() {
    let (memory, effects) = (MemoryStore::new(), Effects::default());
    let probe = process(&memory, Crash::After(1));
    let run = durable::run(lists::before, "a", ()).state(&effects);
    let died = probe.survive(run.store(probe.clone()).into_future()).await;
    assert!(died.is_none());
    drop(probe);
    assert_eq!(effects.all().len(), 3);
    let run = durable::run(lists::after, "a", ()).state(&effects);
    let receipts = run.store(process(&memory, Crash::Never)).await.unwrap();
    assert_eq!(
        receipts,
        ["receipt 7", "receipt 3", "receipt 1", "receipt 2"]
    );
    assert_eq!(
        effects.all()[3..],
        ["charged 7"],
        "no order is charged twice"
    );
}

#[durable]
async fn policies(seen: &Effects, policy: u32) -> Result<String, BoxError> {
    let complete = match policy {
        0 => Complete::all(),
        1 => Complete::first_success(),
        2 => Complete::all().min_successful(2),
        3 => Complete::all().tolerated_failures(1),
        4 => Complete::all().tolerated_share(0.25),
        _ => Complete::fail_fast(),
    };
    let items = vec!["fail", "ok", "fail", "ok"];
    let batch = map!("map", items, concurrency = 1, complete = complete, |item| {
        let end = step!("item", retry = Retry::none(), end(item)).await?;
        Ok(end)
    })
    .await;
    seen.note(describe(&batch));
    wait!("hour", Duration::from_secs(3600)).await;
    Ok(describe(&batch))
}

fn end(item: &str) -> Result<u32, String> {
    match item {
        "ok" => Ok(1),
        other => Err(other.to_owned()),
    }
}

fn describe(batch: &BatchResult<u32>) -> String {
    let ends: String = batch
        .branches()
        .iter()
        .map(|branch| match branch {
            BranchOutcome::Succeeded(_) => 'S',
            BranchOutcome::Failed(_) => 'F',
            BranchOutcome::Abandoned => 'A',
            BranchOutcome::NotStarted => '-',
        })
        .collect();
    format!("{ends} {}", batch.reason())
}

#[tokio::test(start_paused = true)]
async fn completion_policies_give_the_same_result_on_replay() {
    for (policy, expected) in [
        (0, ("FSFS", Reason::AllCompleted)),
        (1, ("FS--", Reason::MinSuccessfulReached)),
        (2, ("FSFS", Reason::AllCompleted)),
        (3, ("FSF-", Reason::FailureToleranceExceeded)),
        (4, ("FSF-", Reason::FailureToleranceExceeded)),
        (5, ("F---", Reason::FailureToleranceExceeded)),
    ] {
        let seen = Effects::default();
        let run = durable::run(policies, "a", policy).clock(TokioClock::shared());
        let output = run.state(&seen).store(MemoryStore::new()).await.unwrap();
        assert_eq!(output, format!("{} {}", expected.0, expected.1), "{policy}");
        assert_eq!(seen.all(), [output.clone(), output], "live and replayed");
    }
}

#[durable]
async fn abandons(pause: &u32) -> Result<(), BoxError> {
    let batch = parallel!("both", complete = Complete::first_success(), {
        "quick" => { Ok(step!("quick", jitter("quick").await).await?) },
        "slow" => {
            step!("begins", jitter("begins").await).await?;
            // Determines how far this branch gets before the other one ends.
            #[durable(allow(D022))]
            yields(*pause).await;
            Ok(step!("hangs", hangs().await).await?)
        },
    })
    .await;
    assert_eq!(batch.succeeded(), 1);
    step!("after", jitter("after").await).await?;
    wait!("hour", Duration::from_secs(3600)).await;
    step!("end", jitter("end").await).await?;
    Ok(())
}

/// Delays the following code by this many turns of the scheduler.
async fn yields(times: u32) {
    for _ in 0..times {
        tokio::task::yield_now().await;
    }
}

async fn hangs() -> Result<String, String> {
    std::future::pending().await
}

#[tokio::test(start_paused = true)]
async fn abandoned_branches_never_checkpoint_afterwards() {
    for pause in (0..6).cycle().take(60) {
        let probe = process(&MemoryStore::new(), Crash::Never);
        let run = durable::run(abandons, "a", ()).clock(TokioClock::shared());
        run.state(&pause).store(probe.clone()).await.unwrap();
        let batches = probe.batches.lock().unwrap().clone();
        let mut over = false;
        for record in batches.iter().flat_map(|batch| &batch.records) {
            let at_the_top = record.parent == durable::OperationId::ROOT;
            assert!(
                at_the_top || !over,
                "{pause}: {record:?} was written after the end"
            );
            over |= record.name == "both" && record.status.is_terminal();
        }
        assert!(over);
    }
}

#[durable]
async fn no_concurrency(_n: u32) -> Result<(), BoxError> {
    let _ = map!("map", vec![1], concurrency = 0, |item| {
        Ok::<u32, String>(item)
    })
    .await;
    Ok(())
}

#[tokio::test]
async fn a_concurrency_of_zero_is_an_error_before_anything_is_written() {
    let store = MemoryStore::new();
    let error = durable::run(no_concurrency, "a", 0)
        .store(store.clone())
        .await;
    let text = error.unwrap_err().to_string();
    assert!(
        text.contains("`map`") && text.contains("at least 1"),
        "{text}"
    );
    assert_eq!(store.history(&"a".parse().unwrap()).await.unwrap().len(), 0);
}

#[durable]
async fn large(_n: u32) -> Result<usize, BoxError> {
    let batch = map!("large", 0..4_u32, |n| {
        let size = usize::try_from(n + 1)? * 300;
        Ok(step!("text", Ok::<_, String>("x".repeat(size))).await?)
    })
    .await;
    wait!("hour", Duration::from_secs(3600)).await;
    Ok(batch.into_values()?.iter().map(String::len).sum())
}

#[tokio::test(start_paused = true)]
async fn results_over_the_limit_are_rebuilt() {
    use durable::store::{Capabilities, Durability};
    let limits = Capabilities::unlimited(Durability::Memory).with_max_value(1500);
    let store = MemoryStore::with_capabilities(limits);
    let run = durable::run(large, "a", 0).clock(TokioClock::shared());
    assert_eq!(run.store(store).await.unwrap(), 3000);
}

#[durable]
async fn first_of_two(seen: &Effects) -> Result<(), BoxError> {
    let result = map!(
        "both",
        ["a", "b"],
        key = |item| item,
        complete = Complete::first_success(),
        |item| { Ok(step!("work", note_item(seen, item).await).await?) }
    )
    .await;
    seen.note(format!("{:?}", result.branches()));
    wait!("hour", Duration::from_secs(3600)).await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn abandoned_branches_stay_abandoned() {
    let seen = Effects::default();
    let run = durable::run(first_of_two, "a", ()).clock(TokioClock::shared());
    run.state(&seen).store(MemoryStore::new()).await.unwrap();
    let seen: Vec<_> = seen
        .all()
        .into_iter()
        .filter(|what| what.starts_with('['))
        .collect();
    assert_eq!(seen.len(), 2);
    assert_eq!(seen[0], seen[1]);
}

async fn note_item(seen: &Effects, item: &str) -> Result<String, String> {
    seen.note(item);
    Ok(item.to_owned())
}

#[durable]
async fn arm_with_effect(seen: &Effects) -> Result<(), BoxError> {
    race!("race", {
        "done" => step!("work", jitter("work").await) => seen.note("arm"),
        "late" => wait!("late", Duration::from_secs(3600)) => seen.note("late"),
    })
    .await;
    step!("after", jitter("after").await).await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_winner_is_recorded_before_its_arm_runs() {
    for n in 1..=4 {
        let (memory, seen) = (MemoryStore::new(), Effects::default());
        let probe = process(&memory, Crash::Before(n));
        let run = durable::run(arm_with_effect, "a", ()).clock(TokioClock::shared());
        let run = run.state(&seen).store(probe.clone()).into_future();
        probe.survive(run).await;
        let history = memory.history(&"a".parse().unwrap()).await.unwrap();
        let race = history.iter().find(|record| record.name == "race");
        let recorded = race.is_some_and(|race| race.status.is_terminal());
        assert!(recorded || seen.count("arm") == 0, "crash before {n}");
    }
}

#[durable]
async fn waits_for_answer(seen: &Effects) -> Result<u32, BoxError> {
    let answer = callback!("answer", timeout = Duration::from_secs(7200));
    seen.note(answer.id().await);
    Ok(answer.await?)
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_arrives_during_the_suspension_is_not_lost() {
    let (memory, seen) = (MemoryStore::new(), Effects::default());
    let probe = process(&memory, Crash::Never);
    let (client, ids) = (durable::Client::new(memory.clone()), seen.clone());
    *probe.meanwhile.lock().unwrap() = Some(Box::new(move |batch| {
        let suspends = matches!(
            batch.execution,
            Some(durable::store::ExecutionUpdate::Suspend { .. })
        );
        if let (true, Some(id)) = (suspends, ids.all().first()) {
            // The second attempt fails because the callback is closed.
            let _ = futures::FutureExt::now_or_never(client.complete(id, &7));
        }
    }));
    let clock = TokioClock::shared();
    let begin = clock.now();
    let run = durable::run(waits_for_answer, "a", ()).clock(clock.clone());
    assert_eq!(run.state(&seen).store(probe).await.unwrap(), 7);
    assert!(
        clock.now().since(begin) < Duration::from_secs(60),
        "at once"
    );
}

#[durable]
async fn dynamic_branches(
    effects: &Effects,
    regions: Vec<String>,
) -> Result<Vec<String>, BoxError> {
    let ends = parallel!(
        "regions",
        regions,
        key = |region| region,
        concurrency = 2,
        |region| { Ok(step!("deploy", note_region(effects, &region)).await?) }
    )
    .await;
    wait!("hour", Duration::from_secs(3600)).await;
    Ok(ends.into_values()?)
}

fn note_region(effects: &Effects, region: &str) -> Result<String, String> {
    effects.note(region);
    Ok(format!("deployed to {region}"))
}

#[tokio::test(start_paused = true)]
async fn branches_can_be_created_at_run_time() {
    let (store, effects) = (MemoryStore::new(), Effects::default());
    let regions = vec!["north".to_owned(), "south".to_owned()];
    let run = durable::run(dynamic_branches, "a", regions).clock(TokioClock::shared());
    let run = run.state(&effects).store(store.clone());
    assert_eq!(
        run.await.unwrap(),
        ["deployed to north", "deployed to south"]
    );
    assert_eq!(effects.all(), ["north", "south"]);
    let history = store.history(&"a".parse().unwrap()).await.unwrap();
    assert_eq!(history[0].kind, durable::Kind::Parallel);
}
