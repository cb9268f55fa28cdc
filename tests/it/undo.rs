//! Undo bodies after a failure, a cancellation, a delay or a panic.

use durable::prelude::*;
use durable::store::{Capabilities, Durability, ExecutionStatus, ExecutionStore, MemoryStore};
use durable::{Client, Complete, ExecutionId};

use crate::support::{Effects, TokioClock};

fn id(text: &str) -> ExecutionId {
    text.parse().unwrap()
}

async fn note(effects: &Effects, what: &str) -> Result<String, String> {
    effects.note(what);
    Ok(what.to_owned())
}

async fn undo_on_second_attempt(effects: &Effects, what: String) -> Result<(), String> {
    effects.note(format!("undo {what}"));
    if effects.count(&format!("undo {what}")) < 2 {
        return Err("not now".into());
    }
    Ok(())
}

#[durable]
async fn failed_scope(effects: &Effects) -> Result<(), BoxError> {
    let booked = scope!("booking", {
        step!(
            "flight",
            undo = |done| undo_on_second_attempt(effects, done).await,
            note(effects, "flight").await
        )
        .await?;
        step!("hotel", retry = Retry::none(), Err::<(), _>("full")).await?;
        Ok(())
    });
    booked.await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn undo_in_a_failed_scope_is_retried() {
    let (memory, effects) = (MemoryStore::new(), Effects::default());
    let run = durable::run(failed_scope, "a", ()).clock(TokioClock::shared());
    let error = run.state(&effects).store(memory.clone()).await.unwrap_err();
    assert_eq!(
        effects.all(),
        ["flight", "undo flight", "undo flight"],
        "{error}"
    );
}

#[durable]
async fn failed_branch(effects: &Effects) -> Result<(), BoxError> {
    let booked = map!(
        "booking",
        ["x", "y"],
        key = |i| i,
        complete = Complete::fail_fast(),
        |item| {
            step!(
                "flight",
                undo = |done| undo_on_second_attempt(effects, done).await,
                note(effects, item).await
            )
            .await?;
            if item == "y" {
                wait!("long", Duration::from_secs(60)).await;
            }
            step!("hotel", retry = Retry::none(), Err::<(), _>("full")).await?;
            Ok(())
        }
    )
    .await;
    booked.into_values()?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn undo_in_failed_and_abandoned_branches_is_retried() {
    let (memory, effects) = (MemoryStore::new(), Effects::default());
    let run = durable::run(failed_branch, "a", ()).clock(TokioClock::shared());
    let error = run.state(&effects).store(memory.clone()).await.unwrap_err();
    assert_eq!(effects.count("undo x"), 2, "{error} {:?}", effects.all());
    assert_eq!(effects.count("undo y"), 2, "{error} {:?}", effects.all());
}

#[durable]
async fn waits_in_scope(effects: &Effects) -> Result<(), BoxError> {
    let booked = scope!("booking", {
        step!(
            "flight",
            undo = |done| undo(effects, done).await,
            note(effects, "flight").await
        )
        .await?;
        wait!("hour", Duration::from_secs(3600)).await;
        Ok(())
    });
    booked.await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn cancelling_in_a_scope_undoes_its_steps() {
    let (memory, effects) = (MemoryStore::new(), Effects::default());
    let client = Client::new(memory.clone());
    let run = durable::run(waits_in_scope, "a", ()).clock(TokioClock::shared());
    let run = run.state(&effects).store(memory.clone()).into_future();
    let cancel = async {
        tokio::time::sleep(Duration::from_secs(60)).await;
        client.cancel(&id("a")).await.unwrap();
    };
    let (ended, ()) = tokio::join!(run, cancel);
    ended.unwrap_err();
    assert_eq!(effects.all(), ["flight", "undo flight"]);
}

#[durable]
async fn lost_race(effects: &Effects) -> Result<(), BoxError> {
    race!("race", {
        "work" => async {
            let done = step!("flight", undo = |done| undo_on_second_attempt(effects, done).await, note(effects, "flight").await).await;
            wait!("long", Duration::from_secs(600)).await;
            done.map(|_| ())
        } => (),
        "late" => wait!("late", Duration::from_secs(60)) => (),
    }).await;
    Err("late".into())
}

#[tokio::test(start_paused = true)]
async fn undo_of_a_losing_arm_is_retried() {
    let (memory, effects) = (MemoryStore::new(), Effects::default());
    let run = durable::run(lost_race, "a", ()).clock(TokioClock::shared());
    let error = run.state(&effects).store(memory.clone()).await.unwrap_err();
    assert_eq!(
        effects.count("undo flight"),
        2,
        "{error} {:?}",
        effects.all()
    );
}

async fn undo(effects: &Effects, what: String) -> Result<(), String> {
    effects.note(format!("undo {what}"));
    Ok(())
}

#[durable]
async fn panics_itself(effects: &Effects) -> Result<(), BoxError> {
    step!(
        "flight",
        undo = |done| undo(effects, done).await,
        note(effects, "flight").await
    )
    .await?;
    let none: Option<u32> = effects.all().get(17).map(|_| 1);
    let _n: u32 = none.expect("a bug in the handler");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_the_handler_undoes_its_steps() {
    let effects = Effects::default();
    let run = durable::run(panics_itself, "a", ()).clock(TokioClock::shared());
    let error = run
        .state(&effects)
        .store(MemoryStore::new())
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("a bug in the handler"),
        "{error}"
    );
    assert_eq!(effects.all(), ["flight", "undo flight"]);
}

fn panics_once(effects: &Effects) -> u32 {
    effects.note("record");
    assert!(effects.count("record") > 1, "no entropy");
    7
}

#[durable]
async fn panicking_record(effects: &Effects) -> Result<u32, BoxError> {
    step!(
        "flight",
        undo = |done| undo_on_second_attempt(effects, done).await,
        note(effects, "flight").await
    )
    .await?;
    let n = record!("random", panics_once(effects)).await;
    step!("after", note(effects, "after").await).await?;
    Ok(n)
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_a_record_is_not_retried() {
    let effects = Effects::default();
    let run = durable::run(panicking_record, "a", ()).clock(TokioClock::shared());
    let output = run.state(&effects).store(MemoryStore::new()).await;
    assert_eq!(
        effects.all(),
        ["flight", "record", "undo flight", "undo flight"]
    );
    output.unwrap_err();
}

#[durable]
async fn too_much_to_return(effects: &Effects) -> Result<String, BoxError> {
    let done = step!(
        "flight",
        undo = |done| note(effects, &format!("undo {done}")).await.map(drop),
        note(effects, "flight").await
    )
    .await?;
    Ok(done.repeat(200))
}

#[tokio::test(start_paused = true)]
async fn an_output_over_the_limit_fails_and_undoes() {
    let limits = Capabilities::unlimited(Durability::Memory).with_max_value(1000);
    let (memory, effects) = (MemoryStore::with_capabilities(limits), Effects::default());
    let run = durable::run(too_much_to_return, "a", ()).clock(TokioClock::shared());
    let error = run.state(&effects).store(memory.clone()).await.unwrap_err();
    assert!(error.to_string().contains("1202 bytes"), "{error}");
    assert_eq!(effects.all(), ["flight", "undo flight"]);
    let execution = memory.get(&id("a")).await.unwrap();
    assert_eq!(execution.status, ExecutionStatus::Failed);
}
