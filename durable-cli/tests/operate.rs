//! What the command changes, as a process, on real SQLite files.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use durable_core::store::{Batch, ExecutionStatus, ExecutionUpdate, NewExecution, Store};
use durable_core::{
    ErrorKind, ExecutionId, Kind, Occurrence, OperationError, OperationId, Payload, Record, Status,
    Timestamp,
};
use tempfile::TempDir;

/// 2026-11-23T14:06:12.120Z
const START: Timestamp = Timestamp::from_millis(1_795_442_772_120);

fn json(text: &str) -> Payload {
    Payload::json(text.to_owned())
}

struct Place {
    _dir: TempDir,
    url: String,
    store: Arc<dyn Store>,
}

impl Place {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", dir.path().join("store.db").display());
        let store = durable::open(&url).await.unwrap();
        Self {
            _dir: dir,
            url,
            store,
        }
    }

    fn run(&self, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_durable"));
        command.args(args).env("DURABLE_STORE", &self.url);
        command.stdin(Stdio::null()).output().unwrap()
    }

    fn ok(&self, args: &[&str]) -> String {
        let output = self.run(args);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{args:?}: {stderr}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// What is complained about by a command that ends with this code.
    fn fails(&self, args: &[&str], code: i32) -> String {
        let output = self.run(args);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{args:?}: {stderr}");
        stderr
    }

    fn json(&self, args: &[&str]) -> serde_json::Value {
        serde_json::from_str(&self.ok(args)).unwrap()
    }

    async fn start(&self, id: &str) {
        let new = NewExecution::new(id.parse().unwrap(), "ship", json("17"), START);
        self.store.start(new).await.unwrap();
    }

    async fn status(&self, id: &str) -> ExecutionStatus {
        self.store.get(&id.parse().unwrap()).await.unwrap().status
    }

    /// An execution with two steps, of which the second has failed.
    async fn failed(&self, id: &str) {
        self.start(id).await;
        let error = OperationError::new("pay", ErrorKind::Failed, "declined");
        let mut steps = vec![step(1, "reserve"), step(2, "pay")];
        (steps[1].status, steps[1].payload) = (Status::Failed, None);
        steps[1].error = Some(error.clone());
        self.end(id, steps, ExecutionUpdate::Fail { error }).await;
    }

    async fn end(&self, id: &str, records: Vec<Record>, update: ExecutionUpdate) {
        let id: ExecutionId = id.parse().unwrap();
        let lease = self.store.claim(&id, START, Duration::from_secs(60)).await;
        let batch = Batch {
            id: 1,
            records,
            execution: Some(update),
            ..Batch::default()
        };
        let fence = lease.unwrap().fence;
        self.store
            .checkpoint(&fence, Arc::new(batch))
            .await
            .unwrap();
    }
}

fn step(seq: u64, name: &'static str) -> Record {
    let (root, once) = (OperationId::ROOT, Occurrence::Once);
    let id = OperationId::of(root, name, &once);
    let mut record = Record::started(seq, id, root, Kind::Step, name, once, START);
    (record.status, record.ended_at, record.attempt) = (Status::Succeeded, Some(START), 1);
    record.payload = Some(json("1"));
    record
}

#[tokio::test]
async fn start_is_idempotent_and_says_so() {
    let place = Place::new().await;
    let started = place.ok(&["start", "ship", "order-1", "--input", "17"]);
    assert_eq!(started, "started order-1\n");
    let again = place.ok(&["start", "ship", "order-1", "--input", "17"]);
    assert_eq!(again, "order-1 was started before\n");
    let why = place.fails(&["start", "ship", "order-1", "--input", "18"], 1);
    assert!(why.contains("was started with another input"), "{why}");
    let why = place.fails(&["start", "ship", "order-2", "--input", "text"], 2);
    assert!(why.contains("a text needs quotes of its own"), "{why}");
    let args = [
        "start",
        "ship",
        "later",
        "--at",
        "2099-01-01T00:00:00Z",
        "--queue",
        "q",
        "--key",
        "k",
    ];
    place.ok(&args);
    let listed = place.json(&["ls", "--queue", "q", "--json"]);
    let later = &listed["executions"][0];
    assert_eq!(later["start_at"], "2099-01-01T00:00:00.000Z");
    assert_eq!(
        (&later["key"], &later["priority"]),
        (&"k".into(), &0.into())
    );
}

#[tokio::test]
async fn what_is_given_as_json_is_stored_with_all_its_digits() {
    let place = Place::new().await;
    let input = r#"{"b": 340282366920938463463374607431768211455, "a": 0.1}"#;
    place.ok(&["start", "ship", "wide", "--input", input]);
    let stored = place.store.get(&"wide".parse().unwrap()).await.unwrap();
    let expected = br#"{"b":340282366920938463463374607431768211455,"a":0.1}"#;
    assert_eq!(&stored.input.data[..], expected);
    // The order of fields makes no other input, a digit does.
    let again = r#"{"a": 0.10, "b": 340282366920938463463374607431768211455}"#;
    place.ok(&["start", "ship", "wide", "--input", again]);
    let other = r#"{"a": 0.1, "b": 340282366920938463463374607431768211454}"#;
    let why = place.fails(&["start", "ship", "wide", "--input", other], 1);
    assert!(why.contains("was started with another input"), "{why}");
}

#[tokio::test]
async fn some_are_changed_by_their_ids() {
    let place = Place::new().await;
    for id in ["a", "b"] {
        place.start(id).await;
    }
    assert_eq!(place.ok(&["pause", "a"]), "pause a\n1 execution\n");
    let listed = place.json(&["ls", "--paused", "--json"]);
    assert_eq!(listed["executions"].as_array().unwrap().len(), 1);
    assert!(place.ok(&["ls"]).contains("paused"));
    place.ok(&["resume", "a"]);
    place.ok(&["cancel", "a", "b", "--dry-run"]);
    assert_eq!(place.status("a").await, ExecutionStatus::Queued);
    place.ok(&["cancel", "a", "b"]);
    assert_eq!(place.status("a").await, ExecutionStatus::Cancelled);
    let why = place.fails(&["pause", "a"], 5);
    assert!(why.contains("there is nothing to pause"), "{why}");
    let why = place.fails(&["cancel", "c"], 3);
    assert!(why.contains("no execution `c`"), "{why}");
    place.ok(&["rm", "a"]);
    place.fails(&["show", "a"], 3);
}

#[tokio::test]
async fn many_are_changed_only_after_a_yes() {
    let place = Place::new().await;
    for n in 0..12 {
        place.start(&format!("order-{n:02}")).await;
    }
    let why = place.fails(&["cancel"], 2);
    assert!(why.contains("say which executions"), "{why}");
    place.fails(&["cancel", "order-01", "--all"], 2);
    let why = place.fails(&["cancel", "--prefix", "order-"], 5);
    assert!(
        why.contains("would cancel 12 executions") && why.contains("and 2 more"),
        "{why}"
    );
    assert!(why.contains("say --yes"), "{why}");
    assert_eq!(place.status("order-00").await, ExecutionStatus::Queued);
    let dry = place.json(&["cancel", "--all", "--dry-run", "--json"]);
    assert_eq!(
        (&dry["dry_run"], dry["executions"].as_array().unwrap().len()),
        (&true.into(), 12)
    );
    assert_eq!(place.status("order-00").await, ExecutionStatus::Queued);
    let done = place.json(&["cancel", "--all", "--yes", "--json"]);
    assert_eq!(
        (
            &done["change"],
            done["executions"].as_array().unwrap().len()
        ),
        (&"cancel".into(), 12)
    );
    assert_eq!(place.status("order-00").await, ExecutionStatus::Cancelled);
    let none = place.ok(&["cancel", "--all"]);
    assert_eq!(none, "0 executions\n");
}

#[tokio::test]
async fn retry_begins_where_it_is_told() {
    let place = Place::new().await;
    for id in ["a", "b", "c"] {
        place.failed(id).await;
    }
    place.ok(&["retry", "a"]);
    let history = place.store.history(&"a".parse().unwrap()).await.unwrap();
    let statuses: Vec<_> = history.iter().map(|record| record.status).collect();
    assert_eq!(statuses, [Status::Succeeded, Status::Pending]);
    assert_eq!(place.status("a").await, ExecutionStatus::Suspended);
    let why = place.fails(&["retry", "b", "--from", "reserved"], 5);
    assert!(why.contains("no operation `reserved`"), "{why}");
    place.ok(&["retry", "b", "--from", "reserve"]);
    assert!(
        place
            .store
            .history(&"b".parse().unwrap())
            .await
            .unwrap()
            .is_empty()
    );
    place.ok(&["retry", "--status", "failed", "--from-start", "--yes"]);
    assert_eq!(place.status("c").await, ExecutionStatus::Suspended);
}

#[tokio::test]
async fn gc_keeps_what_has_not_ended_or_ended_lately() {
    let place = Place::new().await;
    place.failed("old").await;
    place.start("waiting").await;
    let recent = place.ok(&["gc", "--keep", "1h", "--yes"]);
    assert_eq!(recent, "0 executions\n");
    let why = place.fails(&["gc", "--keep", "0s", "--status", "queued", "--yes"], 2);
    assert!(why.contains("has not ended"), "{why}");
    std::thread::sleep(Duration::from_millis(5));
    let gone = place.ok(&["gc", "--keep", "0s", "--yes"]);
    assert_eq!(gone, "remove old\n1 execution\n");
    assert_eq!(place.status("waiting").await, ExecutionStatus::Queued);
}

#[tokio::test]
async fn callbacks_are_completed_by_hand() {
    let place = Place::new().await;
    let why = place.fails(&["callback", "complete", "nonsense", "1"], 1);
    assert!(why.contains("is no callback id"), "{why}");
    place.fails(&["callback", "heartbeat", "a:1:00:00"], 1);
}

#[tokio::test]
async fn queues_are_set_up_and_listed() {
    let place = Place::new().await;
    assert_eq!(place.ok(&["queue", "ls"]), "no queues\n");
    let args = [
        "queue",
        "set",
        "mail",
        "--concurrency",
        "3",
        "--per-key",
        "1",
        "--rate",
        "10/1m",
    ];
    let set = place.ok(&args);
    assert_eq!(
        set,
        "queue mail: 3 at a time, 1 of a key, 10 starts in 1 min\n"
    );
    place.ok(&["start", "ship", "a", "--queue", "mail"]);
    place.ok(&["queue", "pause", "mail"]);
    let listed = place.json(&["queue", "ls", "--json"]);
    let mail = &listed["queues"][0];
    assert_eq!(
        (&mail["waiting"], &mail["paused"]),
        (&1.into(), &true.into())
    );
    assert_eq!(
        (&mail["concurrency"], &mail["rate_ms"]),
        (&3.into(), &60_000.into())
    );
    place.ok(&["queue", "resume", "mail"]);
    let table = place.ok(&["queue", "ls"]);
    assert!(table.contains("3 at a time"), "{table}");
    place.ok(&["queue", "rm", "mail"]);
    assert!(place.ok(&["queue", "ls"]).contains("no limits"));
    place.fails(&["queue", "rm", "mail"], 1);
    place.fails(&["queue", "set", "mail", "--rate", "many"], 2);
}

#[tokio::test]
async fn schedules_are_set_up_and_listed() {
    let place = Place::new().await;
    let args = [
        "schedule",
        "set",
        "nightly",
        "ship",
        "--cron",
        "30 3 * * *",
        "--zone",
        "Europe/Berlin",
    ];
    let set = place.ok(&args);
    assert_eq!(set, "schedule nightly: 30 3 * * * (Europe/Berlin)\n");
    let listed = place.json(&["schedule", "ls", "--json"]);
    let nightly = &listed["schedules"][0];
    assert!(
        nightly["next_at"].as_str().unwrap().contains("30:00"),
        "{nightly}"
    );
    place.ok(&["schedule", "pause", "nightly"]);
    assert!(place.ok(&["schedule", "ls"]).contains("paused"));
    place.ok(&["schedule", "resume", "nightly"]);
    place.fails(&["schedule", "set", "x", "ship"], 2);
    let why = place.fails(&["schedule", "set", "x", "ship", "--cron", "daily"], 2);
    assert!(why.contains("is no cron expression"), "{why}");
    let why = place.fails(&["schedule", "pause", "x"], 1);
    assert!(why.contains("there is no schedule `x`"), "{why}");
    place.ok(&["schedule", "rm", "nightly"]);
    assert_eq!(place.ok(&["schedule", "ls"]), "no schedules\n");
}

#[tokio::test]
async fn follow_tells_what_happens_until_the_end() {
    let place = Place::new().await;
    place.start("a").await;
    let mut command = Command::new(env!("CARGO_BIN_EXE_durable"));
    command
        .args(["show", "a", "--follow"])
        .env("DURABLE_STORE", &place.url);
    let following = command.stdout(Stdio::piped()).spawn().unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let output = json("1");
    place
        .end(
            "a",
            vec![step(1, "reserve")],
            ExecutionUpdate::Succeed { output },
        )
        .await;
    let said = following.wait_with_output().unwrap();
    assert!(said.status.success());
    let said = String::from_utf8(said.stdout).unwrap();
    let lines: Vec<_> = said.lines().collect();
    assert!(lines[0].ends_with("a queued"), "{said}");
    assert!(
        lines
            .iter()
            .any(|line| line.contains("step reserve succeeded")),
        "{said}"
    );
    assert!(lines.last().unwrap().ends_with("a succeeded"), "{said}");
    let ended = place.ok(&["show", "a", "--follow", "--json"]);
    let lines: Vec<serde_json::Value> = ended
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(
        (&lines[0]["name"], &lines[1]["status"]),
        (&"reserve".into(), &"succeeded".into())
    );
}

#[tokio::test]
async fn completions_know_the_commands() {
    let place = Place::new().await;
    for shell in ["bash", "zsh", "fish"] {
        let script = place.ok(&["completion", shell]);
        assert!(
            script.contains("retry") && script.contains("schedule"),
            "{shell}"
        );
    }
}
