//! Complete results of maps, on stores that do not keep the contents of finished scopes.

use durable::prelude::*;
use durable::store::{AdminStore, Capabilities, Durability, MemoryStore};
use durable::{Codec, Text};

use std::sync::Arc;

use crate::operations::World;
use crate::options::Line;
use crate::support::{Crash, Probe, TokioClock};

/// Runs `handler` without waits in memory, on such a store with this limit.
macro_rules! forgetful {
    ($handler:expr, $world:expr, $limit:expr) => {{
        let limits = Capabilities::unlimited(Durability::Memory).with_max_value($limit);
        let memory = MemoryStore::with_capabilities(limits);
        let run = durable::run($handler, "a", ()).clock(TokioClock::shared());
        let run = run
            .state(&$world)
            .store(Probe::forgetful(Arc::new(memory.clone())));
        let report = run.suspend_after(Duration::ZERO).report().await;
        assert_eq!(report.drift, []);
        (report, memory)
    }};
}

async fn value(memory: &MemoryStore, name: &str) -> Option<(String, String)> {
    let history = memory.history(&"a".parse().unwrap()).await.unwrap();
    let record = history.iter().find(|record| record.name == name).unwrap();
    let payload = record.payload.as_ref()?;
    let text = String::from_utf8(payload.data.to_vec()).unwrap();
    Some((payload.codec.to_string(), text))
}

/// Describes the result of a map.
fn describe<T: std::fmt::Debug>(result: &BatchResult<T>) -> String {
    let branches = result.branches().iter().map(|branch| match branch {
        BranchOutcome::Succeeded(value) => format!("{value:?}"),
        BranchOutcome::Failed(error) => error.message().to_owned(),
        BranchOutcome::Abandoned => "abandoned".to_owned(),
        BranchOutcome::NotStarted => "not started".to_owned(),
    });
    let branches: Vec<String> = branches.collect();
    format!("{} {}", result.reason(), branches.join(" "))
}

#[durable]
async fn maps(world: &World) -> Result<Vec<String>, BoxError> {
    let replays = world.effects.count("replay");
    world.effects.note("replay");
    // A different order and a new item after the map has finished.
    let items: &[&str] = match replays {
        0 | 1 => &["a", "b", "c", "d"],
        _ => &["e", "d", "b", "a", "c"],
    };
    let enough = Complete::all().min_successful(2).tolerated_failures(1);
    let map = map!(
        "map",
        items,
        key = |item| item,
        concurrency = 3,
        complete = enough,
        |item| {
            match *item {
                "a" => wait!(1.hours()).await,
                "b" => return Err("no b".into()),
                _ => {}
            }
            Ok(step!(world.note(*item).await).await?)
        }
    );
    let map = map.await;
    let flat = map!("flat", [1.5, 2.0], flat, codec = Halves, |number| {
        wait!(key = number.to_string(), 1.hours()).await;
        Ok(number)
    });
    let flat = flat.await;
    let both = parallel!("both", codec = Text, {
        "mail" => { Ok(step!("send", world.note("\"mail\"").await).await?) }
        "post" => { Ok("1".to_owned()) }
    });
    let both = both.await;
    wait!("last", 1.hours()).await;
    Ok(vec![describe(&map), describe(&flat), describe(&both)])
}

/// Writes numbers as halves, in words.
struct Halves;

impl Codec<f64> for Halves {
    fn name(&self) -> &'static str {
        "halves"
    }
    fn encode(&self, value: &f64) -> Result<Vec<u8>, BoxError> {
        Ok(format!("{} halves", value * 2.0).into_bytes())
    }
    fn decode(&self, bytes: &[u8]) -> Result<f64, BoxError> {
        let text = std::str::from_utf8(bytes)?;
        Ok(text.trim_end_matches(" halves").parse::<f64>()? / 2.0)
    }
}

#[tokio::test(start_paused = true)]
async fn a_finished_map_returns_its_recorded_result() {
    let world = World::new();
    let (report, memory) = forgetful!(maps, world, 10_000);
    let output = report.output.unwrap();
    // The last run saw the list in a different order.
    let map = "min_successful_reached not started \"d\" no b abandoned \"c\"";
    assert_eq!(
        output,
        [
            map,
            "all_completed 1.5 2.0",
            "all_completed \"\\\"mail\\\"\" \"1\""
        ]
    );
    for name in ["c", "d", "\"mail\""] {
        assert_eq!(world.effects.count(name), 1, "{name}");
    }
    assert_eq!(
        world.effects.count("a") + world.effects.count("e"),
        0,
        "nothing runs again"
    );
    let (codec, text) = value(&memory, "map").await.unwrap();
    assert_eq!(codec, "batch");
    let map: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(map["completionReason"], "MIN_SUCCESSFUL_REACHED");
    let a = serde_json::json!({"index": 0, "key": "a", "status": "STARTED"});
    let c = serde_json::json!({"index": 2, "key": "c", "status": "SUCCEEDED", "result": "c"});
    assert_eq!((&map["all"][0], &map["all"][2]), (&a, &c));
    assert_eq!(map["all"][1]["status"], "FAILED");
    assert_eq!(map["all"][1]["error"]["message"], "no b");
    let (_, flat) = value(&memory, "flat").await.unwrap();
    let item = r#"{"index":0,"key":"0","status":"SUCCEEDED","codec":"halves","result":"3 halves"}"#;
    assert!(flat.contains(item), "{flat}");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_keeps_children_stores_a_summary() {
    let world = World::new();
    let run = durable::run(maps, "a", ()).clock(TokioClock::shared());
    let run = run.state(&world).store(world.memory.clone());
    run.suspend_after(Duration::ZERO).await.unwrap();
    let (codec, text) = value(&world.memory, "map").await.unwrap();
    assert_eq!(codec, "batch-summary");
    let ended = r#""ended":["b","c","d"]"#;
    assert!(text.contains(ended), "{text}");
}

#[durable]
async fn large(world: &World) -> Result<(usize, usize), BoxError> {
    let sizes = map!("plain", 0..3, |n| {
        Ok(step!(world.note(n.to_string().repeat(90)).await).await?)
    });
    let sizes = sizes.await;
    let line = map!("line", 0..3, result_codec = Line, |n| {
        Ok(step!(world.note(n.to_string().repeat(80)).await).await?)
    });
    let line = line.await;
    wait!(1.hours()).await;
    let sizes = sizes.values().map(String::len).sum();
    Ok((sizes, line.into_values()?.len()))
}

#[tokio::test(start_paused = true)]
async fn a_result_over_the_limit_is_rebuilt_from_its_branches() {
    let world = World::new();
    let (report, memory) = forgetful!(large, world, 200);
    assert_eq!(report.output.unwrap(), (270, 3));
    assert_eq!(report.invocations, 2);
    assert_eq!(world.effects.all().len(), 6, "each ran once");
    for name in ["plain", "line"] {
        assert_eq!(value(&memory, name).await.unwrap().0, "batch-summary");
    }
}

#[durable]
async fn rooms(world: &World) -> Result<u32, BoxError> {
    let room = step!(
        undo = |room: String| world.note(format!("cancel {room}")).await.map(drop),
        world.note("room").await
    );
    Ok(room.await?.len() as u32)
}

#[durable]
async fn books(world: &World) -> Result<(), BoxError> {
    let called = call!(rooms()).await?;
    let scope = scope!("scope", {
        let seat = step!(
            "seat",
            undo = |seat: String| world.note(format!("cancel {seat}")).await.map(drop),
            world.note("seat").await
        );
        seat.await?;
        Err::<(), _>("no window".into())
    });
    let scope = scope.await.unwrap_err();
    let meals = map!("meals", ["soup", "cake"], result_codec = Line, |meal| {
        let name = step!(
            undo = |meal: String| world.note(format!("cancel {meal}")).await.map(drop),
            world.note(meal).await
        );
        Ok(name.await?)
    });
    let meals = meals.await.into_values()?;
    wait!(1.hours()).await;
    let text = format!("{called} {} {}", scope.message(), meals.join(" "));
    // Noted on every replay.
    #[durable(allow(D022))]
    world.note(text).await?;
    wait!("again", 1.hours()).await;
    Err("no plane".into())
}

#[tokio::test(start_paused = true)]
async fn contents_with_undo_are_kept() {
    let world = World::new();
    let (report, memory) = forgetful!(books, world, 10_000);
    report.output.unwrap_err();
    let effects = world.effects.all();
    assert_eq!(effects[..4], ["room", "seat", "soup", "cake"]);
    assert_eq!(effects[4], "4 no window soup cake");
    assert_eq!(
        effects[effects.len() - 4..],
        ["cancel cake", "cancel soup", "cancel seat", "cancel room"]
    );
    for name in ["rooms", "scope", "item"] {
        assert_eq!(value(&memory, name).await, None, "{name}");
    }
    assert_eq!(value(&memory, "meals").await.unwrap().0, "batch-summary");
}

#[durable]
async fn calls(world: &World) -> Result<u32, BoxError> {
    let one = call!(rooms()).await?;
    let two = scope!("plain", {
        Ok(step!(world.note("once").await).await?.len() as u32)
    })
    .await?;
    let race = race!("race", {
        "left" => left = step!("left", world.note("left").await) => left,
        "right" => wait!(1.minutes()) => Ok(String::new()),
    });
    let three = race.await?.len() as u32;
    wait!(1.hours()).await;
    Ok(one + two + three)
}

#[tokio::test(start_paused = true)]
async fn finished_races_and_scopes_do_not_run_again() {
    let world = World::new();
    let (report, _) = forgetful!(calls, world, 10_000);
    assert_eq!(report.output.unwrap(), 12);
    assert_eq!(report.invocations, 2);
    assert_eq!(world.effects.all(), ["room", "once", "left"]);
}

#[durable]
async fn slowly(world: &World) -> Result<Vec<String>, BoxError> {
    let map = map!("map", ["quick", "slow"], |item| {
        if item == "slow" {
            wait!(1.hours()).await;
        }
        Ok(step!(world.note(item).await).await?)
    });
    let values = map.await.into_values()?;
    wait!("after", 1.hours()).await;
    Ok(values)
}

mod later {
    use super::*;

    /// The same handler with an undo body.
    #[durable(name = "slowly")]
    pub(super) async fn undoes(world: &World) -> Result<Vec<String>, BoxError> {
        let map = map!("map", ["quick", "slow"], |item| {
            let noted = step!(
                undo = |_noted| world.note("undone").await.map(drop),
                world.note(item).await
            );
            Ok(noted.await?)
        });
        let values = map.await.into_values()?;
        step!("end", world.note(values.join(" ")).await).await?;
        Err("and yet".into())
    }
}

#[tokio::test(start_paused = true)]
async fn items_of_earlier_invocations_are_in_the_result() {
    let world = World::new();
    let (report, memory) = forgetful!(slowly, world, 10_000);
    assert_eq!(report.output.unwrap(), ["quick", "slow"]);
    assert_eq!(report.invocations, 3);
    assert_eq!(world.effects.all(), ["quick", "slow"]);
    let (codec, text) = value(&memory, "map").await.unwrap();
    assert_eq!(codec, "batch");
    assert!(text.contains(r#""result":"quick""#), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_recorded_result_ignores_an_undo_body_added_later() {
    let world = World::new();
    let forgetful = |crash| Probe::forgetful_until(Arc::new(world.memory.clone()), crash);
    let clock = TokioClock::shared();
    let first = forgetful(Crash::After(6));
    let run = durable::run(slowly, "a", ())
        .clock(clock.clone())
        .state(&world);
    let run = run.store(first.clone()).suspend_after(Duration::ZERO);
    assert!(first.survive(run.report()).await.is_none());
    assert_eq!(value(&world.memory, "map").await.unwrap().0, "batch");
    drop(first);
    let run = durable::run(later::undoes, "a", ())
        .clock(clock)
        .state(&world);
    let run = run.store(forgetful(Crash::Never));
    run.await.unwrap_err();
    assert_eq!(world.effects.all(), ["quick", "slow", "quick slow"]);
}
