//! Every operation: its first run, its replay, and a crash around each of its checkpoints.

use std::sync::atomic::Ordering::SeqCst;

use durable::prelude::*;
use durable::store::{AdminStore, CallbackStore, MemoryStore};
use durable::testing::{TestRun, crash_everywhere};
use durable::{Completion, Durable, Handler, IntoHandler, Payload, Report, Timestamp};
use futures::future::join_all;

use crate::support::{Crash, Effects, Probe, TokioClock, process};

/// State of the handlers.
pub(crate) struct World {
    pub(crate) effects: Effects,
    pub(crate) memory: MemoryStore,
}

impl World {
    pub(crate) fn new() -> Self {
        let (effects, memory) = (Effects::default(), MemoryStore::new());
        Self { effects, memory }
    }

    /// A state on the store of a test run.
    fn of(world: &durable::testing::World) -> Self {
        let (effects, memory) = (Effects::default(), world.store());
        Self { effects, memory }
    }

    pub(crate) async fn note(&self, what: impl Into<String>) -> Result<String, std::io::Error> {
        let what = what.into();
        self.effects.note(what.clone());
        Ok(what)
    }

    /// Completes a callback, like an external party that may send the same answer twice.
    async fn answer(&self, id: &str, number: u32) -> Result<(), BoxError> {
        let outcome = Completion::Succeed(Payload::json(number.to_string()));
        let now = Timestamp::from_millis(1_800_000_000_000);
        let _ = self.memory.complete(&id.parse()?, outcome, now).await;
        Ok(())
    }
}

async fn run_on<F>(
    handler: F,
    world: &World,
    store: &std::sync::Arc<Probe>,
    suspend_after: bool,
) -> Option<Report<String>>
where
    F: IntoHandler,
    F::Handler: Handler<World> + Durable<Input = u32, Output = String>,
{
    let run = durable::run(handler, "a", 3)
        .clock(TokioClock::shared())
        .state(world);
    let run = run.store(store.clone());
    let run = if suspend_after {
        run
    } else {
        run.suspend_after(Duration::ZERO)
    };
    store.survive(run.report()).await
}

/// Runs `handler` undisturbed, then kills its process at every boundary. The output must be the same each time, and
/// recorded bodies must not run again.
async fn everywhere<F>(handler: F, output: &str, invocations: u64)
where
    F: IntoHandler + Copy,
    F::Handler: Handler<World> + Durable<Input = u32, Output = String>,
{
    let test = TestRun::new(handler);
    let world = World::of(&test.world());
    let run = test.state(&world).run("a", 3).await;
    assert_eq!(run.output().unwrap(), output);
    assert_eq!(run.invocations(), invocations, "undisturbed");
    assert!(run.drift().is_empty(), "{:?}", run.drift());
    assert!(run.warnings().is_empty(), "{:?}", run.warnings());
    crash_everywhere(handler, World::of, 3).await.unwrap();
    with_waits_in_memory(handler, output).await;
}

/// Does the same around each checkpoint with waits in memory, which the testing kit always suspends.
async fn with_waits_in_memory<F>(handler: F, output: &str)
where
    F: IntoHandler + Copy,
    F::Handler: Handler<World> + Durable<Input = u32, Output = String>,
{
    let undisturbed = World::new();
    let store = process(&undisturbed.memory, Crash::Never);
    run_on(handler, &undisturbed, &store, true).await.unwrap();
    for n in 1..=store.checkpoints.load(SeqCst) {
        for crash in [Crash::Before(n), Crash::After(n)] {
            let world = World::new();
            let died = run_on(handler, &world, &process(&world.memory, crash), true).await;
            assert!(died.is_none(), "{crash:?} did not crash");
            let store = process(&world.memory, Crash::Never);
            let report = run_on(handler, &world, &store, true).await.unwrap();
            assert_eq!(report.output.unwrap(), output, "{crash:?}");
            assert!(report.drift.is_empty(), "{crash:?}: {:?}", report.drift);
        }
    }
}

#[durable]
async fn polls(world: &World, most: u32) -> Result<String, BoxError> {
    let every = Duration::from_secs(30);
    let mut found = Vec::new();
    for round in 0..2 {
        let check = poll!("ready", key = round, every = every, state = 0, |seen| {
            world.note(format!("check {round} {seen}")).await?;
            Ok(if seen + 1 < most {
                ControlFlow::Continue(seen + 1)
            } else {
                ControlFlow::Break(format!("after {seen}"))
            })
        });
        found.push(check.await?);
    }
    let exhausted = poll!("never", every = every, attempts = 2, {
        Ok(ControlFlow::<(), ()>::Continue(()))
    });
    found.push(exhausted.await.unwrap_err().to_string());
    Ok(found.join(", "))
}

#[tokio::test(start_paused = true)]
async fn a_poll_carries_its_state() {
    let error = "`never` failed after 2 attempts: it was not satisfied after 2 checks";
    everywhere(polls, &format!("after 2, after 2, {error}"), 6).await;
}

#[durable]
async fn callbacks(world: &World, number: u32) -> Result<String, BoxError> {
    let first = callback!("first", submit = |id| world.answer(id, number).await);
    let first: u32 = first.await?;
    let second = callback!("second");
    let id = second.id().await;
    step!(world.answer(&id, 4).await).await?;
    let second: u32 = second.await?;
    let late: Result<u32, CallbackError> =
        callback!("late", timeout = Duration::from_secs(60)).await;
    let silent = callback!(
        "silent",
        heartbeat = Duration::from_secs(5),
        submit = |_id| Ok(())
    );
    let silent: Result<u32, CallbackError> = silent.await;
    Ok(format!(
        "{first} {second} {:?} {:?}",
        late.unwrap_err().kind(),
        silent.unwrap_err().kind()
    ))
}

#[tokio::test(start_paused = true)]
async fn a_callback_is_completed_or_times_out() {
    everywhere(callbacks, "3 4 TimedOut TimedOut", 3).await;
}

#[durable]
async fn child(world: &World, number: u32) -> Result<String, BoxError> {
    let noted = step!(world.note(format!("child {number}")).await).await?;
    wait!(Duration::from_secs(30)).await;
    if number > 9 {
        return Err(format!("{number} is too many").into());
    }
    Ok(noted)
}

#[durable]
async fn invokes(world: &World, number: u32) -> Result<String, BoxError> {
    let one = invoke!(child(number)).await?;
    let many = join_all((0..2).map(|n| invoke!("many", key = n, child(n)))).await;
    let many: Vec<String> = many.into_iter().collect::<Result<_, _>>()?;
    let failed = invoke!("failed", child(10)).await.unwrap_err();
    step!(world.note("done").await).await?;
    Ok(format!(
        "{one} {many:?} {}",
        failed.to_string().contains("10 is too many")
    ))
}

#[tokio::test(start_paused = true)]
async fn an_invoked_child_is_started_once() {
    everywhere(invokes, "child 3 [\"child 0\", \"child 1\"] true", 1).await;
}

#[durable]
async fn counts_down(world: &World, number: u32) -> Result<String, BoxError> {
    step!(world.note(format!("count {number}")).await).await?;
    if number == 0 {
        return Ok(execution!().id().to_string());
    }
    continue_as!(number - 1).await
}

#[tokio::test(start_paused = true)]
async fn a_chain_continues_with_an_empty_history() {
    everywhere(counts_down, "a~4", 4).await;
}

#[durable]
async fn maps(world: &World, number: u32) -> Result<String, BoxError> {
    let words: Vec<String> = (0..number).map(|n| format!("w{n}")).collect();
    let keyed = map!(
        "keyed",
        &words,
        key = |word| word,
        concurrency = 2,
        |word| {
            let noted = step!(world.note(format!("keyed {word}")).await).await?;
            wait!(Duration::from_secs(10)).await;
            step!("again", world.note(format!("again {noted}")).await).await
        }
    );
    let keyed = keyed.await.into_values()?;
    let flat = map!("flat", words, flat, |word| {
        let first = step!("first", world.note(format!("flat {word}")).await).await?;
        wait!(Duration::from_secs(5)).await;
        step!("second", world.note(format!("second {first}")).await).await
    });
    let flat = flat.await.into_values()?;
    let some = map!("some", 0..number, complete = Complete::fail_fast(), |n| {
        if n == 1 {
            return Err(format!("no {n}").into());
        }
        wait!(Duration::from_secs(600)).await;
        Ok::<u32, BoxError>(n)
    });
    let some = some.await;
    Ok(format!(
        "{keyed:?} {flat:?} {} {}",
        some.reason(),
        some.failed()
    ))
}

#[tokio::test(start_paused = true)]
async fn a_map_runs_each_item_in_its_own_scope() {
    let keyed = "[\"again keyed w0\", \"again keyed w1\", \"again keyed w2\"]";
    let flat = "[\"second flat w0\", \"second flat w1\", \"second flat w2\"]";
    everywhere(
        maps,
        &format!("{keyed} {flat} failure_tolerance_exceeded 1"),
        4,
    )
    .await;
}

#[durable]
async fn parallels(world: &World, number: u32) -> Result<String, BoxError> {
    let all = parallel!("all", concurrency = 1, {
        "mail" => {
            step!("send", world.note(format!("mail {number}")).await).await
        }
        "post" => {
            wait!(Duration::from_secs(60)).await;
            Ok(step!("send", world.note("post").await).await?)
        },
    });
    let all = all.await.into_values()?;
    let flat = parallel!("flat", flat, complete = Complete::first_success(), {
        "slow" => {
            step!("begin", world.note("slow").await).await?;
            wait!(Duration::from_secs(60)).await;
            step!("send", world.note("never").await).await
        },
        "fast" => { step!("send", world.note("fast").await).await },
    });
    let flat = flat.await;
    let fast: Vec<&String> = flat.values().collect();
    wait!(Duration::from_secs(90)).await;
    Ok(format!("{all:?} {fast:?} {}", flat.reason()))
}

#[tokio::test(start_paused = true)]
async fn parallel_branches_have_their_own_names() {
    everywhere(
        parallels,
        "[\"mail 3\", \"post\"] [\"fast\"] min_successful_reached",
        3,
    )
    .await;
}

#[durable]
async fn races(world: &World, number: u32) -> Result<String, BoxError> {
    let answer = callback!("answer");
    let slow = race!("slow", {
        "answer" => answer = answer => answer.unwrap_or(0),
        "late" => wait!(Duration::from_secs(60)) => {
            step!("reminded", world.note("reminded").await).await.map_or(0, |_| number)
        }
    });
    let slow: u32 = slow.await;
    let mut won = Vec::new();
    for round in 0..2 {
        let winner = race!("step", key = round, {
            "work" => work = step!(world.note(format!("work {round}")).await) => work,
            "chain" => chain = async {
                step!("before", world.note(format!("before {round}")).await).await?;
                wait!(Duration::from_secs(60)).await;
                step!("after", world.note("never").await).await
            } => chain,
        });
        won.push(winner.await?);
    }
    wait!(Duration::from_secs(90)).await;
    Ok(format!("{slow} {won:?}"))
}

#[tokio::test(start_paused = true)]
async fn a_race_has_the_winner_it_recorded() {
    everywhere(races, "3 [\"work 0\", \"work 1\"]", 3).await;
}

#[durable]
async fn in_batches(world: &World, number: u32) -> Result<String, BoxError> {
    let rows: Vec<u32> = (0..number * 10).collect();
    let sums = batches!("load", rows, max = 12, |batch| {
        world.note(format!("batch of {}", batch.len())).await?;
        Ok(batch.iter().sum::<u32>())
    });
    Ok(sums.await?.iter().sum::<u32>().to_string())
}

#[tokio::test(start_paused = true)]
async fn batches_cover_every_item_once() {
    everywhere(in_batches, "435", 1).await;
    let world = World::new();
    let undisturbed = process(&world.memory, Crash::Never);
    run_on(in_batches, &world, &undisturbed, false)
        .await
        .unwrap();
    let sizes = ["batch of 10", "batch of 12", "batch of 8"];
    assert_eq!(world.effects.all(), sizes);
}

#[durable]
async fn saga(world: &World, number: u32) -> Result<String, BoxError> {
    let room = step!(
        "room",
        undo = |room| world.note(format!("cancel {room}")).await.map(drop),
        { world.note(format!("room {number}")).await }
    );
    room.await?;
    scope!("inner", {
        let seat = step!(
            "seat",
            undo = |seat: String| {
                world.note(format!("cancel {seat}")).await?;
                Ok(())
            },
            { world.note("seat").await }
        );
        seat.await
    })
    .await?;
    let meals = map!("meals", 0..2, |n| {
        let name = format!("meal {n}");
        step!(
            undo = |meal| world.note(format!("cancel {meal}")).await.map(drop),
            world.note(name.clone()).await
        )
        .await
    });
    meals.await;
    wait!(Duration::from_secs(30)).await;
    Err("the airline is on strike".into())
}

#[tokio::test(start_paused = true)]
async fn finished_steps_are_undone_in_reverse() {
    let undone = [
        "cancel meal 1",
        "cancel meal 0",
        "cancel seat",
        "cancel room 3",
    ];
    let world = World::new();
    let store = process(&world.memory, Crash::Never);
    let suspend_after = run_on(saga, &world, &store, true).await.unwrap();
    suspend_after.output.unwrap_err();
    assert_eq!(world.effects.all()[4..], undone, "in one invocation");
    let world = World::new();
    let undisturbed = process(&world.memory, Crash::Never);
    let report = run_on(saga, &world, &undisturbed, false).await.unwrap();
    report.output.unwrap_err();
    let effects = world.effects.all();
    assert_eq!(effects[..4], ["room 3", "seat", "meal 0", "meal 1"]);
    assert_eq!(effects[4..], undone);
    let checkpoints = undisturbed.checkpoints.load(SeqCst);
    for n in 1..=checkpoints {
        for crash in [Crash::Before(n), Crash::After(n)] {
            let world = World::new();
            let probe = process(&world.memory, crash);
            assert!(run_on(saga, &world, &probe, false).await.is_none());
            drop(probe);
            let store = process(&world.memory, Crash::Never);
            run_on(saga, &world, &store, false)
                .await
                .unwrap()
                .output
                .unwrap_err();
            for what in undone {
                let count = world.effects.count(what);
                assert!(
                    (1..=2).contains(&count),
                    "{crash:?}: {what} ran {count} times"
                );
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn flat_branches_leave_no_record() {
    let world = World::new();
    let undisturbed = process(&world.memory, Crash::Never);
    run_on(maps, &world, &undisturbed, false).await.unwrap();
    let records = world.memory.history(&"a".parse().unwrap()).await.unwrap();
    let of = |name: &str| {
        records
            .iter()
            .find(|record| record.name == name)
            .unwrap()
            .id
    };
    let contents = |name: &str| {
        let contents = records.iter().filter(|record| record.parent == of(name));
        contents
            .map(|record| record.display_name())
            .collect::<Vec<_>>()
    };
    assert_eq!(contents("keyed"), ["item[w0]", "item[w1]", "item[w2]"]);
    let mut flat = contents("flat");
    flat.sort();
    assert_eq!(flat[..3], ["first", "first", "first"]);
    assert_eq!((flat.len(), &*flat[3], &*flat[6]), (9, "second", "wait"));
}
