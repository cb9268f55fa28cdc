//! The example `etl` as a Lambda function, held against the same program on this machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use durable_lambda_tests::{Config, Ended, Fake, InvocationEnd, Program};
use rusqlite::Connection;
use rusqlite::types::Value as Cell;
use serde_json::{Value, json};

const BATCH: u64 = 10;

/// The program and the function, built with the features that the whole workspace has: a build of
/// their packages alone would compile their dependencies again.
fn build() -> (PathBuf, PathBuf) {
    let output = Command::new(env!("CARGO"))
        .args([
            "build",
            "--workspace",
            "--example",
            "etl",
            "--bin",
            "bootstrap",
        ])
        .args(["--message-format", "json"])
        .current_dir(workspace())
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(output.status.success(), "the example does not build");
    let messages = String::from_utf8(output.stdout).unwrap();
    let messages = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let messages: Vec<Value> = messages.collect();
    let find = |name: &str| {
        let mut named = messages
            .iter()
            .filter(|message| message["target"]["name"] == name);
        named
            .find_map(|message| message["executable"].as_str().map(PathBuf::from))
            .unwrap()
    };
    (find("etl"), find("bootstrap"))
}

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .unwrap()
}

fn rows(target: &Path) -> Vec<Vec<Cell>> {
    let target = Connection::open(target).unwrap();
    let mut query = target
        .prepare("SELECT * FROM bird_strikes ORDER BY line")
        .unwrap();
    let columns = query.column_count();
    let rows = query.query_map([], |row| {
        (0..columns).map(|column| row.get(column)).collect()
    });
    rows.unwrap().collect::<Result<_, _>>().unwrap()
}

/// The load on this machine; the job that it was.
fn run_here(program: &Path, folder: &Path) {
    let store = format!("sqlite:{}", folder.join("store.db").display());
    let output = Command::new(program)
        .args([
            "--id",
            "here",
            "--store",
            &store,
            "--batch",
            &BATCH.to_string(),
        ])
        .arg("--target")
        .arg(folder.join("target.db"))
        .arg("--report")
        .arg(folder)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_invocations_load_what_one_process_loads() {
    let (program, function) = build();
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    run_here(&program, here.path());

    // A six-hundredth of the fifteen minutes that Lambda gives.
    let mut fake = Fake::start(Config {
        deadline: Duration::from_millis(1_500),
        pace: 1_000.0,
        ..Config::default()
    })
    .await;
    let path = |name: &str| there.path().join(name).display().to_string();
    let source = workspace().join("examples/data/birdstrikes.csv");
    let function = Program::new(function)
        .env("ETL_SOURCE", source.display().to_string())
        .env("ETL_TARGET", path("target.db"))
        .env("ETL_EFFECTS", path("effects"));
    fake.run(function);
    let job = json!({
        "file": "birdstrikes.csv",
        "sha256": "of no account here",
        "rows": 10_000,
        "batch": BATCH,
        "target": path("target.db"),
        "report": there.path(),
    });
    let started = fake.execute("etl", &job);
    let ended = started.ended().await;
    let Ended::Succeeded(result) = ended else {
        panic!("{ended:?}: {:#?}", fake.record().output);
    };

    let record = fake.record();
    assert!(
        record.invocations.len() >= 3,
        "{} invocations",
        record.invocations.len()
    );
    let cut_off = |end: &Option<InvocationEnd>| *end == Some(InvocationEnd::TimedOut);
    assert!(
        !record
            .invocations
            .iter()
            .any(|invocation| cut_off(&invocation.end))
    );
    record.assert_well_behaved();
    assert_eq!(
        rows(&here.path().join("target.db")),
        rows(&there.path().join("target.db"))
    );
    let read = |folder: &Path| fs::read_to_string(folder.join("report.txt")).unwrap();
    assert_eq!(read(here.path()), read(there.path()));
    assert_eq!(
        serde_json::from_str::<Value>(&result).unwrap()["rows"],
        10_000
    );

    let effects = fs::read_to_string(path("effects")).unwrap();
    let mut loads: Vec<&str> = effects
        .lines()
        .filter(|line| line.starts_with("load["))
        .collect();
    assert_eq!(loads.len() as u64, 10_000 / BATCH);
    loads.sort_unstable();
    loads.dedup();
    assert_eq!(loads.len() as u64, 10_000 / BATCH);
    let line = json!({
        "measured": "locally, against the fake",
        "batches": loads.len(),
        "invocations": record.invocations.len(),
        "calls": record.checkpoints.len(),
    });
    println!("{line}");
}
