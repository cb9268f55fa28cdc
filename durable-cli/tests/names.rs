//! Runs `check` and `graph` as processes: a lock file compared with the executions of a store. `BLESS=1`
//! rewrites the expected output in `golden/`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::Duration;

use durable_core::store::{Batch, ExecutionUpdate, NewExecution};
use durable_core::{ExecutionId, Record};
use support::{START, import, json, leaking};
use tempfile::TempDir;

/// Names that `import-7` was recorded with.
const SAME: &str = r#"format 1

handler "import": app::Job -> app::Summary
  step "list_files": alloc::vec::Vec<alloc::string::String>
  scope "files"[key]
    step "parse"
    step "send"[turn]
    parallel "both": durable_core::BatchResult<u32>
      branch "left"[key]
        step "one"
      branch "right"[key]
        step "other"
  step "token"
  wait "night"
  race "answer"
    wait_for_callback "manager"
      callback "callback"
      step "submit"
    wait "late"
  invoke "publish <&> \"all\""

handler "ship" was "send": u32 -> ()
  step "pack"
"#;

/// Names of a build with incompatible changes.
const BROKEN: &str = r#"format 1

handler "import": app::Job -> app::Summary
  step "list_all_files"
  scope "files"[key]
    wait "parse"
  step "token": u64
  wait "night"
"#;

struct Store {
    folder: TempDir,
    url: String,
}

impl Store {
    /// Creates two imports, one suspended and one failed, and two shipments that have not begun.
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("store.db").display());
        let store = durable::open(&url).await.unwrap();
        for id in ["order-1", "order-2"] {
            let new = NewExecution::new(id.parse().unwrap(), "ship", json("17"), START);
            store.start(new).await.unwrap();
        }
        let (execution, mut records) = import();
        records[4].value_type = Some("alloc::string::String".into());
        let wake_at = execution.wake_at;
        let end = ExecutionUpdate::Suspend { wake_at };
        write(&*store, &execution.id, records, end).await;
        let (execution, records) = leaking();
        let end = ExecutionUpdate::Fail {
            error: execution.error.unwrap(),
        };
        write(&*store, &execution.id, records, end).await;
        Self { folder, url }
    }

    fn lock(&self, text: &str) -> PathBuf {
        let path = self.folder.path().join("durable.lock");
        std::fs::write(&path, text).unwrap();
        path
    }

    fn run(&self, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_durable"));
        let command = command.args(args).current_dir(self.folder.path());
        command.env("DURABLE_STORE", &self.url).output().unwrap()
    }

    #[track_caller]
    fn output(&self, args: &[&str], code: i32) -> String {
        let output = self.run(args);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{stderr}");
        match code {
            0 | 4 => String::from_utf8(output.stdout).unwrap(),
            _ => stderr.into_owned(),
        }
    }
}

async fn write(
    store: &dyn durable::store::Store,
    id: &ExecutionId,
    records: Vec<Record>,
    end: ExecutionUpdate,
) {
    let new = NewExecution::new(id.clone(), "import", json("{}"), START);
    store.start(new).await.unwrap();
    let lease = store.claim(id, START, Duration::from_secs(60)).await;
    let batch = Batch {
        id: 1,
        records,
        execution: Some(end),
        ..Batch::default()
    };
    let fence = lease.unwrap().fence;
    store.checkpoint(&fence, Arc::new(batch)).await.unwrap();
}

#[track_caller]
fn golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name);
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, expected, "{name} differs; BLESS=1 rewrites it");
}

#[tokio::test]
async fn executions_that_would_resume_are_safe() {
    let store = Store::new().await;
    store.lock(SAME);
    let text = store.output(&["check"], 0);
    assert_eq!(text, "3 open executions against durable.lock: 3 safe\n");
    let text = store.output(&["check", "--handler", "nobody"], 0);
    assert_eq!(
        text,
        "0 open executions against durable.lock: nothing to check\n"
    );
}

#[tokio::test]
async fn executions_that_would_not_resume_are_listed_and_fail_the_command() {
    let store = Store::new().await;
    store.lock(BROKEN);
    golden("check.txt", &store.output(&["check"], 4));
    let listing = store.output(&["check", "--json"], 4);
    let parsed: serde_json::Value = serde_json::from_str(&listing).unwrap();
    assert_eq!(parsed["counts"]["blocked"], 3);
    golden("check.json", &listing);
    let imports = ["check", "--handler", "import", "--allow", "blocked"];
    store.output(&imports, 0);
    let imports = ["check", "--handler", "import", "--allow", "reruns,orphaned"];
    store.output(&imports, 4);
}

#[tokio::test]
async fn an_unreadable_lock_file_is_reported() {
    let store = Store::new().await;
    let text = store.output(&["check"], 1);
    assert!(
        text.contains("cannot read the lock file durable.lock"),
        "{text}"
    );
    store.lock("format 1\nstep");
    let text = store.output(&["check"], 1);
    assert!(
        text.contains("durable.lock is not a valid lock file: line 2: expected `handler`"),
        "{text}"
    );
    store.lock(SAME);
    let text = store.output(&["graph", "nobody"], 1);
    assert!(
        text.contains("there is no handler `nobody` in durable.lock; it has import, ship"),
        "{text}"
    );
    let text = store.output(&["graph", "--execution", "import-9"], 3);
    assert!(text.contains("did you mean `import-7`"), "{text}");
}

#[tokio::test]
async fn a_graph_shows_the_operations_and_the_progress_of_an_execution() {
    let store = Store::new().await;
    store.lock(SAME);
    golden("graph.mmd", &store.output(&["graph", "import"], 0));
    golden("graph.svg", &store.output(&["graph", "--format", "svg"], 0));
    let execution = ["graph", "--execution", "import-7"];
    golden("graph_execution.mmd", &store.output(&execution, 0));
    let execution = ["graph", "--execution", "import-7", "--format", "svg"];
    golden("graph_execution.svg", &store.output(&execution, 0));
}
