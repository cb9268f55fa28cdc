//! `check` and `graph` as processes: a lock against what is in a store. `BLESS=1` rewrites what is expected of
//! them in `golden/`.

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

/// The names that `import-7` was recorded with.
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

/// Those of a build that breaks things.
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
    /// Two imports, one suspended and one failed, and two shipments that have not begun.
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
    fn answer(&self, args: &[&str], code: i32) -> String {
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
async fn executions_that_go_on_are_safe() {
    let store = Store::new().await;
    store.lock(SAME);
    let text = store.answer(&["check"], 0);
    assert_eq!(text, "3 open executions against durable.lock: 3 safe\n");
    let text = store.answer(&["check", "--handler", "nobody"], 0);
    assert_eq!(
        text,
        "0 open executions against durable.lock: nothing to check\n"
    );
}

#[tokio::test]
async fn executions_that_would_not_go_on_are_named_and_fail_the_command() {
    let store = Store::new().await;
    store.lock(BROKEN);
    golden("check.txt", &store.answer(&["check"], 4));
    let listing = store.answer(&["check", "--json"], 4);
    let parsed: serde_json::Value = serde_json::from_str(&listing).unwrap();
    assert_eq!(parsed["counts"]["blocked"], 3);
    golden("check.json", &listing);
    let imports = ["check", "--handler", "import", "--allow", "blocked"];
    store.answer(&imports, 0);
    let imports = ["check", "--handler", "import", "--allow", "reruns,orphaned"];
    store.answer(&imports, 4);
}

#[tokio::test]
async fn a_lock_that_cannot_be_read_is_named() {
    let store = Store::new().await;
    let text = store.answer(&["check"], 1);
    assert!(text.contains("cannot read the lock durable.lock"), "{text}");
    store.lock("format 1\nstep");
    let text = store.answer(&["check"], 1);
    assert!(
        text.contains("durable.lock is no lock: line 2: only handlers"),
        "{text}"
    );
    store.lock(SAME);
    let text = store.answer(&["graph", "nobody"], 1);
    assert!(
        text.contains("there is no handler `nobody` in durable.lock; it has import, ship"),
        "{text}"
    );
    let text = store.answer(&["graph", "--execution", "import-9"], 3);
    assert!(text.contains("did you mean `import-7`"), "{text}");
}

#[tokio::test]
async fn a_graph_shows_the_structure_and_how_far_an_execution_has_come() {
    let store = Store::new().await;
    store.lock(SAME);
    golden("graph.mmd", &store.answer(&["graph", "import"], 0));
    golden("graph.svg", &store.answer(&["graph", "--format", "svg"], 0));
    let execution = ["graph", "--execution", "import-7"];
    golden("graph_execution.mmd", &store.answer(&execution, 0));
    let execution = ["graph", "--execution", "import-7", "--format", "svg"];
    golden("graph_execution.svg", &store.answer(&execution, 0));
}
