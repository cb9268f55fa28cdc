//! Cancellation and undo.

use durable::prelude::*;
use durable::store::{AdminStore, ExecutionStatus, ExecutionStore, MemoryStore};
use durable::{Client, ExecutionId, RunError};

use crate::support::{Crash, Effects, TokioClock, process};

fn id(text: &str) -> ExecutionId {
    text.parse().unwrap()
}

async fn note(effects: &Effects, what: &str) -> Result<String, String> {
    effects.note(what);
    Ok(what.to_owned())
}

async fn undo(effects: &Effects, what: String) -> Result<(), String> {
    effects.note(format!("undo {what}"));
    Ok(())
}

#[durable]
async fn trip(effects: &Effects, fails: bool) -> Result<(), BoxError> {
    step!(
        "flight",
        undo = |done| undo(effects, done).await,
        note(effects, "flight").await
    )
    .await?;
    let hotels = scope!("hotels", {
        step!(
            "hotel",
            undo = |done| undo(effects, done).await,
            note(effects, "hotel").await
        )
        .await?;
        Ok(())
    });
    hotels.await?;
    call!(car(())).await?;
    wait!("night", Duration::from_secs(3600)).await;
    if fails {
        return Err("the volcano erupted".into());
    }
    Ok(())
}

#[durable]
async fn car(effects: &Effects, _unused: ()) -> Result<(), BoxError> {
    step!(
        "car",
        undo = |done| undo(effects, done).await,
        note(effects, "car").await
    )
    .await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_failure_undoes_finished_steps_in_reverse_order() {
    let (store, effects) = (MemoryStore::new(), Effects::default());
    let run = durable::run(trip, "a", true).clock(TokioClock::shared());
    let error = run.state(&effects).store(store.clone()).await.unwrap_err();
    assert!(error.to_string().contains("volcano"), "{error}");
    assert_eq!(
        effects.all(),
        [
            "flight",
            "hotel",
            "car",
            "undo car",
            "undo hotel",
            "undo flight"
        ]
    );
    let history = store.history(&id("a")).await.unwrap();
    let undone = history
        .iter()
        .filter(|record| record.kind == durable::Kind::Undo);
    assert_eq!(undone.count(), 3, "each undo is an operation");
}

#[tokio::test(start_paused = true)]
async fn a_success_undoes_nothing() {
    let effects = Effects::default();
    let run = durable::run(trip, "a", false).clock(TokioClock::shared());
    run.state(&effects).store(MemoryStore::new()).await.unwrap();
    assert_eq!(effects.all(), ["flight", "hotel", "car"]);
}

#[tokio::test(start_paused = true)]
async fn a_crash_at_any_checkpoint_undoes_each_step_once() {
    let quiet = process(&MemoryStore::new(), Crash::Never);
    let effects = Effects::default();
    let run = durable::run(trip, "a", true).clock(TokioClock::shared());
    run.state(&effects).store(quiet.clone()).await.unwrap_err();
    let checkpoints = quiet.checkpoints.load(std::sync::atomic::Ordering::SeqCst);
    for crash in (1..=checkpoints).flat_map(|n| [Crash::Before(n), Crash::After(n)]) {
        let (memory, effects) = (MemoryStore::new(), Effects::default());
        let probe = process(&memory, crash);
        let run = durable::run(trip, "a", true).clock(TokioClock::shared());
        let run = run.state(&effects).store(probe.clone()).into_future();
        assert!(probe.survive(run).await.is_none(), "{crash:?}");
        drop(probe);
        let run = durable::run(trip, "a", true).clock(TokioClock::shared());
        let run = run.state(&effects).store(process(&memory, Crash::Never));
        run.await.unwrap_err();
        for what in ["undo car", "undo hotel", "undo flight"] {
            let most = if matches!(crash, Crash::After(_)) {
                1
            } else {
                2
            };
            let count = effects.count(what);
            assert!(
                (1..=most).contains(&count),
                "{crash:?}: {what} {count} times"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_execution_stops_and_undoes_its_steps() {
    let (memory, effects) = (MemoryStore::new(), Effects::default());
    let client = Client::new(memory.clone()).clock(TokioClock::shared());
    let run = durable::run(trip, "a", false).clock(TokioClock::shared());
    let run = run.state(&effects).store(memory.clone()).into_future();
    let cancel = async {
        tokio::time::sleep(Duration::from_secs(60)).await;
        client.cancel(&id("a")).await.unwrap();
    };
    let (ended, ()) = tokio::join!(run, cancel);
    let RunError::Failed(error) = ended.unwrap_err() else {
        panic!("not failed");
    };
    assert_eq!(error.kind(), durable::ErrorKind::Cancelled);
    assert_eq!(
        effects.all()[3..],
        ["undo car", "undo hotel", "undo flight"]
    );
    let execution = memory.get(&id("a")).await.unwrap();
    assert_eq!(execution.status, ExecutionStatus::Cancelled);
}

#[durable]
async fn stubborn(effects: &Effects) -> Result<(), BoxError> {
    let forever = Retry::fixed(Duration::from_secs(1)).attempts(2);
    step!(
        "paid",
        retry = forever,
        undo = |_done| Err::<(), _>(durable::fatal("the bank is closed")),
        note(effects, "paid").await
    )
    .await?;
    Err("no".into())
}

#[tokio::test(start_paused = true)]
async fn a_failed_undo_is_reported_by_name() {
    let effects = Effects::default();
    let run = durable::run(stubborn, "a", ()).clock(TokioClock::shared());
    let error = run
        .state(&effects)
        .store(MemoryStore::new())
        .await
        .unwrap_err();
    let text = error.to_string();
    assert!(text.contains("could not be undone: `paid/undo`"), "{text}");
    assert!(text.contains("the bank is closed"), "{text}");
}

#[durable]
async fn listens(effects: &Effects) -> Result<(), BoxError> {
    step!("long", |step| {
        step.cancelled().await;
        effects.note("was cancelled");
        Ok(())
    })
    .await?;
    effects.note("continued");
    step!("after", note(effects, "after").await).await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_running_body_learns_of_the_cancellation_and_its_outcome_is_recorded() {
    let (memory, effects) = (MemoryStore::new(), Effects::default());
    let client = Client::new(memory.clone());
    let run = durable::run(listens, "a", ()).clock(TokioClock::shared());
    let run = run.state(&effects).store(memory.clone()).into_future();
    let cancel = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        client.cancel(&id("a")).await.unwrap();
    };
    let (ended, ()) = tokio::join!(run, cancel);
    ended.unwrap_err();
    assert_eq!(effects.all(), ["was cancelled", "continued"]);
    let history = memory.history(&id("a")).await.unwrap();
    assert_eq!(history.len(), 1);
    assert_eq!(history[0].status, durable::Status::Succeeded);
}

#[durable]
async fn waits_for_child(effects: &Effects) -> Result<String, BoxError> {
    let child = invoke!("child", child(7)).await;
    effects.note(format!("{child:?}"));
    Ok(child?)
}

#[durable]
async fn child(effects: &Effects, n: u32) -> Result<String, BoxError> {
    wait!("hour", Duration::from_secs(3600)).await;
    Ok(step!("work", note(effects, &format!("child {n}")).await).await?)
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_child_is_an_error_of_its_parent() {
    let (memory, effects) = (MemoryStore::new(), Effects::default());
    let client = Client::new(memory.clone());
    let run = durable::run(waits_for_child, "a", ()).clock(TokioClock::shared());
    let run = run.state(&effects).store(memory.clone()).into_future();
    let cancel = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        let all = memory.list(Default::default()).await.unwrap();
        let child = all.iter().find(|execution| execution.parent.is_some());
        client.cancel(&child.unwrap().id).await.unwrap();
    };
    let (ended, ()) = tokio::join!(run, cancel);
    let text = ended.unwrap_err().to_string();
    assert!(text.contains("cancelled"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn cancelling_the_parent_cancels_the_child_it_waits_for() {
    let (memory, effects) = (MemoryStore::new(), Effects::default());
    let client = Client::new(memory.clone());
    let run = durable::run(waits_for_child, "a", ()).clock(TokioClock::shared());
    let run = run.state(&effects).store(memory.clone()).into_future();
    let cancel = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        client.cancel(&id("a")).await.unwrap();
    };
    let (ended, ()) = tokio::join!(run, cancel);
    ended.unwrap_err();
    let all = memory.list(Default::default()).await.unwrap();
    let statuses: Vec<_> = all.iter().map(|execution| execution.status).collect();
    assert_eq!(
        statuses,
        [ExecutionStatus::Cancelled, ExecutionStatus::Cancelled]
    );
}

#[tokio::test(start_paused = true)]
async fn a_child_is_started_exactly_once_despite_crashes() {
    for crash in (1..=8).flat_map(|n| [Crash::Before(n), Crash::After(n)]) {
        let (memory, effects) = (MemoryStore::new(), Effects::default());
        let probe = process(&memory, crash);
        let run = durable::run(waits_for_child, "a", ()).clock(TokioClock::shared());
        let run = run.state(&effects).store(probe.clone()).into_future();
        let first = probe.survive(run).await;
        drop(probe);
        if first.is_none() {
            let run = durable::run(waits_for_child, "a", ()).clock(TokioClock::shared());
            let run = run.state(&effects).store(process(&memory, Crash::Never));
            assert_eq!(run.await.unwrap(), "child 7", "{crash:?}");
        }
        let all = memory.list(Default::default()).await.unwrap();
        assert_eq!(all.len(), 2, "{crash:?}");
        assert!(effects.count("child 7") <= 2, "{crash:?}");
    }
}

#[durable]
async fn begins_after_cancel(effects: &Effects) -> Result<(), BoxError> {
    step!("long", |step| {
        step.cancelled().await;
        Ok(())
    })
    .await?;
    let answer = callback!("late", timeout = Duration::from_secs(9));
    effects.note(answer.id().await);
    let _: String = answer.await?;
    invoke!("child", child(1)).await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_execution_begins_no_operations() {
    let (memory, effects) = (MemoryStore::new(), Effects::default());
    let client = Client::new(memory.clone());
    let run = durable::run(begins_after_cancel, "a", ()).clock(TokioClock::shared());
    let run = run.state(&effects).store(memory.clone()).into_future();
    let cancel = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        client.cancel(&id("a")).await.unwrap();
    };
    let (ended, ()) = tokio::join!(run, cancel);
    ended.unwrap_err();
    assert_eq!(effects.all(), Vec::<String>::new());
    assert_eq!(memory.history(&id("a")).await.unwrap().len(), 1);
    assert_eq!(memory.list(Default::default()).await.unwrap().len(), 1);
}

#[durable]
async fn caller(_effects: &Effects, n: u32) -> Result<u32, BoxError> {
    Ok(call!(continues(n)).await?)
}

#[durable]
async fn continues(_effects: &Effects, n: u32) -> Result<u32, BoxError> {
    continue_as!(n + 1).await
}

#[tokio::test]
async fn a_called_function_cannot_end_its_callers_execution() {
    let effects = Effects::default();
    let run = durable::run(caller, "a", 1).state(&effects);
    let error = run.store(MemoryStore::new()).await.unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("`continues` was called within an execution of `caller`"),
        "{text}"
    );
}

#[durable]
async fn overtakes(effects: &Effects) -> Result<(), BoxError> {
    let slow = step!("slow", undo = |done| undo(effects, done).await, {
        tokio::time::sleep(Duration::from_secs(9)).await;
        note(effects, "slow").await
    });
    let quick = step!("quick", undo = |done| undo(effects, done).await, {
        note(effects, "quick").await
    });
    let (slow, quick) = tokio::join!(slow, quick);
    slow?;
    quick?;
    wait!("hour", Duration::from_secs(3600)).await;
    Err("no".into())
}

#[tokio::test(start_paused = true)]
async fn the_last_finished_step_is_undone_first_also_on_replay() {
    let effects = Effects::default();
    let run = durable::run(overtakes, "a", ()).clock(TokioClock::shared());
    let run = run.state(&effects).store(MemoryStore::new());
    run.await.unwrap_err();
    assert_eq!(effects.all(), ["quick", "slow", "undo slow", "undo quick"]);
}
