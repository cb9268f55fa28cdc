//! Published values: visible with the next checkpoint, one record a name, never set back by a replay.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use durable::prelude::*;
use durable::store::{AdminStore, MemoryStore};
use durable::testing::{TestRun, crash_everywhere, shuffled};
use durable::{Client, PublishedValue, RetryFrom, fatal};
use futures::StreamExt;

use crate::support::{Crash, TokioClock, process};

async fn load(file: u32) -> Result<u32, BoxError> {
    Ok(file * 10)
}

/// Publishes before and after steps, in a scope that ends, in branches, and in a body.
#[durable(name = "import_published")]
async fn import(files: u32) -> Result<u32, BoxError> {
    publish!("stage", "begin")?;
    let head = scope!("head", {
        publish!("stage", "head")?;
        let rows = step!(load(1).await).await?;
        publish!("stage", "head loaded")?;
        Ok::<_, BoxError>(rows)
    })
    .await?;
    publish!("stage", "files")?;
    let mut rows = head;
    for file in 0..files {
        publish!("done", file)?;
        rows += step!("file", key = file, {
            publish!("rows", rows)?;
            load(file).await
        })
        .await?;
    }
    let more = map!("more", 0..3, key = |n| n, |n| {
        publish!("branch", 7)?;
        step!("one", load(n).await).await
    })
    .await
    .into_values()?;
    publish!("stage", "end")?;
    wait!(Duration::from_secs(3600)).await;
    publish!("done", files)?;
    Ok(rows + more.iter().sum::<u32>())
}

/// Returns what each batch that a process wrote has published under a name.
fn written(process: &crate::support::Probe, name: &str) -> Vec<String> {
    let batches = process.batches.lock().unwrap();
    let records = batches.iter().flat_map(|batch| &batch.records);
    let values = records.filter_map(PublishedValue::of);
    let values = values.filter(|value| value.name == name);
    values
        .map(|value| value.payload.as_text().unwrap_or_default().to_owned())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_value_is_not_set_back_by_a_replay_after_a_crash_anywhere() {
    let order = [
        "\"begin\"",
        "\"head\"",
        "\"head loaded\"",
        "\"files\"",
        "\"end\"",
    ];
    let place = |value: &String| order.iter().position(|known| known == value).unwrap();
    for crash in (1..=16).flat_map(|n| [Crash::Before(n), Crash::After(n)]) {
        let memory = MemoryStore::new();
        let dying = process(&memory, crash);
        let run = durable::run(import, "a", 3).clock(TokioClock::shared());
        let first = dying
            .survive(run.store(Arc::clone(&dying)).into_future())
            .await;
        let before = Client::new(memory.clone())
            .published_values("a")
            .await
            .unwrap_or_default();
        let output = match first {
            Some(output) => output.unwrap(),
            None => {
                drop(dying);
                let second = process(&memory, Crash::Never);
                let run = durable::run(import, "a", 3).clock(TokioClock::shared());
                let output = run.store(Arc::clone(&second)).await.unwrap();
                let stages = written(&second, "stage");
                let places: Vec<_> = stages.iter().map(place).collect();
                assert!(places.is_sorted(), "{crash:?}: {stages:?}");
                let known = before.iter().find(|value| value.name == "stage");
                let known =
                    known.map(|value| value.payload.as_text().unwrap_or_default().to_owned());
                // What was published before is not published again.
                let repeated = known.is_some_and(|known| stages.contains(&known));
                assert!(!repeated, "{crash:?}: {before:?}, then {stages:?}");
                output
            }
        };
        assert_eq!(output, 70, "{crash:?}");
        let client = Client::new(memory);
        assert_eq!(
            client
                .published::<String>("a", "stage")
                .await
                .unwrap()
                .unwrap(),
            "end"
        );
        assert_eq!(client.published::<u32>("a", "done").await.unwrap(), Some(3));
        assert_eq!(
            client.published::<u32>("a", "rows").await.unwrap(),
            Some(20)
        );
        assert_eq!(client.published::<u32>("a", "none").await.unwrap(), None);
        let values = client.published_values("a").await.unwrap();
        let counts: Vec<_> = values
            .iter()
            .map(|value| (&*value.name, value.count))
            .collect();
        assert_eq!(counts[1], ("done", 4), "{crash:?}");
        assert_eq!(counts[3], ("stage", 5), "{crash:?}");
    }
}

#[tokio::test]
async fn the_kit_compares_published_values_after_every_crash_and_in_every_order() {
    let crashes = crash_everywhere(import, |_| (), 3).await.unwrap();
    assert!(crashes.count() > 20, "{}", crashes.count());
    shuffled(import, |_| (), 2).rounds(20).await.unwrap();
    let run = TestRun::new(import).run("a", 2).await;
    assert_eq!(run.history().published::<u32>("done"), Some(2));
    assert_eq!(run.history().published_values().len(), 4);
    assert!(run.history().names().iter().all(|name| !name.contains('#')));
}

/// Publishes something else on each invocation, which the kit has to find.
#[durable]
async fn careless(counter: &AtomicU32, _unused: ()) -> Result<(), BoxError> {
    step!("a", load(1).await).await?;
    let count = counter.fetch_add(1, Ordering::Relaxed);
    step!("b", load(2).await).await?;
    publish!("invocations", count)?;
    Ok(())
}

#[tokio::test]
async fn the_kit_reports_published_values_that_depend_on_crashes() {
    let crashes = crash_everywhere(careless, |_| AtomicU32::new(0), ());
    let finding = crashes.await.unwrap_err().to_string();
    assert!(finding.contains("the published values"), "{finding}");
    let varies = crash_everywhere(careless, |_| AtomicU32::new(0), ());
    varies.varies("invocations").await.unwrap();
}

/// Publishes a thousand values between two steps.
#[durable]
async fn chatty(_unused: ()) -> Result<(), BoxError> {
    step!("a", load(1).await).await?;
    for n in 1..=1000 {
        publish!("n", n)?;
    }
    step!("b", load(2).await).await?;
    publish!("n", 0)?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn values_are_written_with_other_checkpoints_into_one_record() {
    let memory = MemoryStore::new();
    let probe = process(&memory, Crash::Never);
    let run = durable::run(chatty, "a", ()).clock(TokioClock::shared());
    run.store(Arc::clone(&probe)).await.unwrap();
    // One for each step and one for the end.
    assert_eq!(probe.checkpoints.load(Ordering::Relaxed), 3);
    assert_eq!(written(&probe, "n"), ["1000", "0"]);
    let records = memory.history(&"a".parse().unwrap()).await.unwrap();
    assert_eq!(records.len(), 3);
}

/// Publishes its progress from within a long body.
#[durable]
async fn long(_unused: ()) -> Result<u32, BoxError> {
    let rows = step!("long", {
        for percent in 0..100 {
            publish!("percent", percent)?;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        load(1).await
    })
    .await?;
    Ok(rows)
}

#[tokio::test(start_paused = true)]
async fn values_of_a_long_body_are_written_twice_a_second() {
    let memory = MemoryStore::new();
    let probe = process(&memory, Crash::Never);
    let run = durable::run(long, "a", ()).clock(TokioClock::shared());
    run.store(Arc::clone(&probe)).await.unwrap();
    let written = written(&probe, "percent");
    assert!((16..=20).contains(&written.len()), "{written:?}");
    assert_eq!(written.last().unwrap(), "99");
}

#[durable(name = "restarted_published")]
async fn restarted(works: &AtomicBool, _unused: ()) -> Result<(), BoxError> {
    publish!("stage", "one")?;
    step!("a", load(1).await).await?;
    publish!("stage", "two")?;
    step!(
        "b",
        async {
            match works.load(Ordering::Relaxed) {
                true => Ok(()),
                false => Err(fatal("broken")),
            }
        }
        .await
    )
    .await?;
    publish!("stage", "three")?;
    Ok(())
}

#[tokio::test]
async fn a_retry_from_an_operation_publishes_again_and_a_fork_publishes_on_its_own() {
    let memory = MemoryStore::new();
    let works = AtomicBool::new(false);
    let run = durable::run(restarted, "a", ()).state(&works);
    run.store(memory.clone()).await.unwrap_err();
    let (client, id) = (Client::new(memory.clone()), "a".parse().unwrap());
    client.fork(&id, "b").before("b").await.unwrap();
    assert!(client.published_values("b").await.unwrap().is_empty());
    client
        .retry(&id, &RetryFrom::Operation("a".to_owned()))
        .await
        .unwrap();
    // Until the replay has come this far, the last value stays.
    assert_eq!(
        client
            .published::<String>("a", "stage")
            .await
            .unwrap()
            .unwrap(),
        "two"
    );
    works.store(true, Ordering::Relaxed);
    let probe = process(&memory, Crash::Never);
    let run = durable::run(restarted, "a", ()).state(&works);
    run.store(Arc::clone(&probe)).await.unwrap();
    assert_eq!(
        written(&probe, "stage"),
        ["\"one\"", "\"two\"", "\"three\""]
    );
    let run = durable::run(restarted, "b", ()).state(&works);
    run.store(memory.clone()).await.unwrap();
    assert_eq!(
        client
            .published::<String>("b", "stage")
            .await
            .unwrap()
            .unwrap(),
        "three"
    );
}

/// A chain of three executions.
#[durable(name = "counting_published")]
async fn counting(n: u32) -> Result<u32, BoxError> {
    if n == 0 {
        publish!("first", "only")?;
    }
    publish!("n", n)?;
    if n < 2 {
        return Ok(continue_as!(n + 1).await);
    }
    Ok(n)
}

#[tokio::test]
async fn clients_read_a_chain_and_follow_changes_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("published.db");
    let store = Arc::new(durable::sqlite::SqliteStore::open(&path).await.unwrap());
    let run = durable::run(counting, "a", 0);
    run.store(Arc::clone(&store) as Arc<dyn durable::store::Store>)
        .await
        .unwrap();
    let client = Client::new(store as Arc<dyn durable::store::Store>);
    assert_eq!(client.published::<u32>("a", "n").await.unwrap(), Some(2));
    assert_eq!(
        client
            .published::<String>("a", "first")
            .await
            .unwrap()
            .unwrap(),
        "only"
    );
    let changes: Vec<_> = client.published_changes::<u32>("a", "n").collect().await;
    assert_eq!(
        changes.into_iter().map(Result::unwrap).collect::<Vec<_>>(),
        [2]
    );
    let wrong = client
        .published::<bool>("a", "n")
        .await
        .unwrap_err()
        .to_string();
    assert!(
        wrong.contains("published as `n` is not a `bool`"),
        "{wrong}"
    );
    let unknown = client
        .published::<u32>("nobody", "n")
        .await
        .unwrap_err()
        .to_string();
    assert!(unknown.contains("nobody"), "{unknown}");
}

#[tokio::test(start_paused = true)]
async fn a_stream_returns_each_value_that_stays_long_enough() {
    let memory = MemoryStore::new();
    let clock = TokioClock::shared();
    let client = Client::new(memory.clone()).clock(Arc::clone(&clock));
    client.start(long, "a", ()).await.unwrap();
    let run = durable::run(long, "a", ()).clock(clock);
    let run = tokio::spawn(run.store(memory).into_future());
    let changes: Vec<_> = client
        .published_changes::<u32>("a", "percent")
        .collect()
        .await;
    let values: Vec<_> = changes.into_iter().map(Result::unwrap).collect();
    assert!(values.is_sorted() && values.len() > 15, "{values:?}");
    assert_eq!(values.last(), Some(&99));
    run.await.unwrap().unwrap();
}

/// A value that JSON cannot hold, and one that is too large.
#[durable]
async fn refused(_unused: ()) -> Result<(String, String), BoxError> {
    let keys: std::collections::HashMap<(u8, u8), u8> = [((1, 2), 3)].into();
    let codec = publish!("keys", &keys).unwrap_err().to_string();
    let large = publish!("large", "x".repeat(65 << 20))
        .unwrap_err()
        .to_string();
    Ok((codec, large))
}

#[tokio::test]
async fn values_that_cannot_be_published_are_errors_that_name_them() {
    let memory = MemoryStore::new();
    let (codec, large) = durable::run(refused, "a", ())
        .store(memory.clone())
        .await
        .unwrap();
    assert!(
        codec.contains("`keys`") && codec.contains("JSON"),
        "{codec}"
    );
    assert!(
        large.contains("`large`") && large.contains("limit"),
        "{large}"
    );
    assert!(
        Client::new(memory)
            .published_values("a")
            .await
            .unwrap()
            .is_empty()
    );
}
