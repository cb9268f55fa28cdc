//! Messages: received once, in order, across crashes, races and chains.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use durable::prelude::*;
use durable::store::{
    AdminStore, CallbackStore, Change, CheckpointStore, ExecutionStatus, ExecutionStore, Filter,
    MemoryStore, MessageStore, NewMessage, QueueStore, ScheduleStore, Store, StoreError,
    StoreErrorKind, WorkStore, forward_store,
};
use durable::{
    BoxFuture, Client, ErrorKind, ExecutionId, IntoStore, RetryFrom, RunError, Timestamp, Worker,
    fatal,
};

use crate::support::{Crash, Effects, TokioClock, process};

fn id(text: &str) -> ExecutionId {
    text.parse().unwrap()
}

async fn sqlite() -> (tempfile::TempDir, Arc<dyn Store>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("messages.db");
    let store = durable::sqlite::SqliteStore::open(path).await.unwrap();
    (folder, Arc::new(store))
}

async fn note(effects: &Effects, line: &str) -> Result<String, String> {
    effects.note(line);
    Ok(line.to_owned())
}

/// Collects lines until `bye`.
#[durable]
async fn chat(effects: &Effects, _unused: ()) -> Result<Vec<String>, BoxError> {
    let mut lines = Vec::new();
    loop {
        let line: String = receive!("line").await?;
        if line == "bye" {
            return Ok(lines);
        }
        lines.push(step!("note", ordered, note(effects, &line).await).await?);
    }
}

/// Starts `chat` without running it, with these lines sent.
async fn started(store: impl IntoStore, lines: &[&str]) -> Client {
    let client = Client::new(store);
    client.start(chat, "a", ()).await.unwrap();
    for line in lines {
        client.send("a", "line", line).await.unwrap();
    }
    client
}

#[tokio::test(start_paused = true)]
async fn messages_sent_before_the_first_run_are_received_in_order() {
    let memory = MemoryStore::new();
    started(memory.clone(), &["one", "two", "three", "bye"]).await;
    let effects = Effects::default();
    let run = durable::run(chat, "a", ())
        .state(&effects)
        .store(memory.clone());
    assert_eq!(run.await.unwrap(), ["one", "two", "three"]);
    let messages = memory.messages(&id("a")).await.unwrap();
    assert!(messages.iter().all(|message| message.received_by.is_some()));
}

#[tokio::test(start_paused = true)]
async fn a_message_is_received_once_with_a_crash_at_every_boundary() {
    let lines = ["one", "two", "bye"];
    for crash in (1..=9).flat_map(|n| [Crash::Before(n), Crash::After(n)]) {
        let (memory, effects) = (MemoryStore::new(), Effects::default());
        started(memory.clone(), &lines).await;
        let dying = process(&memory, crash);
        let run = durable::run(chat, "a", ()).clock(TokioClock::shared());
        let run = run.state(&effects).store(Arc::clone(&dying));
        let first = dying.survive(run.into_future()).await;
        drop(dying);
        let output = match first {
            Some(output) => output,
            None => {
                let run = durable::run(chat, "a", ()).clock(TokioClock::shared());
                run.state(&effects)
                    .store(process(&memory, Crash::Never))
                    .await
            }
        };
        assert_eq!(output.unwrap(), ["one", "two"], "{crash:?}");
    }
}

#[tokio::test]
async fn a_message_wakes_a_suspended_execution_in_memory_and_in_sqlite() {
    let (_folder, sqlite) = sqlite().await;
    for store in [Arc::new(MemoryStore::new()) as Arc<dyn Store>, sqlite] {
        let (client, effects) = (Client::new(Arc::clone(&store)), Effects::default());
        let worker = Worker::new(Arc::clone(&store))
            .state(effects)
            .register(chat)
            .suspend_after(Duration::ZERO);
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let worker = tokio::spawn(worker.run_until(async { drop(stopped.await) }));
        let execution = client.start(chat, "a", ()).await.unwrap();
        for line in ["one", "two", "bye"] {
            while store.get(&id("a")).await.unwrap().status != ExecutionStatus::Suspended {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            client.send("a", "line", line).await.unwrap();
            if line != "bye" {
                while store
                    .messages(&id("a"))
                    .await
                    .unwrap()
                    .iter()
                    .any(|m| m.received_by.is_none())
                {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
            }
        }
        assert_eq!(execution.result().await.unwrap(), ["one", "two"]);
        stop.send(()).unwrap();
        worker.await.unwrap().unwrap();
    }
}

/// Waits for an answer until a deadline, then receives under the same name again.
#[durable]
async fn raced(late: u64) -> Result<(String, String), BoxError> {
    let first = race!("first", {
        "message" => text = receive!("text") => text.unwrap_or_default(),
        "late" => wait!(Duration::from_secs(late)) => "late".to_owned(),
    })
    .await;
    let second: String = receive!("text", key = "second", timeout = 1.hours()).await?;
    Ok((first, second))
}

#[tokio::test(start_paused = true)]
async fn a_receive_that_loses_a_race_takes_nothing() {
    let memory = MemoryStore::new();
    let client = Client::new(memory.clone());
    client.start(raced, "a", 0).await.unwrap();
    client.send("a", "text", "one").await.unwrap();
    client.send("a", "text", "two").await.unwrap();
    let run = durable::run(raced, "a", 0).clock(TokioClock::shared());
    let (first, second) = run.store(memory.clone()).await.unwrap();
    // The arm of the message is polled first and finds it once the store has answered; the timer is over at once.
    assert_eq!((first.as_str(), second.as_str()), ("late", "one"));
    let waiting = memory.messages(&id("a")).await.unwrap();
    let waiting: Vec<_> = waiting.iter().filter(|m| m.received_by.is_none()).collect();
    assert_eq!(waiting.len(), 1, "{waiting:?}");
}

#[tokio::test(start_paused = true)]
async fn a_receive_that_wins_a_race_takes_its_message_across_crashes() {
    for crash in (1..=8).flat_map(|n| [Crash::Before(n), Crash::After(n)]) {
        let memory = MemoryStore::new();
        let client = Client::new(memory.clone());
        client.start(raced, "a", 3600).await.unwrap();
        client.send("a", "text", "one").await.unwrap();
        client.send("a", "text", "two").await.unwrap();
        let dying = process(&memory, crash);
        let run = durable::run(raced, "a", 3600).clock(TokioClock::shared());
        let first = dying
            .survive(run.store(Arc::clone(&dying)).into_future())
            .await;
        drop(dying);
        let output = match first {
            Some(output) => output,
            None => {
                let run = durable::run(raced, "a", 3600).clock(TokioClock::shared());
                run.store(process(&memory, Crash::Never)).await
            }
        };
        assert_eq!(
            output.unwrap(),
            ("one".to_owned(), "two".to_owned()),
            "{crash:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_race_that_a_message_ends_after_a_suspension_takes_it_once() {
    let memory = MemoryStore::new();
    let client = Client::new(memory.clone());
    client.start(raced, "a", 3600).await.unwrap();
    let run = durable::run(raced, "a", 3600).clock(TokioClock::shared());
    let run = run.store(memory.clone()).suspend_after(Duration::ZERO);
    let run = tokio::spawn(run.into_future());
    for text in ["one", "two"] {
        while memory.get(&id("a")).await.unwrap().status != ExecutionStatus::Suspended {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        client.send("a", "text", text).await.unwrap();
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let output = run.await.unwrap().unwrap();
    assert_eq!(output, ("one".to_owned(), "two".to_owned()));
}

/// Receives a line and hands it to a step that fails the first time.
#[durable]
async fn fragile(effects: &Effects, _unused: ()) -> Result<String, BoxError> {
    let line: String = receive!("line", timeout = 1.minutes()).await?;
    let failing = effects.count(&line) == 0;
    step!("note", retry = Retry::none(), {
        effects.note(&line);
        if failing {
            return Err(fatal("not yet"));
        }
        Ok(())
    })
    .await?;
    Ok(line)
}

#[tokio::test]
async fn a_retry_from_the_beginning_receives_its_messages_again() {
    let (_folder, sqlite) = sqlite().await;
    for store in [Arc::new(MemoryStore::new()) as Arc<dyn Store>, sqlite] {
        let (client, effects) = (Client::new(Arc::clone(&store)), Effects::default());
        client.start(fragile, "a", ()).await.unwrap();
        for line in ["one", "two"] {
            client.send("a", "line", line).await.unwrap();
        }
        let run = || durable::run(fragile, "a", ()).state(&effects);
        run().store(Arc::clone(&store)).await.unwrap_err();
        client.retry(&id("a"), &RetryFrom::Beginning).await.unwrap();
        assert_eq!(run().store(Arc::clone(&store)).await.unwrap(), "one");
        let waits = store.messages(&id("a")).await.unwrap();
        let waits: Vec<_> = waits.iter().map(|m| m.received_by.is_none()).collect();
        assert_eq!(waits, [false, true]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_retry_of_a_receive_that_timed_out_waits_as_long_again() {
    let (memory, effects, clock) = (MemoryStore::new(), Effects::default(), TokioClock::shared());
    let client = Client::new(memory.clone()).clock(Arc::clone(&clock));
    let run = || {
        durable::run(fragile, "a", ())
            .clock(Arc::clone(&clock))
            .state(&effects)
    };
    run().store(memory.clone()).await.unwrap_err();
    client.retry(&id("a"), &RetryFrom::Failure).await.unwrap();
    effects.note("one");
    let run = run().store(memory.clone()).into_future();
    let later = async {
        tokio::time::sleep(Duration::from_secs(50)).await;
        client.send("a", "line", "one").await.unwrap();
    };
    let (output, ()) = tokio::join!(run, later);
    assert_eq!(output.unwrap(), "one");
}

#[durable]
async fn impatient(_unused: ()) -> Result<String, BoxError> {
    match receive!("text", timeout = 1.minutes()).await {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == ErrorKind::TimedOut => Ok("nobody".to_owned()),
        Err(error) => Err(error.into()),
    }
}

#[tokio::test(start_paused = true)]
async fn a_receive_times_out() {
    let run = durable::run(impatient, "a", ()).clock(TokioClock::shared());
    assert_eq!(run.store(MemoryStore::new()).await.unwrap(), "nobody");
}

/// Sends numbered lines to `chat`.
#[durable]
async fn talker(lines: u32) -> Result<(), BoxError> {
    for n in 0..lines {
        send!("a", "line", key = n, n.to_string()).await?;
    }
    send!("a", "last", message = "line", "bye").await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_handler_sends_each_message_once_with_a_crash_at_every_boundary() {
    for crash in (1..=10).flat_map(|n| [Crash::Before(n), Crash::After(n)]) {
        let memory = MemoryStore::new();
        started(memory.clone(), &[]).await;
        let dying = process(&memory, crash);
        let run = durable::run(talker, "b", 3).clock(TokioClock::shared());
        let first = dying
            .survive(run.store(Arc::clone(&dying)).into_future())
            .await;
        drop(dying);
        if first.is_none() {
            let run = durable::run(talker, "b", 3).clock(TokioClock::shared());
            run.store(process(&memory, Crash::Never)).await.unwrap();
        }
        let messages = memory.messages(&id("a")).await.unwrap();
        let texts: Vec<_> = messages.iter().map(|m| m.payload.data.to_vec()).collect();
        let texts: Vec<_> = texts
            .iter()
            .map(|text| String::from_utf8_lossy(text))
            .collect();
        assert_eq!(texts, ["\"0\"", "\"1\"", "\"2\"", "\"bye\""], "{crash:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn sending_to_nobody_is_an_error_of_the_send() {
    let error = durable::run(talker, "b", 1)
        .store(MemoryStore::new())
        .await
        .unwrap_err();
    assert!(error.to_string().contains("execution `a`"), "{error}");
}

#[tokio::test]
async fn a_message_id_is_accepted_once_and_an_ended_execution_takes_no_message() {
    let (_folder, sqlite) = sqlite().await;
    for store in [Arc::new(MemoryStore::new()) as Arc<dyn Store>, sqlite] {
        let client = started(Arc::clone(&store), &[]).await;
        for _ in 0..3 {
            client.send("a", "line", "bye").id("m1").await.unwrap();
        }
        assert_eq!(client.messages("a").await.unwrap().len(), 1);
        let effects = Effects::default();
        let run = durable::run(chat, "a", ())
            .state(&effects)
            .store(Arc::clone(&store));
        run.await.unwrap();
        client.send("a", "line", "bye").id("m1").await.unwrap();
        let error = client.send("a", "line", "more").await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Conflict);
        assert!(error.to_string().contains("has succeeded"), "{error}");
        let error = client.send("z", "line", "more").await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::NotFound);
    }
}

#[tokio::test]
async fn a_start_with_a_message_starts_or_sends_to_the_one_that_is_there() {
    let (_folder, sqlite) = sqlite().await;
    for store in [Arc::new(MemoryStore::new()) as Arc<dyn Store>, sqlite] {
        let client = Client::new(Arc::clone(&store));
        let say = |line: &'static str| client.start(chat, "a", ()).message("line", line);
        for _ in 0..2 {
            say("one").message_id("m1").await.unwrap();
        }
        for line in ["two", "two", "bye"] {
            say(line).await.unwrap();
        }
        let other = client.start(listen, "a", ()).message("line", "three");
        let error = other.await.unwrap_err();
        assert!(matches!(error, RunError::IdInUse(_)), "{error}");
        assert_eq!(client.messages("a").await.unwrap().len(), 4);
        let effects = Effects::default();
        let run = durable::run(chat, "a", ())
            .state(&effects)
            .store(Arc::clone(&store));
        assert_eq!(run.await.unwrap(), ["one", "two", "two"]);
        let again = say("one").message_id("m1").await.unwrap();
        assert_eq!(again.result().await.unwrap(), ["one", "two", "two"]);
        match say("three").await {
            Err(RunError::Store(error)) => assert_eq!(error.kind(), StoreErrorKind::Conflict),
            _ => panic!("an ended execution takes no message"),
        }
    }
}

#[tokio::test]
async fn a_message_of_a_start_follows_a_chain() {
    let store = MemoryStore::new();
    let client = Client::new(store.clone());
    let say = |line: &'static str| client.start(relay, "a", 1).message("line", line);
    say("one").await.unwrap();
    let run = durable::run(relay, "a", 1).store(store.clone());
    let run = tokio::spawn(run.into_future());
    let continued = async {
        while store.get(&id("a")).await.unwrap().next.is_none() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let continued = tokio::time::timeout(Duration::from_secs(10), continued);
    continued.await.expect("the first message was received");
    say("two").await.unwrap();
    assert_eq!(run.await.unwrap().unwrap(), "two");
}

#[tokio::test]
async fn a_start_takes_one_message_and_an_id_only_with_it() {
    let client = Client::new(MemoryStore::new());
    let both = client.start(chat, "a", ()).message("line", "one");
    let id_only = client.start(chat, "a", ()).message_id("m1");
    for (start, expected) in [
        (both.message("line", "two"), "takes one message"),
        (id_only, "needs a message"),
    ] {
        let error = start.await.unwrap_err();
        assert!(matches!(error, RunError::Usage(_)), "{error}");
        assert!(error.to_string().contains(expected), "{error}");
    }
    let empty = client.start(chat, "a", ()).message("line", "one");
    let error = empty.message_id("").await.unwrap_err();
    assert!(error.to_string().contains("id of a message"), "{error}");
    assert_eq!(client.list(Filter::default()).await.unwrap().len(), 0);
}

#[tokio::test]
async fn a_store_without_messages_starts_nothing_with_one() {
    let capabilities = durable::store::Capabilities::unlimited(durable::store::Durability::Memory);
    let store = MemoryStore::with_capabilities(capabilities);
    let client = Client::new(store.clone());
    let start = client.start(chat, "a", ()).message("line", "one");
    match start.await {
        Err(RunError::Store(error)) => assert_eq!(error.kind(), StoreErrorKind::Unsupported),
        _ => panic!("the store keeps no messages"),
    }
    let missing = store.get(&id("a")).await.unwrap_err();
    assert_eq!(missing.kind(), StoreErrorKind::NotFound);
}

/// Store from which another client removes an execution before it is sent its first message.
struct Removing {
    inner: MemoryStore,
    removed: AtomicBool,
}

impl CheckpointStore for Removing {
    forward_store!(inner: load, checkpoint, capabilities);
}

impl ExecutionStore for Removing {
    forward_store!(inner: start, claim, renew, get, changed, cancel);
}

impl WorkStore for Removing {}

impl CallbackStore for Removing {}

impl AdminStore for Removing {
    forward_store!(inner: list, counts, operation_counts, history, fork, change);
}

impl QueueStore for Removing {}

impl ScheduleStore for Removing {}

impl MessageStore for Removing {
    forward_store!(inner: start_with_message, messages);

    fn send<'a>(
        &'a self,
        to: &'a ExecutionId,
        message: NewMessage,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            if !self.removed.swap(true, Ordering::Relaxed) {
                self.inner.cancel(to, now).await?;
                self.inner.change(to, Change::Delete, now).await?;
            }
            self.inner.send(to, message, now).await
        })
    }
}

#[tokio::test]
async fn a_start_with_a_message_starts_anew_what_is_removed_meanwhile() {
    let memory = MemoryStore::new();
    let client = Client::new(Arc::new(Removing {
        inner: memory.clone(),
        removed: AtomicBool::new(false),
    }));
    for line in ["one", "two"] {
        let start = client.start(chat, "a", ()).message("line", line);
        start.message_id(line).await.unwrap();
    }
    let messages = memory.messages(&id("a")).await.unwrap();
    let ids: Vec<_> = messages.iter().map(|message| &*message.id).collect();
    assert_eq!(ids, ["two"]);
}

/// Receives one line and continues as another execution.
#[durable]
async fn relay(left: u32) -> Result<String, BoxError> {
    let line: String = receive!("line").await?;
    if left == 0 {
        return Ok(line);
    }
    continue_as!(left - 1).await
}

#[tokio::test]
async fn messages_follow_a_chain() {
    let (_folder, sqlite) = sqlite().await;
    for store in [Arc::new(MemoryStore::new()) as Arc<dyn Store>, sqlite] {
        let client = Client::new(Arc::clone(&store));
        let execution = client.start(relay, "a", 2).await.unwrap();
        for line in ["one", "two", "three"] {
            client.send("a", "line", line).id(line).await.unwrap();
        }
        let run = durable::run(relay, "a", 2).store(Arc::clone(&store));
        assert_eq!(run.await.unwrap(), "three");
        assert_eq!(execution.result().await.unwrap(), "three");
        // Known to the execution that received it.
        client.send("a", "line", "one").id("one").await.unwrap();
    }
}

#[tokio::test]
async fn a_store_without_messages_says_what_to_use() {
    let store = MemoryStore::with_capabilities(durable::store::Capabilities::unlimited(
        durable::store::Durability::Memory,
    ));
    let error = durable::run(impatient, "a", ())
        .store(store)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("use `callback!`"), "{error}");
}

#[tokio::test]
async fn a_sealed_store_seals_messages() {
    let memory = MemoryStore::new();
    let key = durable::store::AesGcm::new("k1", &[7; 32]);
    let sealed = durable::store::SealedStore::new(memory.clone(), [key]).unwrap();
    let store: Arc<dyn Store> = Arc::new(sealed);
    started(Arc::clone(&store), &["a secret", "bye"]).await;
    for message in memory.messages(&id("a")).await.unwrap() {
        assert!(!String::from_utf8_lossy(&message.payload.data).contains("secret"));
    }
    let effects = Effects::default();
    let run = durable::run(chat, "a", ())
        .state(&effects)
        .store(Arc::clone(&store));
    assert_eq!(run.await.unwrap(), ["a secret"]);
    assert_eq!(memory.history(&id("a")).await.unwrap().len(), 3);
}

/// Collects lines until `bye`, without doing anything with them.
#[durable]
async fn listen(_unused: ()) -> Result<Vec<String>, BoxError> {
    let mut lines = Vec::new();
    loop {
        let line: String = receive!("line").await?;
        if line == "bye" {
            return Ok(lines);
        }
        lines.push(line);
    }
}

/// Two senders, and a receiver whose process dies at random: every message is received once, and those of one sender in order.
#[tokio::test(start_paused = true)]
async fn two_senders_and_a_dying_receiver() {
    let mut random = crate::random::random();
    let seed = random.get_seed();
    for round in 0..1000 {
        let memory = MemoryStore::new();
        let client = Client::new(memory.clone());
        client.start(listen, "a", ()).await.unwrap();
        let senders = ["x", "y"].map(|sender| {
            let (client, pauses) = (client.clone(), [random.u64(..50), random.u64(..50)]);
            tokio::spawn(async move {
                for (n, pause) in pauses.into_iter().enumerate() {
                    tokio::time::sleep(Duration::from_millis(pause)).await;
                    client
                        .send("a", "line", &format!("{sender}{n}"))
                        .await
                        .unwrap();
                }
            })
        });
        let last = tokio::spawn(async move {
            for sender in senders {
                sender.await.unwrap();
            }
            client.send("a", "line", "bye").await.unwrap();
        });
        let lines = loop {
            let dying = process(
                &memory,
                match random.bool() {
                    true => Crash::Before(random.u64(1..6)),
                    false => Crash::After(random.u64(1..6)),
                },
            );
            let run = durable::run(listen, "a", ()).clock(TokioClock::shared());
            let run = run.store(Arc::clone(&dying)).into_future();
            if let Some(lines) = dying.survive(run).await {
                break lines.unwrap();
            }
        };
        last.await.unwrap();
        let mut sorted = lines.clone();
        sorted.sort();
        assert_eq!(
            sorted,
            ["x0", "x1", "y0", "y1"],
            "round {round}, seed {seed}"
        );
        for sender in ["x", "y"] {
            let own: Vec<_> = lines
                .iter()
                .filter(|line| line.starts_with(sender))
                .collect();
            assert!(own.is_sorted(), "round {round}, seed {seed}: {lines:?}");
        }
    }
}
