//! Codecs and labels per operation, and functions that `invoke!` names at run time.

use durable::prelude::*;
use durable::store::{
    AdminStore, CallbackStore, Capabilities, Durability, ExecutionStore, MemoryStore,
};
use durable::{Codec, Completion, Kind, Payload, Record, Text};

use crate::operations::World;
use crate::support::{Crash, TokioClock, process};

/// Writes text in capitals, which is not JSON.
struct Shout;

impl Codec<String> for Shout {
    fn name(&self) -> &'static str {
        "shout"
    }
    fn encode(&self, value: &String) -> Result<Vec<u8>, BoxError> {
        Ok(format!("~{}", value.to_uppercase()).into_bytes())
    }
    fn decode(&self, bytes: &[u8]) -> Result<String, BoxError> {
        let text = std::str::from_utf8(bytes)?;
        Ok(text.trim_start_matches('~').to_uppercase())
    }
}

/// Writes the values of a result in one line.
pub(crate) struct Line;

impl Codec<BatchResult<String>> for Line {
    fn name(&self) -> &'static str {
        "line"
    }
    fn encode(&self, result: &BatchResult<String>) -> Result<Vec<u8>, BoxError> {
        let values: Vec<&str> = result.values().map(String::as_str).collect();
        Ok(format!("LINE:{}", values.join(",")).into_bytes())
    }
    fn decode(&self, bytes: &[u8]) -> Result<BatchResult<String>, BoxError> {
        let line = std::str::from_utf8(bytes)?.replace("LINE:", "");
        Ok(BatchResult::of_values(line.split(',').map(str::to_owned)))
    }
}

async fn history(world: &World) -> Vec<Record> {
    world.memory.history(&"a".parse().unwrap()).await.unwrap()
}

fn of<'a>(history: &'a [Record], name: &str) -> &'a Record {
    history.iter().find(|record| record.name == name).unwrap()
}

/// The codec and the text of a recorded value.
fn value<'a>(history: &'a [Record], name: &str) -> (&'a str, &'a str) {
    let payload = of(history, name).payload.as_ref().unwrap();
    (&payload.codec, std::str::from_utf8(&payload.data).unwrap())
}

#[durable]
async fn called(text: String) -> Result<String, BoxError> {
    Ok(text)
}

#[durable]
async fn encodes(world: &World) -> Result<Vec<String>, BoxError> {
    let scope = scope!("scope", codec = Text, { Ok("as \"it\" is".to_owned()) }).await?;
    let poll = poll!(
        "poll",
        every = 1.minutes(),
        state = "x".to_owned(),
        codec = Text,
        state_codec = Shout,
        |seen| {
            world.note(format!("saw {seen}")).await?;
            Ok(match seen.len() {
                3 => ControlFlow::Break(seen),
                _ => ControlFlow::Continue(seen + "y"),
            })
        }
    );
    let poll = poll.await?;
    let map = map!(
        "map",
        ["x", "y"],
        codec = Shout,
        result_codec = Line,
        |item| {
            world.note(item).await?;
            Ok(item.to_owned())
        }
    );
    let map = map.await.into_values()?;
    let called = call!(codec = Shout, called("z".to_owned())).await?;
    wait!(1.hours()).await;
    Ok([vec![scope, poll, called], map].concat())
}

#[tokio::test(start_paused = true)]
async fn each_operation_can_have_its_own_codecs() {
    let world = World::new();
    let run = durable::run(encodes, "a", ()).clock(TokioClock::shared());
    let run = run.state(&world).store(world.memory.clone());
    let report = run.suspend_after(Duration::ZERO).report().await;
    assert_eq!(report.invocations, 4, "two checks and an hour");
    assert_eq!(
        report.output.unwrap(),
        ["as \"it\" is", "XYY", "Z", "X", "Y"]
    );
    let effects = ["saw x", "saw XY", "saw XYY", "x", "y"];
    assert_eq!(
        world.effects.all(),
        effects,
        "the state goes through its codec"
    );
    let history = history(&world).await;
    assert_eq!(value(&history, "scope"), ("text", "as \"it\" is"));
    assert_eq!(value(&history, "poll"), ("text", "XYY"));
    assert_eq!(value(&history, "called"), ("shout", "~Z"));
    assert_eq!(value(&history, "item"), ("shout", "~X"));
    assert_eq!(value(&history, "map"), ("line", "LINE:X,Y"));
}

#[durable]
async fn forgotten_codec(_world: &World) -> Result<usize, BoxError> {
    let map = map!("map", ["x"], result_codec = Line, |item| {
        Ok(item.to_owned())
    });
    let first = map.await.succeeded();
    wait!(1.hours()).await;
    Ok(first)
}

mod later {
    use super::*;

    #[durable]
    pub(super) async fn forgotten_codec(_world: &World) -> Result<usize, BoxError> {
        let map = map!("map", ["x"], |item| { Ok(item.to_owned()) });
        Ok(map.await.succeeded())
    }
}

#[tokio::test(start_paused = true)]
async fn a_result_blocks_without_the_codec_that_wrote_it() {
    let world = World::new();
    let first = process(&world.memory, Crash::After(2));
    let run = durable::run(forgotten_codec, "a", ()).clock(TokioClock::shared());
    let died = first.survive(run.state(&world).store(first.clone()).report());
    assert!(died.await.is_none());
    drop(first);
    let run = durable::run(later::forgotten_codec, "a", ()).state(&world);
    let error = run.store(world.memory.clone()).await.unwrap_err();
    let text = error.to_string();
    let remedy = "use the `result_codec` named `line` again";
    assert!(text.contains("blocked") && text.contains(remedy), "{text}");
}

#[durable]
async fn waits_for_answers(
    world: &World,
    answer: Option<String>,
) -> Result<(String, Option<u32>), BoxError> {
    let raw = callback!("raw", codec = Text);
    let id = raw.id().await;
    step!("answer", complete(world, &id, answer.as_deref()).await).await?;
    let none = callback!("none", submit = |id| complete(world, id, None).await);
    Ok((raw.await?, none.await?))
}

async fn complete(world: &World, id: &str, answer: Option<&str>) -> Result<(), BoxError> {
    let payload = Payload {
        codec: "".into(),
        data: answer.unwrap_or_default().to_owned().into(),
    };
    let now = durable::Timestamp::from_millis(1_800_000_000_000);
    let outcome = Completion::Succeed(payload);
    Ok(world.memory.complete(&id.parse()?, outcome, now).await?)
}

#[tokio::test(start_paused = true)]
async fn a_callback_can_be_completed_with_any_text_or_nothing() {
    for answer in [Some("{\"approved\": true}"), Some("yes"), None] {
        let world = World::new();
        let given = answer.map(str::to_owned);
        let run = durable::run(waits_for_answers, "a", given).clock(TokioClock::shared());
        let output = run.state(&world).store(world.memory.clone()).await.unwrap();
        assert_eq!(output, (answer.unwrap_or_default().to_owned(), None));
    }
}

#[durable]
async fn labels(_world: &World) -> Result<(), BoxError> {
    let items = ["a.csv", "b.csv"];
    let map = map!(
        "files",
        items,
        key = |file| file,
        label = format!("{} files", items.len()),
        item_label = |file| format!("file {file}"),
        |file| { step!("parse", Ok::<_, String>(file.len())).await }
    );
    map.await.into_values()?;
    let flat = map!("flat", items, flat, item_label = |file| file, |file| {
        step!("parse", key = file, Err::<(), _>("no".to_owned())).await
    });
    let error = flat.await.into_values().unwrap_err();
    Err(error.into())
}

#[tokio::test(start_paused = true)]
async fn a_map_and_its_items_have_labels() {
    let world = World::new();
    let run = durable::run(labels, "a", ()).clock(TokioClock::shared());
    let error = run
        .state(&world)
        .store(world.memory.clone())
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("`flat/a.csv/parse[a.csv]`"),
        "{error}"
    );
    let history = history(&world).await;
    let names: Vec<String> = history.iter().map(Record::display_name).collect();
    assert_eq!(names[..3], ["2 files", "file a.csv", "parse"]);
    assert!(names.contains(&"file b.csv".to_owned()));
    assert_eq!(
        &*of(&history, "item").name,
        "item",
        "labels are not part of the identity"
    );
}

#[durable]
async fn target(number: u32) -> Result<String, BoxError> {
    Ok(format!("ran {number}"))
}

/// Writes the input multiplied by ten, to show which codec wrote it.
struct Quoted;

impl Codec<u32> for Quoted {
    fn name(&self) -> &'static str {
        "quoted"
    }
    fn encode(&self, value: &u32) -> Result<Vec<u8>, BoxError> {
        Ok((value * 10).to_string().into_bytes())
    }
    fn decode(&self, _bytes: &[u8]) -> Result<u32, BoxError> {
        Err("never read here".into())
    }
}

#[durable]
async fn invokes(world: &World, prefix: String) -> Result<String, BoxError> {
    let tenant: Result<String, InvokeError> =
        invoke!("tenant", function = "target", tenant = prefix.as_str(), 1).await;
    let tenant = tenant.unwrap_err();
    // Noted on every replay.
    #[durable(allow(D022))]
    world.note(tenant.to_string()).await?;
    let typed = invoke!(input_codec = Quoted, codec = Text, target(4)).await?;
    let far = invoke!(
        "far",
        function = format!("{prefix}:far"),
        input_codec = Quoted,
        7
    );
    let race = race!("race", {
        "far" => far = far => far,
        "late" => wait!(1.minutes()) => Ok(typed),
    });
    Ok(race.await?)
}

#[tokio::test(start_paused = true)]
async fn an_invoke_names_its_function_at_run_time() {
    let world = World::new();
    let run = durable::run(invokes, "a", "live".to_owned()).clock(TokioClock::shared());
    let output = run.state(&world).store(world.memory.clone()).await.unwrap();
    assert_eq!(
        output, "\"ran 40\"",
        "the result as the other side wrote it"
    );
    let refused =
        "`tenant` failed: this store does not support tenants: leave out the option `tenant`";
    assert_eq!(world.effects.all(), [refused]);
    let history = history(&world).await;
    assert!(history.iter().all(|record| record.name != "tenant"));
    let child = of(&history, "far").handle.as_deref().unwrap();
    let child = world.memory.get(&child.parse().unwrap()).await.unwrap();
    assert_eq!(
        (&*child.handler, &*child.input.data),
        ("live:far", &b"70"[..])
    );
    assert_eq!(child.input.codec, "quoted");
}

#[durable]
async fn sends(_world: &World, text: String) -> Result<String, BoxError> {
    let sent: Result<String, InvokeError> = invoke!("far", "far", text).await;
    Ok(sent.unwrap_err().to_string())
}

#[tokio::test(start_paused = true)]
async fn an_input_over_the_limit_fails_the_invoke_alone() {
    let world = World::new();
    let mut limits = Capabilities::unlimited(Durability::Memory);
    limits.max_input = 10;
    let run = durable::run(sends, "a", "0123456789".to_owned()).state(&world);
    let store = MemoryStore::with_capabilities(limits);
    let error = run.store(store).await.unwrap();
    let expected = "`far` is too large: its input of 12 bytes is over the store's limit of 10";
    assert!(error.starts_with(expected), "{error}");
}

#[durable]
async fn waits(world: &World) -> Result<Vec<String>, BoxError> {
    let mut kinds = Vec::new();
    let late: Result<u32, _> = callback!(
        "late",
        timeout = 5.seconds(),
        submit = |id| {
            world.note(format!("asked {}", id.is_empty())).await?;
            Ok(())
        }
    )
    .await;
    let late = late.unwrap_err();
    let unsent = callback!(
        "unsent",
        retry = Retry::none(),
        submit = |_id| Err::<(), _>("no mail")
    );
    let unsent: Result<u32, _> = unsent.await;
    let unsent = unsent.unwrap_err();
    let failed: Result<u32, _> = callback!("failed", submit = |id| fails(world, id).await).await;
    let failed = failed.unwrap_err();
    for error in [late, unsent, failed] {
        kinds.push(format!(
            "{:?} {error} ({})",
            error.kind(),
            error.type_name()
        ));
    }
    wait!(1.hours()).await;
    Ok(kinds)
}

async fn fails(world: &World, id: &str) -> Result<(), BoxError> {
    let error = durable::OperationError::new("manager", ErrorKind::Failed, "not approved");
    let now = durable::Timestamp::from_millis(1_800_000_000_000);
    let outcome = Completion::Fail(error);
    Ok(world.memory.complete(&id.parse()?, outcome, now).await?)
}

#[tokio::test(start_paused = true)]
async fn a_callback_with_submit_is_a_scope_with_its_step() {
    for forgets in [false, true] {
        let world = World::new();
        let store = std::sync::Arc::new(world.memory.clone());
        let probe = match forgets {
            false => crate::support::Probe::new(store, Crash::Never),
            true => crate::support::Probe::forgetful(store),
        };
        let run = durable::run(waits, "a", ()).clock(TokioClock::shared());
        let run = run.state(&world).store(probe.clone());
        let report = run.suspend_after(Duration::ZERO).report().await;
        assert_eq!(report.drift, []);
        let errors = report.output.unwrap();
        assert_eq!(
            errors[0],
            "TimedOut `late` timed out: it was not completed in time ()"
        );
        assert!(
            errors[1].starts_with("Failed `unsent/submit` failed: no mail"),
            "{errors:?}"
        );
        assert!(
            errors[2].contains("`failed` failed: not approved"),
            "{errors:?}"
        );
        assert_eq!(world.effects.all(), ["asked false"]);
        let history = history(&world).await;
        let shape: Vec<_> = history
            .iter()
            .map(|record| (record.kind, &*record.name))
            .collect();
        let scope = |name| {
            [
                (Kind::WaitForCallback, name),
                (Kind::Callback, "callback"),
                (Kind::Step, "submit"),
            ]
        };
        assert_eq!(
            shape[..9],
            [scope("late"), scope("unsent"), scope("failed")].concat()
        );
        assert_eq!(
            (history[1].parent, history[2].parent),
            (history[0].id, history[0].id)
        );
        let error = history[0].error.as_ref().unwrap();
        assert_eq!(
            (error.kind(), error.operation()),
            (ErrorKind::TimedOut, "late")
        );
        let first = &probe.batches.lock().unwrap()[0];
        let first: Vec<_> = first.records.iter().map(|record| record.kind).collect();
        assert_eq!(
            first[..2],
            [Kind::WaitForCallback, Kind::Callback],
            "one write"
        );
    }
}

/// Evaluates callbacks before it awaits them.
#[durable]
async fn early(world: &World) -> Result<u32, BoxError> {
    let one = callback!("one", submit = |id| complete(world, id, Some("1")).await);
    let other = callback!("other", submit = |id| complete(world, id, Some("2")).await);
    step!("before", world.note("before").await).await?;
    let other: u32 = other.await?;
    let one: u32 = one.await?;
    Ok(one * 10 + other)
}

#[tokio::test(start_paused = true)]
async fn a_callback_with_submit_begins_where_it_is_evaluated() {
    let world = World::new();
    let run = durable::run(early, "a", ()).clock(TokioClock::shared());
    let output = run.state(&world).store(world.memory.clone()).await.unwrap();
    assert_eq!(output, 12);
    let history = history(&world).await;
    let names: Vec<&str> = history.iter().map(|record| &*record.name).collect();
    let early = [
        "one", "callback", "other", "callback", "before", "submit", "submit",
    ];
    assert_eq!(names, early);
}
