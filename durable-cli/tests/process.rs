//! Runs the command as a process on SQLite files.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use durable_core::store::{Batch, ExecutionUpdate, NewExecution, Store};
use durable_core::{ExecutionId, Record};
use support::{START, import, json, leaking};
use tempfile::TempDir;

/// Creates a store with `count` executions, a suspended `import-7` and a failed `import-8`.
async fn store(count: usize) -> (TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", dir.path().join("store.db").display());
    let store = durable::open(&url).await.unwrap();
    for n in 0..count {
        start(&*store, &format!("order-{n:04}")).await;
    }
    let (execution, records) = import();
    let wake_at = execution.wake_at;
    let end = ExecutionUpdate::Suspend { wake_at };
    write(&*store, &execution.id, records, end).await;
    let (execution, records) = leaking();
    let error = execution.error.unwrap();
    let end = ExecutionUpdate::Fail { error };
    write(&*store, &execution.id, records, end).await;
    (dir, url)
}

async fn start(store: &dyn Store, id: &str) {
    let new = NewExecution::new(id.parse().unwrap(), "ship", json("17"), START);
    store.start(new).await.unwrap();
}

async fn write(store: &dyn Store, id: &ExecutionId, records: Vec<Record>, end: ExecutionUpdate) {
    start(store, id.as_str()).await;
    let lease = store.claim(id, START, Duration::from_secs(60)).await;
    let batch = Batch {
        id: 1,
        records,
        children: Vec::new(),
        seen: 0,
        messages_after: None,
        execution: Some(end),
    };
    let fence = lease.unwrap().fence;
    store.checkpoint(&fence, Arc::new(batch)).await.unwrap();
}

fn durable(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_durable"));
    command.args(args).env_remove("DURABLE_STORE");
    command
}

fn output(args: &[&str]) -> Output {
    durable(args).output().unwrap()
}

fn stdout(output: &Output) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Asserts that a command failed with this exit code and no output, and returns its message.
fn failure(output: &Output, code: i32) -> String {
    let stderr = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    assert!(output.stdout.is_empty());
    assert!(!stderr.contains("panicked"), "{stderr}");
    stderr
}

#[tokio::test]
async fn ls_filters_and_limits() {
    let (_dir, url) = store(3).await;
    let all = stdout(&output(&["ls", "--store", &url]));
    assert_eq!(all.lines().count(), 6, "{all}");
    assert!(!all.contains('\u{1b}'));

    let failed = stdout(&output(&[
        "ls",
        "--store",
        &url,
        "--status",
        "failed,blocked",
    ]));
    assert_eq!(failed.lines().count(), 2, "{failed}");
    assert!(failed.contains("import-8"));

    let limited = stdout(&output(&["ls", "--store", &url, "--limit", "2"]));
    assert!(limited.contains("There are more"), "{limited}");

    let none = stdout(&output(&["ls", "--store", &url, "--handler", "nobody"]));
    assert_eq!(none, "no executions\n");

    let listing = stdout(&output(&["ls", "--store", &url, "--limit", "2", "--json"]));
    let listing: serde_json::Value = serde_json::from_str(&listing).unwrap();
    assert_eq!(listing["format"], 1);
    assert_eq!(listing["more"], true);
    assert_eq!(listing["executions"][0]["id"], "import-7");
    assert_eq!(listing["executions"][0]["status"], "suspended");
}

#[tokio::test]
async fn the_store_can_be_set_in_the_environment() {
    let (_dir, url) = store(0).await;
    let shown = durable(&["show", "import-7"])
        .env("DURABLE_STORE", &url)
        .output();
    let shown = stdout(&shown.unwrap());
    assert!(shown.contains("files[a.csv]/parse"), "{shown}");
}

#[tokio::test]
async fn show_prints_the_execution_and_its_operations() {
    let (_dir, url) = store(0).await;
    let shown = stdout(&output(&["show", "import-7", "--store", &url]));
    for part in [
        "└─ files[a.csv]/send[4]",
        "timed out: took longer",
        "src/import.rs:13",
        "(secret)",
    ] {
        assert!(shown.contains(part), "{part} is not in\n{shown}");
    }
    assert!(!shown.contains(&"x".repeat(80)));
    let full = stdout(&output(&["show", "import-7", "--store", &url, "--full"]));
    assert!(full.contains(&"x".repeat(80)));

    let history = stdout(&output(&["show", "import-7", "--store", &url, "--json"]));
    let history: serde_json::Value = serde_json::from_str(&history).unwrap();
    assert_eq!(history["operations"][2]["path"], "files[a.csv]/parse");
    assert_eq!(
        history["operations"][2]["parent"],
        history["operations"][1]["id"]
    );
}

#[tokio::test]
async fn secrets_are_never_printed() {
    let (_dir, url) = store(0).await;
    for id in ["import-7", "import-8"] {
        for how in ["--full", "--json"] {
            let shown = stdout(&output(&["show", id, "--store", &url, how]));
            assert!(!shown.contains("hunter2"), "{shown}");
            assert!(!shown.contains("4111"), "{shown}");
        }
    }
}

#[tokio::test]
async fn an_unknown_id_exits_with_3_and_suggests_similar_ids() {
    let (_dir, url) = store(3).await;
    let similar = failure(&output(&["show", "imprt-7", "--store", &url]), 3);
    assert!(similar.contains("no execution `imprt-7`"), "{similar}");
    assert!(similar.contains("did you mean `import-7`"), "{similar}");
    let unlike = failure(&output(&["show", "nothing-like-it", "--store", &url]), 3);
    assert!(unlike.contains("durable ls"), "{unlike}");
}

#[test]
fn invalid_arguments_exit_with_2() {
    failure(&output(&["show"]), 2);
    failure(&output(&["show", "two words"]), 2);
    failure(&output(&["ls", "--limit", "0"]), 2);
    let status = failure(&output(&["ls", "--status", "done"]), 2);
    assert!(status.contains("succeeded"), "{status}");
}

#[test]
fn a_missing_store_is_not_created() {
    let dir = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", dir.path().join("store.db").display());
    let message = failure(&output(&["ls", "--store", &url]), 1);
    assert!(message.contains("no such file"), "{message}");
    assert!(message.contains(&url), "{message}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);

    let message = durable(&["ls"]).current_dir(dir.path()).output().unwrap();
    let message = failure(&message, 1);
    assert!(message.contains("sqlite:durable.db"), "{message}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn files_that_are_not_stores_are_not_changed() {
    let dir = tempfile::tempdir().unwrap();
    let text = dir.path().join("notes.txt");
    fs::write(
        &text,
        "not a database, but longer than the header of one would be\n".repeat(40),
    )
    .unwrap();
    let empty = dir.path().join("empty.db");
    fs::write(&empty, "").unwrap();
    let other = dir.path().join("other.db");
    database_of_another_program(&other);
    for path in [dir.path(), &text, &empty, &other] {
        let before = fs::read(path).ok();
        let message = failure(
            &output(&["ls", "--store", &format!("sqlite:{}", path.display())]),
            1,
        );
        assert!(message.contains(&*path.to_string_lossy()), "{message}");
        assert_eq!(
            fs::read(path).ok(),
            before,
            "{} was changed",
            path.display()
        );
    }
    for url in ["memory:", "mysql:x", "store.db"] {
        failure(&output(&["ls", "--store", url]), 1);
    }
}

fn database_of_another_program(path: &Path) {
    let connection = rusqlite::Connection::open(path).unwrap();
    connection
        .execute_batch("CREATE TABLE birds (name TEXT);")
        .unwrap();
}

/// The reader closes the pipe, as in `durable ls | head -1`.
#[tokio::test]
async fn a_closed_pipe_is_not_an_error() {
    let (_dir, url) = store(1500).await;
    let mut child = durable(&["ls", "--store", &url, "--limit", "2000"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = child.stdout.take().unwrap();
    out.read_exact(&mut [0; 10]).unwrap();
    drop(out);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    assert!(output.stderr.is_empty());
}
