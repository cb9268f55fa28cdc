//! Runs the commands that change executions, queues and schedules as processes on SQLite files.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use durable_core::store::{Batch, ExecutionStatus, ExecutionUpdate, NewExecution, Store};
use durable_core::{
    Client, ErrorKind, ExecutionId, Kind, Occurrence, OperationError, OperationId, Payload, Record,
    Status, Timestamp,
};
use tempfile::TempDir;

/// 2026-11-23T14:06:12.120Z
const START: Timestamp = Timestamp::from_millis(1_795_442_772_120);

fn json(text: &str) -> Payload {
    Payload::json(text.to_owned())
}

struct TestStore {
    _dir: TempDir,
    url: String,
    store: Arc<dyn Store>,
}

impl TestStore {
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

    /// Asserts that a command fails with this exit code and returns its message.
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

    /// Creates an execution with two steps, of which the second failed.
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
async fn a_start_sends_its_message_to_a_new_and_to_an_existing_execution() {
    let test = TestStore::new().await;
    test.ok(&["start", "ship", "order-1", "--input", "17"]);
    let with_message = |id: &'static str| {
        [
            "start",
            "ship",
            "order-1",
            "--input",
            "17",
            "--message",
            "paid=true",
            "--message-id",
            id,
        ]
    };
    for _ in 0..2 {
        let sent = test.ok(&with_message("m1"));
        assert_eq!(
            sent,
            "order-1 was started before, the message was sent to it\n"
        );
    }
    let new = ["start", "ship", "order-3", "--message", "paid=\"a=b\""];
    assert_eq!(test.ok(&new), "started order-3\n");
    let client = Client::new(Arc::clone(&test.store));
    for (id, value) in [("order-1", "true"), ("order-3", "\"a=b\"")] {
        let messages = client.messages(id).await.unwrap();
        assert_eq!((messages.len(), &*messages[0].name), (1, "paid"));
        assert_eq!(messages[0].payload, Payload::json(value.to_owned()));
    }
    let why = test.fails(&["start", "ship", "order-2", "--message", "paid"], 2);
    assert!(why.contains("as in approved=true"), "{why}");
}

#[tokio::test]
async fn the_newest_are_listed_first() {
    let test = TestStore::new().await;
    for id in ["b", "c", "a"] {
        test.ok(&["start", "ship", id, "--input", "1"]);
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let ids = |arguments: &[&str]| {
        let text = test.ok(&[&["ls", "--json"], arguments].concat());
        let page: serde_json::Value = serde_json::from_str(&text).unwrap();
        let all = page["executions"].as_array().unwrap().iter();
        let ids: Vec<_> = all
            .map(|one| one["id"].as_str().unwrap().to_owned())
            .collect();
        ids.join(" ")
    };
    assert_eq!(ids(&[]), "a b c");
    assert_eq!(ids(&["--newest", "--limit", "2"]), "a c");
}

#[tokio::test]
async fn starting_an_id_again_changes_nothing_and_is_reported() {
    let test = TestStore::new().await;
    let started = test.ok(&["start", "ship", "order-1", "--input", "17"]);
    assert_eq!(started, "started order-1\n");
    let again = test.ok(&["start", "ship", "order-1", "--input", "17"]);
    assert_eq!(again, "order-1 was started before\n");
    let why = test.fails(&["start", "ship", "order-1", "--input", "18"], 1);
    assert!(why.contains("was started with another input"), "{why}");
    let why = test.fails(&["start", "ship", "order-2", "--input", "text"], 2);
    assert!(why.contains("a string needs its own quotes"), "{why}");
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
    test.ok(&args);
    let listed = test.json(&["ls", "--queue", "q", "--json"]);
    let later = &listed["executions"][0];
    assert_eq!(later["start_at"], "2099-01-01T00:00:00.000Z");
    assert_eq!(
        (&later["key"], &later["priority"]),
        (&"k".into(), &0.into())
    );
}

#[tokio::test]
async fn json_input_is_stored_with_all_its_digits() {
    let test = TestStore::new().await;
    let input = r#"{"b": 340282366920938463463374607431768211455, "a": 0.1}"#;
    test.ok(&["start", "ship", "wide", "--input", input]);
    let stored = test.store.get(&"wide".parse().unwrap()).await.unwrap();
    let expected = br#"{"b":340282366920938463463374607431768211455,"a":0.1}"#;
    assert_eq!(&stored.input.data[..], expected);
    // The order of fields does not make a different input; a digit does.
    let again = r#"{"a": 0.10, "b": 340282366920938463463374607431768211455}"#;
    test.ok(&["start", "ship", "wide", "--input", again]);
    let other = r#"{"a": 0.1, "b": 340282366920938463463374607431768211454}"#;
    let why = test.fails(&["start", "ship", "wide", "--input", other], 1);
    assert!(why.contains("was started with another input"), "{why}");
}

#[tokio::test]
async fn executions_are_changed_by_id() {
    let test = TestStore::new().await;
    for id in ["a", "b"] {
        test.start(id).await;
    }
    assert_eq!(test.ok(&["pause", "a"]), "pause a\n1 execution\n");
    let listed = test.json(&["ls", "--paused", "--json"]);
    assert_eq!(listed["executions"].as_array().unwrap().len(), 1);
    assert!(test.ok(&["ls"]).contains("paused"));
    test.ok(&["resume", "a"]);
    test.ok(&["cancel", "a", "b", "--dry-run"]);
    assert_eq!(test.status("a").await, ExecutionStatus::Queued);
    test.ok(&["cancel", "a", "b"]);
    assert_eq!(test.status("a").await, ExecutionStatus::Cancelled);
    let why = test.fails(&["pause", "a"], 5);
    assert!(why.contains("there is nothing to pause"), "{why}");
    let why = test.fails(&["cancel", "c"], 3);
    assert!(why.contains("no execution `c`"), "{why}");
    test.ok(&["rm", "a"]);
    test.fails(&["show", "a"], 3);
}

#[tokio::test]
async fn executions_that_match_a_filter_are_changed_only_with_yes() {
    let test = TestStore::new().await;
    for n in 0..12 {
        test.start(&format!("order-{n:02}")).await;
    }
    let why = test.fails(&["cancel"], 2);
    assert!(why.contains("no executions selected"), "{why}");
    test.fails(&["cancel", "order-01", "--all"], 2);
    let why = test.fails(&["cancel", "--prefix", "order-"], 5);
    assert!(
        why.contains("would cancel 12 executions") && why.contains("and 2 more"),
        "{why}"
    );
    assert!(why.contains("confirm with --yes"), "{why}");
    assert_eq!(test.status("order-00").await, ExecutionStatus::Queued);
    let dry = test.json(&["cancel", "--all", "--dry-run", "--json"]);
    assert_eq!(
        (&dry["dry_run"], dry["executions"].as_array().unwrap().len()),
        (&true.into(), 12)
    );
    assert_eq!(test.status("order-00").await, ExecutionStatus::Queued);
    let done = test.json(&["cancel", "--all", "--yes", "--json"]);
    assert_eq!(
        (
            &done["change"],
            done["executions"].as_array().unwrap().len()
        ),
        (&"cancel".into(), 12)
    );
    assert_eq!(test.status("order-00").await, ExecutionStatus::Cancelled);
    let none = test.ok(&["cancel", "--all"]);
    assert_eq!(none, "0 executions\n");
}

#[tokio::test]
async fn retry_starts_at_the_failure_an_operation_or_the_beginning() {
    let test = TestStore::new().await;
    for id in ["a", "b", "c"] {
        test.failed(id).await;
    }
    test.ok(&["retry", "a"]);
    let history = test.store.history(&"a".parse().unwrap()).await.unwrap();
    let statuses: Vec<_> = history.iter().map(|record| record.status).collect();
    assert_eq!(statuses, [Status::Succeeded, Status::Pending]);
    assert_eq!(test.status("a").await, ExecutionStatus::Suspended);
    let why = test.fails(&["retry", "b", "--from", "reserved"], 5);
    assert!(why.contains("no operation `reserved`"), "{why}");
    test.ok(&["retry", "b", "--from", "reserve"]);
    assert!(
        test.store
            .history(&"b".parse().unwrap())
            .await
            .unwrap()
            .is_empty()
    );
    test.ok(&["retry", "--status", "failed", "--from-start", "--yes"]);
    assert_eq!(test.status("c").await, ExecutionStatus::Suspended);
}

#[tokio::test]
async fn gc_keeps_executions_that_are_open_or_ended_recently() {
    let test = TestStore::new().await;
    test.failed("old").await;
    test.start("waiting").await;
    let recent = test.ok(&["gc", "--keep", "1h", "--yes"]);
    assert_eq!(recent, "0 executions\n");
    let why = test.fails(&["gc", "--keep", "0s", "--status", "queued", "--yes"], 2);
    assert!(why.contains("have not ended"), "{why}");
    std::thread::sleep(Duration::from_millis(5));
    let gone = test.ok(&["gc", "--keep", "0s", "--yes"]);
    assert_eq!(gone, "remove old\n1 execution\n");
    assert_eq!(test.status("waiting").await, ExecutionStatus::Queued);
}

#[tokio::test]
async fn invalid_callback_ids_are_refused() {
    let test = TestStore::new().await;
    let why = test.fails(&["callback", "complete", "nonsense", "1"], 1);
    assert!(why.contains("invalid callback id"), "{why}");
    test.fails(&["callback", "heartbeat", "a:1:00:00"], 1);
}

#[tokio::test]
async fn queues_are_set_up_and_listed() {
    let test = TestStore::new().await;
    assert_eq!(test.ok(&["queue", "ls"]), "no queues\n");
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
    let set = test.ok(&args);
    assert_eq!(
        set,
        "queue mail: 3 at a time, 1 per key, 10 starts in 1 min\n"
    );
    test.ok(&["start", "ship", "a", "--queue", "mail"]);
    test.ok(&["queue", "pause", "mail"]);
    let listed = test.json(&["queue", "ls", "--json"]);
    let mail = &listed["queues"][0];
    assert_eq!(
        (&mail["waiting"], &mail["paused"]),
        (&1.into(), &true.into())
    );
    assert_eq!(
        (&mail["concurrency"], &mail["rate_ms"]),
        (&3.into(), &60_000.into())
    );
    test.ok(&["queue", "resume", "mail"]);
    let table = test.ok(&["queue", "ls"]);
    assert!(table.contains("3 at a time"), "{table}");
    test.ok(&["queue", "rm", "mail"]);
    assert!(test.ok(&["queue", "ls"]).contains("no limits"));
    test.fails(&["queue", "rm", "mail"], 1);
    test.fails(&["queue", "set", "mail", "--rate", "many"], 2);
}

#[tokio::test]
async fn schedules_are_set_up_and_listed() {
    let test = TestStore::new().await;
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
    let set = test.ok(&args);
    assert_eq!(set, "schedule nightly: 30 3 * * * (Europe/Berlin)\n");
    let listed = test.json(&["schedule", "ls", "--json"]);
    let nightly = &listed["schedules"][0];
    assert!(
        nightly["next_at"].as_str().unwrap().contains("30:00"),
        "{nightly}"
    );
    test.ok(&["schedule", "pause", "nightly"]);
    assert!(test.ok(&["schedule", "ls"]).contains("paused"));
    test.ok(&["schedule", "resume", "nightly"]);
    test.fails(&["schedule", "set", "x", "ship"], 2);
    let why = test.fails(&["schedule", "set", "x", "ship", "--cron", "daily"], 2);
    assert!(why.contains("invalid cron expression"), "{why}");
    let why = test.fails(&["schedule", "pause", "x"], 1);
    assert!(why.contains("there is no schedule `x`"), "{why}");
    test.ok(&["schedule", "rm", "nightly"]);
    assert_eq!(test.ok(&["schedule", "ls"]), "no schedules\n");
}

#[tokio::test]
async fn follow_prints_changes_until_the_execution_ends() {
    let test = TestStore::new().await;
    test.start("a").await;
    let mut command = Command::new(env!("CARGO_BIN_EXE_durable"));
    command
        .args(["show", "a", "--follow"])
        .env("DURABLE_STORE", &test.url);
    let following = command.stdout(Stdio::piped()).spawn().unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let output = json("1");
    test.end(
        "a",
        vec![step(1, "reserve")],
        ExecutionUpdate::Succeed { output },
    )
    .await;
    let printed = following.wait_with_output().unwrap();
    assert!(printed.status.success());
    let printed = String::from_utf8(printed.stdout).unwrap();
    let lines: Vec<_> = printed.lines().collect();
    assert!(lines[0].ends_with("a queued"), "{printed}");
    assert!(
        lines
            .iter()
            .any(|line| line.contains("step reserve succeeded")),
        "{printed}"
    );
    assert!(lines.last().unwrap().ends_with("a succeeded"), "{printed}");
    let ended = test.ok(&["show", "a", "--follow", "--json"]);
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
async fn transaction_schema_prints_sql_that_creates_the_table() {
    let test = TestStore::new().await;
    let sql = test.ok(&["transaction-schema", "sqlite"]);
    let database = rusqlite::Connection::open_in_memory().unwrap();
    for _ in 0..2 {
        database.execute_batch(&sql).unwrap();
    }
    let count = "SELECT count(*) FROM durable_transactions";
    let rows: i64 = database.query_row(count, [], |row| row.get(0)).unwrap();
    assert_eq!(rows, 0);
    for (dialect, word) in [("postgres", "bytea"), ("mysql", "longblob")] {
        let sql = test.ok(&["transaction-schema", dialect]);
        assert!(sql.contains(word), "{sql}");
    }
}

#[tokio::test]
async fn completion_scripts_contain_the_commands() {
    let test = TestStore::new().await;
    for shell in ["bash", "zsh", "fish"] {
        let script = test.ok(&["completion", shell]);
        assert!(
            script.contains("retry") && script.contains("schedule"),
            "{shell}"
        );
    }
}

#[tokio::test]
async fn executions_are_selected_by_label() {
    let test = TestStore::new().await;
    let start = |id: &str, labels: &[&str]| {
        let mut args = vec!["start", "ship", id];
        for label in labels {
            args.extend(["--label", label]);
        }
        test.ok(&args);
    };
    start("a", &["tenant=acme", "env=prod"]);
    start("b", &["tenant=acme"]);
    start("c", &[]);
    // A second start keeps the labels.
    start("c", &["tenant=acme"]);
    let listed = test.ok(&["ls", "--label", "tenant=acme"]);
    assert!(listed.contains("env=prod tenant=acme"), "{listed}");
    assert!(!listed.contains("\nc "), "{listed}");
    let shown = test.json(&["show", "a", "--json"]);
    let labels = serde_json::json!({"env": "prod", "tenant": "acme"});
    assert_eq!(shown["execution"]["labels"], labels);
    assert!(test.ok(&["show", "a"]).contains("env=prod tenant=acme"));
    test.ok(&[
        "cancel",
        "--label",
        "tenant=acme",
        "--label",
        "env=prod",
        "--yes",
    ]);
    assert_eq!(test.status("a").await, ExecutionStatus::Cancelled);
    assert_eq!(test.status("b").await, ExecutionStatus::Queued);
    let why = test.fails(&["ls", "--label", "tenant"], 2);
    assert!(why.contains("as in tenant=acme"), "{why}");
    let why = test.fails(&["start", "ship", "d", "--label", "two words=x"], 2);
    assert!(why.contains("invalid label key"), "{why}");
    let set = [
        "schedule",
        "set",
        "s",
        "ship",
        "--every",
        "1h",
        "--label",
        "tenant=acme",
    ];
    test.ok(&set);
    let plan = test.store.schedules(None).await.unwrap().remove(0).plan;
    assert!(plan.contains(r#""labels":{"tenant":"acme"}"#), "{plan}");
}

#[tokio::test]
async fn a_fork_takes_over_what_came_before_an_operation() {
    let test = TestStore::new().await;
    test.failed("a").await;
    let forked = test.ok(&["fork", "a", "b", "--before", "pay", "--input", "18"]);
    assert_eq!(forked, "started b with 1 operations of a\n");
    let again = test.ok(&["fork", "a", "b", "--before", "pay", "--input", "18"]);
    assert_eq!(again, "b was forked before\n");
    let shown = test.json(&["show", "b", "--json"]);
    let origin = serde_json::json!({"execution": "a", "seq": 1, "records": 1});
    assert_eq!(shown["execution"]["forked_from"], origin);
    assert_eq!(shown["execution"]["input"]["json"], 18);
    assert_eq!(shown["operations"][0]["path"], "reserve");
    assert_eq!(shown["operations"].as_array().unwrap().len(), 1);
    let text = test.ok(&["show", "b"]);
    assert!(
        text.contains("forked from  a  operations 1 to 1 taken over"),
        "{text}"
    );
    let why = test.fails(&["fork", "a", "b", "--after", "pay"], 1);
    assert!(why.contains("choose another id"), "{why}");
    let why = test.fails(&["fork", "a", "c", "--before", "ship"], 1);
    assert!(why.contains("there is no operation `ship`"), "{why}");
    test.fails(&["fork", "none", "c"], 3);
    test.fails(&["fork", "a", "c", "--before", "pay", "--after", "pay"], 2);
}

#[tokio::test]
async fn past_times_of_a_schedule_are_backfilled() {
    let test = TestStore::new().await;
    test.ok(&["schedule", "set", "s", "ship", "--every", "1h"]);
    let range = [
        "--from",
        "2026-11-20T00:00:00Z",
        "--to",
        "2026-11-20T02:00:00Z",
    ];
    let backfill = |more: &[&'static str]| {
        let mut args = vec!["schedule", "backfill", "s"];
        args.extend(range);
        args.extend(more);
        args
    };
    let would = test.ok(&backfill(&["--dry-run"]));
    let expected = "would start s@2026-11-20T00:00:00Z\nwould start s@2026-11-20T01:00:00Z\n";
    assert_eq!(would, expected);
    let why = test.fails(&backfill(&["--limit", "1"]), 1);
    assert!(why.contains("more than 1 times"), "{why}");
    let done = test.json(&backfill(&["--json"]));
    assert_eq!(done["started"].as_array().unwrap().len(), 2);
    let again = test.json(&backfill(&["--json"]));
    assert_eq!(again["existing"], done["started"]);
    assert_eq!(
        test.status("s@2026-11-20T01:00:00Z").await,
        ExecutionStatus::Queued
    );
}

#[tokio::test]
async fn published_values_are_shown_and_listed() {
    let test = TestStore::new().await;
    let published = |seq, name: &str, value: &str| {
        let mut record = step(seq, "#published");
        record.kind = Kind::Record;
        record.occurrence = Occurrence::Keyed(name.to_owned());
        record.id = OperationId::of(OperationId::ROOT, "#published", &record.occurrence);
        record.attempt = 3;
        record.payload = Some(json(value));
        record
    };
    let records = vec![
        step(1, "load"),
        published(2, "stage", "\"loading\""),
        published(3, "progress", "70"),
    ];
    test.start("a").await;
    test.end("a", records, ExecutionUpdate::Suspend { wake_at: None })
        .await;
    test.start("b").await;
    let listed = test.ok(&["ls", "--published", "progress"]);
    let mut lines = listed.lines();
    assert!(lines.next().unwrap().ends_with("PUBLISHED"), "{listed}");
    assert!(lines.next().unwrap().ends_with("  70"), "{listed}");
    assert!(!test.ok(&["ls"]).contains("PUBLISHED"));
    let shown = test.ok(&["show", "a"]);
    let rows: Vec<_> = shown
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .collect();
    let row = rows.iter().find(|row| row.first() == Some(&"progress"));
    assert_eq!(
        (row.unwrap()[1], row.unwrap().last()),
        ("3", Some(&"70")),
        "{shown}"
    );
    assert!(
        shown.contains("1 operation:") && !shown.contains('#'),
        "{shown}"
    );
    let json = test.json(&["show", "a", "--json"]);
    assert_eq!(json["published"][0]["name"], "progress");
    assert_eq!(json["published"][1]["value"]["json"], "loading");
    assert_eq!(json["operations"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn messages_are_shown_with_their_operation() {
    let test = TestStore::new().await;
    test.start("a").await;
    assert!(!test.ok(&["show", "a"]).contains("MESSAGE"));
    test.ok(&["send", "a", "line", "\"one\"", "--id", "m-1"]);
    test.ok(&["send", "a", "line", "2"]);
    let mut received = step(1, "line");
    (received.kind, received.handle) = (Kind::Receive, Some("1".to_owned()));
    let update = ExecutionUpdate::Suspend { wake_at: None };
    test.end("a", vec![received], update).await;
    let shown = test.ok(&["show", "a"]);
    let line = |name: &str| shown.lines().find(|line| line.contains(name)).unwrap();
    assert!(
        line("m-1").contains("operation 1") && line("m-1").contains("\"one\""),
        "{shown}"
    );
    assert!(shown.lines().last().unwrap().contains("waits"), "{shown}");
    let json = test.json(&["show", "a", "--json"]);
    assert_eq!(json["messages"][0]["received_by"], 1);
    assert_eq!(json["messages"][1]["value"]["json"], 2);
}
