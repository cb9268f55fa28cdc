//! Branches, races and undo bodies with changing lists, large results and cancellation.

use durable::prelude::*;
use durable::store::{AdminStore, Capabilities, Durability, ExecutionStore, MemoryStore};
use durable::{RunError, Status, Timestamp};

use crate::operations::World;
use crate::support::TokioClock;

/// Maps over a list that differs in the second invocation.
#[durable]
async fn listed(world: &World) -> Result<Vec<String>, BoxError> {
    let list: &[&str] = match world.effects.all().len() {
        0 => &["a", "b", "c"],
        _ => &["d", "c", "a", "b"],
    };
    let done = map!("list", list, key = |item| item, concurrency = 1, |item| {
        let noted = step!(world.note(*item).await).await?;
        if *item == "c" {
            wait!(Duration::from_secs(60)).await;
        }
        Ok(noted)
    });
    Ok(done.await.into_values()?)
}

#[tokio::test(start_paused = true)]
async fn a_reordered_list_uses_the_right_records() {
    let world = World::new();
    let run = durable::run(listed, "a", ())
        .clock(TokioClock::shared())
        .state(&world);
    let output = run
        .store(world.memory.clone())
        .suspend_after(Duration::ZERO)
        .await
        .unwrap();
    assert_eq!(output, ["d", "c", "a", "b"]);
    assert_eq!(world.effects.all(), ["a", "b", "c", "d"], "each ran once");
}

#[durable]
async fn large(world: &World) -> Result<usize, BoxError> {
    let texts = map!("texts", 0..3, |n| {
        let part = step!("part", world.note("x".repeat(100)).await).await?;
        let again = step!("again", world.note("y".repeat(100)).await).await?;
        Ok(format!("{n}{part}{again}"))
    });
    let texts = texts.await.into_values()?;
    let error = step!("large", world.note("z".repeat(300)).await)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    wait!(Duration::from_secs(60)).await;
    Ok(texts.iter().map(String::len).sum())
}

#[tokio::test(start_paused = true)]
async fn a_result_over_the_limit_is_rebuilt_from_its_parts() {
    let world = World::new();
    let limits = Capabilities::unlimited(Durability::Memory).with_max_value(150);
    let run = durable::run(large, "a", ())
        .clock(TokioClock::shared())
        .state(&world);
    let report = run
        .store(MemoryStore::with_capabilities(limits))
        .suspend_after(Duration::ZERO)
        .report()
        .await;
    assert_eq!(report.output.unwrap(), 3 * 201);
    assert_eq!(report.invocations, 2);
    assert_eq!(world.effects.all().len(), 7);
}

#[durable]
async fn swapped(world: &World) -> Result<String, BoxError> {
    let first = |wait: u64| {
        Duration::from_secs(if world.effects.all().is_empty() {
            wait
        } else {
            31 - wait
        })
    };
    let won = race!("race", {
        "quick" => wait!("one", first(1)) => step!("quick", world.note("quick").await).await,
        "slow" => wait!("two", first(30)) => step!("slow", world.note("slow").await).await,
    });
    let won = won.await?;
    wait!(Duration::from_secs(100)).await;
    Ok(won)
}

#[tokio::test(start_paused = true)]
async fn a_race_keeps_its_winner_and_cancels_the_other_timer() {
    let world = World::new();
    let run = durable::run(swapped, "a", ())
        .clock(TokioClock::shared())
        .state(&world);
    let report = run
        .store(world.memory.clone())
        .suspend_after(Duration::ZERO)
        .report()
        .await;
    assert_eq!(report.output.unwrap(), "quick");
    assert!(report.drift.is_empty(), "{:?}", report.drift);
    assert_eq!(world.effects.all(), ["quick"]);
    let records = world.memory.history(&"a".parse().unwrap()).await.unwrap();
    let of = |name: &str| records.iter().find(|record| record.name == name).unwrap();
    assert_eq!(
        (of("one").status, of("two").status),
        (Status::Succeeded, Status::Cancelled)
    );
}

#[durable]
async fn books(world: &World) -> Result<(), BoxError> {
    let room = step!(
        "room",
        undo = |room| {
            world.note(format!("cancel {room}")).await?;
            Err(fatal("the hotel does not answer").into())
        },
        world.note("room").await
    );
    room.await?;
    scope!("trip", { Ok(call!(flight()).await?) }).await?;
    let now = Timestamp::from_millis(1_800_000_000_000);
    step!(
        "cancelled meanwhile",
        world.memory.cancel(execution!().id(), now).await
    )
    .await?;
    wait!(Duration::from_secs(60)).await;
    step!("never", world.note("never").await).await?;
    Ok(())
}

#[durable]
async fn flight(world: &World) -> Result<(), BoxError> {
    step!(
        "seat",
        undo = |seat| world.note(format!("cancel {seat}")).await.map(drop),
        world.note("seat").await
    )
    .await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_execution_undoes_its_steps_and_reports_failed_undos() {
    for suspend_after in [Duration::ZERO, Duration::from_secs(600)] {
        let world = World::new();
        let run = durable::run(books, "a", ())
            .clock(TokioClock::shared())
            .state(&world);
        let outcome = run
            .store(world.memory.clone())
            .suspend_after(suspend_after)
            .await;
        let Err(RunError::Failed(error)) = outcome else {
            panic!("{outcome:?}");
        };
        assert_eq!(error.kind(), ErrorKind::Cancelled, "{error}");
        assert!(
            format!("{error:?} {error}").contains("the hotel does not answer"),
            "{error:?}"
        );
        let effects = world.effects.all();
        assert_eq!(effects, ["room", "seat", "cancel seat", "cancel room"]);
    }
}
