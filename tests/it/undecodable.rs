//! A build that cannot decode a record blocks the execution; a build that can resumes it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use durable::prelude::*;
use durable::sqlite::SqliteStore;
use durable::store::{ExecutionStatus, ExecutionStore, MemoryStore, Store};
use durable::{BatchResult, Codec, ExecutionId, Record, RunError, Text};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use crate::support::{Crash, Effects, process};

/// State of the handlers. Their last body hangs until `resumed` is set.
#[derive(Default)]
struct App {
    effects: Effects,
    resumed: AtomicBool,
    reached: Notify,
}

impl App {
    fn note<T>(&self, name: &str, value: T) -> Result<T, String> {
        self.effects.note(name);
        Ok(value)
    }

    async fn last(&self) -> Result<(), String> {
        self.effects.note("last");
        if !self.resumed.load(SeqCst) {
            self.reached.notify_one();
            std::future::pending::<()>().await;
        }
        Ok(())
    }
}

/// Storage of the executions. Each `open` is a new process.
enum Storage {
    Memory(MemoryStore),
    File(tempfile::TempDir),
}

impl Storage {
    fn all() -> [Self; 2] {
        [
            Self::Memory(MemoryStore::new()),
            Self::File(tempfile::tempdir().unwrap()),
        ]
    }

    async fn open(&self) -> Arc<dyn Store> {
        match self {
            Self::Memory(store) => process(store, Crash::Never),
            Self::File(folder) => {
                let path = folder.path().join("a.db");
                Arc::new(SqliteStore::open(path).await.unwrap())
            }
        }
    }
}

fn id() -> ExecutionId {
    "a".parse().unwrap()
}

async fn history(store: &dyn Store) -> Vec<Record> {
    store.history(&id()).await.unwrap()
}

/// Runs `$old` until its last body hangs, then `$new`, which must block with a report that contains all of `$parts`,
/// and finally `$old` to its end.
macro_rules! blocks {
    ($old:path, $new:path, $parts:expr) => {
        blocks!($old, $new, $parts, ())
    };
    ($old:path, $new:path, $parts:expr, $input:expr) => {
        for storage in Storage::all() {
            let app = App::default();
            {
                let run = durable::run($old, "a", $input).state(&app);
                tokio::select! {
                    ended = run.store(storage.open().await).into_future() => panic!("{ended:?}"),
                    () = app.reached.notified() => {}
                }
            }
            let (before, done) = (history(&*storage.open().await).await, app.effects.all());
            let run = durable::run($new, "a", $input).state(&app);
            let ended = run.store(storage.open().await).await;
            let Err(RunError::Blocked(report)) = ended else {
                panic!("not blocked: {:?}", ended.map(|_| ()));
            };
            for text in $parts {
                assert!(report.contains(text), "{text:?} is missing in:\n{report}");
            }
            {
                let store = storage.open().await;
                assert_eq!(history(&*store).await, before, "nothing was written");
                let execution = store.get(&id()).await.unwrap();
                assert_eq!(execution.status, ExecutionStatus::Blocked);
                assert_eq!(execution.report.as_deref(), Some(&*report));
            }
            assert_eq!(app.effects.all(), done, "nothing was run");
            app.resumed.store(true, SeqCst);
            let run = durable::run($old, "a", $input).state(&app);
            run.store(storage.open().await).await.unwrap();
            let all = app.effects.all();
            let again = all.iter().filter(|noted| *noted != "last").count();
            let first = done.iter().filter(|noted| *noted != "last").count();
            assert_eq!(again, first, "nothing recorded ran again: {all:?}");
        }
    };
}

mod steps {
    use super::*;

    #[durable(name = "steps")]
    pub(super) async fn text(app: &App) -> Result<String, BoxError> {
        let read = step!("read", app.note("read", "verborgen".to_owned())).await?;
        step!("last", app.last().await).await?;
        Ok(read)
    }

    #[durable(name = "steps")]
    pub(super) async fn number(app: &App) -> Result<u32, BoxError> {
        // The handler would continue without the value, but it is stopped first.
        let read = step!("read", app.note("read", 7_u32)).await.unwrap_or(0);
        step!("new", app.note("new", ())).await?;
        Ok(read)
    }
}

#[tokio::test]
async fn a_step_with_another_type() {
    blocks!(
        steps::text,
        steps::number,
        [
            "the recorded value of `read`:",
            "the code asks for  step `read` (tests/it/undecodable.rs:",
            "type `u32`, codec `json`",
            "step `read`, succeeded (started at tests/it/undecodable.rs:",
            "type `alloc::string::String`, 11 bytes of codec `json`",
            "invalid type: string, expected u32",
            "let `u32` read the old form too",
            "give the step another name so that it runs anew",
            "roll back",
        ]
    );
}

mod codecs {
    use super::*;

    #[durable(name = "codecs")]
    pub(super) async fn text(app: &App) -> Result<String, BoxError> {
        let read = step!("read", codec = Text, app.note("read", "7".to_owned())).await?;
        step!("last", app.last().await).await?;
        Ok(read)
    }

    #[durable(name = "codecs")]
    pub(super) async fn json(app: &App) -> Result<u32, BoxError> {
        Ok(step!("read", app.note("read", 7_u32)).await?)
    }
}

mod concurrent {
    use super::*;

    /// Starts other operations next to the step that cannot be decoded.
    #[durable(name = "steps")]
    pub(super) async fn number(app: &App) -> Result<u32, BoxError> {
        let answer = async {
            let answer: Result<u32, _> = callback!("answer").await;
            answer
        };
        let child = invoke!("child", scopes::number());
        let day = wait!("day", Duration::from_secs(86_400));
        let around = scope!("around", {
            step!("inside", at_most_once, app.note("inside", ())).await?;
            Ok(())
        });
        let read = step!("read", app.note("read", 7_u32));
        let (_, _, (), _, read) = tokio::join!(answer, child, day, around, read);
        Ok(read?)
    }
}

#[tokio::test]
async fn nothing_starts_next_to_an_undecodable_value() {
    blocks!(
        steps::text,
        concurrent::number,
        ["the recorded value of `read`"]
    );
}

#[tokio::test]
async fn a_step_with_another_codec() {
    blocks!(
        codecs::text,
        codecs::json,
        [
            "the codec `json` cannot read values of another codec",
            "use the codec `text` again",
        ]
    );
}

mod secrets {
    use super::*;

    /// A codec whose errors contain the value.
    struct Talkative;

    impl Codec<u32> for Talkative {
        fn name(&self) -> &'static str {
            "text"
        }
        fn encode(&self, value: &u32) -> Result<Vec<u8>, BoxError> {
            Ok(value.to_string().into_bytes())
        }
        fn decode(&self, bytes: &[u8]) -> Result<u32, BoxError> {
            Err(format!("no number: {}", String::from_utf8_lossy(bytes)).into())
        }
    }

    #[durable(name = "secrets")]
    pub(super) async fn text(app: &App) -> Result<String, BoxError> {
        let password = || app.note("read", "verborgen".to_owned());
        let read = step!("read", secret, codec = Text, password()).await?;
        step!("last", app.last().await).await?;
        Ok(read)
    }

    #[durable(name = "secrets")]
    pub(super) async fn number(app: &App) -> Result<u32, BoxError> {
        Ok(step!("read", secret, codec = Talkative, app.note("read", 7_u32)).await?)
    }
}

#[tokio::test]
async fn a_secret_value_is_not_in_the_report() {
    blocks!(
        secrets::text,
        secrets::number,
        ["9 bytes of codec `text`", "because the value is secret"]
    );
}

#[derive(Serialize)]
struct Explosive;

impl<'de> Deserialize<'de> for Explosive {
    fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        panic!("not today")
    }
}

mod panics {
    use super::*;

    #[durable(name = "panics")]
    pub(super) async fn decodes(app: &App) -> Result<(), BoxError> {
        step!("read", app.note("read", ())).await?;
        Ok(step!("last", app.last().await).await?)
    }

    #[durable(name = "panics")]
    pub(super) async fn panics(app: &App) -> Result<(), BoxError> {
        step!("read", app.note("read", Explosive)).await?;
        Ok(())
    }
}

#[tokio::test]
async fn a_type_that_panics_while_decoding() {
    blocks!(
        panics::decodes,
        panics::panics,
        ["panicked at tests/it/undecodable.rs:"]
    );
}

mod records {
    use super::*;

    #[durable(name = "records")]
    pub(super) async fn number(app: &App) -> Result<u32, BoxError> {
        let n = record!("random", {
            app.effects.note("random");
            4_u32
        })
        .await;
        step!("last", app.last().await).await?;
        Ok(n)
    }

    #[durable(name = "records")]
    pub(super) async fn text(app: &App) -> Result<String, BoxError> {
        Ok(record!("random", {
            app.effects.note("random");
            "four".to_owned()
        })
        .await)
    }
}

#[tokio::test]
async fn a_recorded_value_with_another_type() {
    blocks!(
        records::number,
        records::text,
        [
            "the recorded value of `random`",
            "give the record another name"
        ]
    );
}

mod polls {
    use super::*;

    #[derive(Clone, Serialize, Deserialize)]
    pub(super) struct Cursor {
        page: u32,
    }

    #[durable(name = "polls")]
    pub(super) async fn counted(app: &App) -> Result<u32, BoxError> {
        let ready = poll!("ready", every = 1.hours(), state = 0_u32, |n| {
            app.effects.note("check");
            Ok::<_, String>(match n {
                0 => ControlFlow::Continue(1),
                n => ControlFlow::Break(n),
            })
        });
        Ok(ready.await?)
    }

    #[durable(name = "polls")]
    pub(super) async fn paged(app: &App) -> Result<u32, BoxError> {
        let first = Cursor { page: 0 };
        let ready = poll!("ready", every = 1.hours(), state = first.clone(), |at| {
            app.effects.note("check");
            Ok::<_, String>(match at.page {
                0 => ControlFlow::Continue(at),
                page => ControlFlow::Break(page),
            })
        });
        Ok(ready.await.unwrap_or(0))
    }
}

/// A clock that is two hours ahead.
struct Later;

impl durable::Clock for Later {
    fn now(&self) -> durable::Timestamp {
        durable::SystemClock.now().after(Duration::from_secs(7200))
    }

    fn sleep(&self, delay: Duration) -> durable::BoxFuture<'static, ()> {
        durable::SystemClock.sleep(delay)
    }
}

#[tokio::test]
async fn the_state_of_a_poll_with_another_type() {
    let (memory, app) = (MemoryStore::new(), App::default());
    let probe = process(&memory, Crash::After(1));
    let run = durable::run(polls::counted, "a", ()).state(&app);
    let run = run.store(probe.clone()).into_future();
    assert!(probe.survive(run).await.is_none());
    drop(probe);
    let before = history(&memory).await;
    let later = Arc::new(Later);
    let run = durable::run(polls::paged, "a", ()).state(&app);
    let run = run
        .clock(later.clone())
        .store(process(&memory, Crash::Never));
    let ended = run.await;
    let Err(RunError::Blocked(report)) = ended else {
        panic!("not blocked: {ended:?}");
    };
    for text in [
        "the recorded state of `ready`:",
        "poll `ready` (tests/it/undecodable.rs:",
        "type `it::undecodable::polls::Cursor`, codec `json`",
        "pending (started at tests/it/undecodable.rs:",
        "type `u32`, 1 bytes of codec `json`",
        "invalid type: integer, expected struct Cursor",
    ] {
        assert!(report.contains(text), "{text:?} is missing in:\n{report}");
    }
    assert_eq!(history(&memory).await, before);
    assert_eq!(app.effects.all(), ["check"]);
    let run = durable::run(polls::counted, "a", ())
        .state(&app)
        .clock(later);
    let run = run.store(process(&memory, Crash::Never));
    assert_eq!(run.await.unwrap(), 1, "the state of the first check");
}

mod races {
    use super::*;

    #[durable(name = "races")]
    pub(super) async fn old(app: &App) -> Result<u32, BoxError> {
        let won = race!("first", {
            "quick" => one = step!("one", app.note("one", 1_u32)) => one,
            "slow" => () = wait!("day", Duration::from_secs(86_400)) => Ok(2),
        });
        let won = won.await?;
        step!("last", app.last().await).await?;
        Ok(won)
    }

    #[durable(name = "races")]
    pub(super) async fn without_the_winner(app: &App) -> Result<u32, BoxError> {
        let won = race!("first", {
            "fast" => one = step!("one", app.note("one", 1_u32)) => one,
            "slow" => () = wait!("day", Duration::from_secs(86_400)) => Ok(2),
        });
        Ok(won.await?)
    }
}

#[tokio::test]
async fn a_race_without_its_recorded_winner() {
    blocks!(
        races::old,
        races::without_the_winner,
        [
            "the recorded winner of `first`:",
            "race `first` (tests/it/undecodable.rs:",
            "one of the arms `fast`, `slow`",
            "race `first`, succeeded (started at tests/it/undecodable.rs:",
            "the arm `quick` has won, but there is no arm of that name",
            "name the arm `quick` again",
        ]
    );
}

mod maps {
    use super::*;

    /// Writes all values in one line.
    struct Line;

    impl Codec<BatchResult<u32>> for Line {
        fn name(&self) -> &'static str {
            "line"
        }
        fn encode(&self, result: &BatchResult<u32>) -> Result<Vec<u8>, BoxError> {
            let values: Vec<String> = result.values().map(u32::to_string).collect();
            Ok(values.join(",").into_bytes())
        }
        fn decode(&self, bytes: &[u8]) -> Result<BatchResult<u32>, BoxError> {
            let text = std::str::from_utf8(bytes)?;
            let values: Result<Vec<u32>, _> = text.split(',').map(str::parse).collect();
            Ok(BatchResult::of_values(values?))
        }
    }

    #[durable(name = "maps")]
    pub(super) async fn numbers(app: &App) -> Result<Vec<u32>, BoxError> {
        let all = map!("files", [1_u32, 2], key = |n| n, |n| {
            Ok(step!("size", app.note("size", n)).await?)
        });
        let all = all.await.into_values()?;
        step!("last", app.last().await).await?;
        Ok(all)
    }

    #[durable(name = "maps")]
    pub(super) async fn texts(app: &App) -> Result<Vec<String>, BoxError> {
        let all = map!("files", [1_u32, 2], key = |n| n, |n| {
            Ok(step!("size", app.note("size", n.to_string())).await?)
        });
        Ok(all.await.into_values()?)
    }

    #[durable(name = "lines")]
    pub(super) async fn line(app: &App) -> Result<Vec<u32>, BoxError> {
        let all = map!("files", [1_u32, 2], key = |n| n, result_codec = Line, |n| {
            Ok(step!("size", app.note("size", n)).await?)
        });
        let all = all.await.into_values()?;
        step!("last", app.last().await).await?;
        Ok(all)
    }

    #[durable(name = "lines")]
    pub(super) async fn no_line(app: &App) -> Result<Vec<u32>, BoxError> {
        let all = map!("files", [1_u32, 2], key = |n| n, |n| {
            Ok(step!("size", app.note("size", n)).await?)
        });
        Ok(all.await.into_values()?)
    }
}

#[tokio::test]
async fn a_branch_with_another_type() {
    blocks!(
        maps::numbers,
        maps::texts,
        [
            "the recorded value of `files/item[1]`:",
            "type `alloc::string::String`, codec `json`",
            "type `u32`, 1 bytes",
            "give the `map!` or `parallel!` around it another name",
        ]
    );
}

#[tokio::test]
async fn a_map_result_without_its_codec() {
    blocks!(
        maps::line,
        maps::no_line,
        [
            "the recorded result of `files`:",
            "the codec `line` wrote it, but there is no `result_codec`",
            "use the `result_codec` named `line` again",
        ]
    );
}

mod scopes {
    use super::*;

    #[durable]
    pub(super) async fn number(app: &App) -> Result<u32, BoxError> {
        Ok(step!("inner", app.note("inner", 7_u32)).await?)
    }

    #[durable(name = "number")]
    pub(super) async fn text(app: &App) -> Result<String, BoxError> {
        Ok(step!("inner", app.note("inner", "7".to_owned())).await?)
    }

    #[durable(name = "scopes")]
    pub(super) async fn before(app: &App) -> Result<u32, BoxError> {
        let part = scope!("part", { Ok(step!("one", app.note("one", 1_u32)).await?) });
        let part = part.await?;
        step!("last", app.last().await).await?;
        Ok(part)
    }

    #[durable(name = "scopes")]
    pub(super) async fn after(app: &App) -> Result<String, BoxError> {
        let part = scope!("part", {
            Ok(step!("one", app.note("one", 1_u32)).await?.to_string())
        });
        Ok(part.await?)
    }

    #[durable(name = "calls")]
    pub(super) async fn calls_before(app: &App) -> Result<u32, BoxError> {
        let called = call!("called", number()).await?;
        step!("last", app.last().await).await?;
        Ok(called)
    }

    #[durable(name = "calls")]
    pub(super) async fn calls_after(_app: &App) -> Result<String, BoxError> {
        Ok(call!("called", text()).await?)
    }

    #[durable(name = "invokes")]
    pub(super) async fn invokes_before(app: &App) -> Result<u32, BoxError> {
        let child = invoke!("child", number()).await?;
        step!("last", app.last().await).await?;
        Ok(child)
    }

    /// The child's handler has a different output in this build.
    #[durable(name = "invokes")]
    pub(super) async fn invokes_after(app: &App) -> Result<String, BoxError> {
        let child = invoke!("child", text()).await.unwrap_or_default();
        step!("new", app.note("new", ())).await?;
        Ok(child)
    }

    #[durable(name = "batched")]
    pub(super) async fn batches_before(app: &App) -> Result<Vec<u32>, BoxError> {
        let sums = batches!("sum", [1_u32, 2], |batch| app
            .note("sum", batch.iter().sum::<u32>()));
        let sums = sums.await?;
        step!("last", app.last().await).await?;
        Ok(sums)
    }

    #[durable(name = "batched")]
    pub(super) async fn batches_after(app: &App) -> Result<Vec<String>, BoxError> {
        let sums = batches!("sum", [1_u32, 2], |batch| app
            .note("sum", format!("{batch:?}")));
        Ok(sums.await?)
    }
}

#[tokio::test]
async fn scopes_calls_and_batches_with_another_type() {
    let report_of = |name| {
        [
            name,
            "type `u32`, 1 bytes",
            "type `alloc::string::String`, codec",
        ]
    };
    blocks!(
        scopes::before,
        scopes::after,
        report_of("the recorded value of `part`:")
    );
    blocks!(
        scopes::calls_before,
        scopes::calls_after,
        report_of("the recorded value of `called`:")
    );
    blocks!(
        scopes::batches_before,
        scopes::batches_after,
        report_of("the recorded value of `sum[")
    );
    blocks!(
        scopes::invokes_before,
        scopes::invokes_after,
        [
            "the recorded value of `child`:",
            "invoke `child` (tests/it/undecodable.rs:",
            "type `alloc::string::String`, codec `json`",
            "invalid type: integer, expected a string",
        ]
    );
}

/// A type that cannot decode what it encodes.
#[derive(Serialize)]
pub(crate) struct OneWay {
    pub(crate) n: u32,
}

impl<'de> Deserialize<'de> for OneWay {
    fn deserialize<D: serde::Deserializer<'de>>(of: D) -> Result<Self, D::Error> {
        u32::deserialize(of).map(|n| Self { n })
    }
}

#[durable]
async fn one_way(_app: &App) -> Result<u32, BoxError> {
    let value = step!("value", Ok::<_, String>(OneWay { n: 7 })).await;
    Ok(value.map_or(0, |value| value.n))
}

#[tokio::test]
async fn a_value_that_its_own_build_cannot_decode() {
    let app = App::default();
    let ended = durable::run(one_way, "a", ())
        .state(&app)
        .store(MemoryStore::new())
        .await;
    let Err(RunError::Blocked(report)) = ended else {
        panic!("not blocked: {ended:?}");
    };
    assert!(
        report.contains("This build wrote the value itself"),
        "{report}"
    );
}

/// Answers of the wrong type from external parties.
mod external {
    use super::*;

    #[durable]
    pub(super) async fn waits_for_answers(_app: &App) -> Result<String, BoxError> {
        let callback = callback!("answer");
        let answered: Result<u32, _> = callback.await;
        let child: Result<u32, _> = invoke!("child", "elsewhere", 1).await;
        let errors = [answered.unwrap_err(), child.unwrap_err()];
        Ok(errors
            .map(|error| format!("{} {}", error.operation(), error.kind()))
            .join(", "))
    }
}

#[tokio::test]
async fn an_external_answer_of_the_wrong_type_is_an_error_of_the_call() {
    let app = App::default();
    let run = durable::testing::TestRun::new(external::waits_for_answers).state(&app);
    let run = run
        .callback("answer", "seven")
        .invoke("child", |_: u32| Ok::<_, String>("eight"));
    let run = run.run("a", ()).await;
    let codec = durable::ErrorKind::Codec;
    assert_eq!(
        *run.output().unwrap(),
        format!("answer {codec}, child {codec}")
    );
}

/// A record of a `map!` with a damaged summary.
#[tokio::test]
async fn a_damaged_map_summary() {
    use durable::store::{Batch, ExecutionUpdate};
    let (memory, app) = (MemoryStore::new(), App::default());
    {
        let run = durable::run(maps::numbers, "a", ()).state(&app);
        let run = run.store(process(&memory, Crash::Never)).into_future();
        tokio::select! {
            ended = run => panic!("{ended:?}"),
            () = app.reached.notified() => {}
        }
    }
    let mut records = history(&memory).await;
    let summary = records[0].payload.clone();
    let put = async |records: Vec<Record>| {
        let now = durable::Clock::now(&durable::SystemClock);
        let lease = memory
            .claim(&id(), now, Duration::from_secs(60))
            .await
            .unwrap();
        let batch = Batch {
            id: 1,
            records,
            execution: Some(ExecutionUpdate::Suspend { wake_at: None }),
            ..Batch::default()
        };
        use durable::store::CheckpointStore as _;
        memory
            .checkpoint(&lease.fence, Arc::new(batch))
            .await
            .unwrap();
    };
    let damaged = durable::Payload {
        codec: "batch-summary".into(),
        data: "{}".into(),
    };
    records[0].payload = Some(damaged);
    put(records.clone()).await;
    let run = durable::run(maps::numbers, "a", ()).state(&app);
    let ended = run.store(process(&memory, Crash::Never)).await;
    let Err(RunError::Blocked(report)) = ended else {
        panic!("not blocked: {ended:?}");
    };
    assert!(
        report.contains("the recorded summary of `files`:"),
        "{report}"
    );
    records[0].payload = summary;
    put(records).await;
    app.resumed.store(true, SeqCst);
    let run = durable::run(maps::numbers, "a", ()).state(&app);
    assert_eq!(
        run.store(process(&memory, Crash::Never)).await.unwrap(),
        [1, 2]
    );
    assert_eq!(app.effects.count("size"), 2);
}
