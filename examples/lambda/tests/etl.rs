//! Test of the example `etl` as a Lambda function: the result has to equal that of a local run.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "../../etl/app.rs"]
mod app;
#[path = "../../etl/handler.rs"]
mod handler;

use std::fs;
use std::path::Path;
use std::time::Duration;

use app::{App, Console, Job, Source, Target};
use durable_lambda_tests::{Config, ExecutionOutcome, Fake, Fault, InvocationEnd, Program};
use rusqlite::Connection;
use rusqlite::types::Value as Cell;
use serde_json::{Value, json};

const BATCH: u64 = 10;

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

/// Runs the same handler in this process, and returns the job.
async fn run_locally(folder: &Path) -> Job {
    let source = Source {
        path: workspace().join("examples/data/birdstrikes.csv"),
    };
    let checked = source.check().unwrap();
    let job = Job {
        file: "birdstrikes.csv".to_owned(),
        sha256: checked.sha256,
        rows: checked.rows,
        batch: BATCH,
        target: folder.join("target.db"),
        report: folder.to_owned(),
    };
    let app = App {
        console: Console::new(checked.rows),
        source,
        target: Target {
            path: job.target.clone(),
        },
        effects: None,
        crash_after: None,
    };
    app.target.check().unwrap();
    durable::run(handler::etl, "local", job.clone())
        .state(&app)
        .store(durable::open("memory:").await.unwrap())
        .await
        .unwrap();
    job
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_invocations_load_the_same_as_one_process() {
    let (local, lambda) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let job = run_locally(local.path()).await;

    // A tenth of it is reserved, which is more than a busy machine stalls a process.
    let mut fake = Fake::start(Config {
        deadline: Duration::from_secs(4),
        speedup: 1_000.0,
        ..Config::default()
    })
    .await;
    // With this delay a thousand batches take several invocations, even on a fast machine.
    fake.fault_from(1, Fault::Delay(Duration::from_millis(10)));
    let path = |name: &str| lambda.path().join(name).display().to_string();
    let source = workspace().join("examples/data/birdstrikes.csv");
    let function = Program::new(env!("CARGO_BIN_EXE_bootstrap"))
        .env("ETL_SOURCE", source.display().to_string())
        .env("ETL_TARGET", path("target.db"))
        .env("ETL_EFFECTS", path("effects"));
    fake.run(function);
    let job = json!(Job {
        target: lambda.path().join("target.db"),
        report: lambda.path().to_owned(),
        ..job
    });
    let execution = fake.execute("etl", &job);
    let outcome = execution.outcome().await;
    let ExecutionOutcome::Succeeded(result) = outcome else {
        panic!("{outcome:?}: {:#?}", fake.recording().output);
    };

    let recording = fake.recording();
    assert!(
        recording.invocations.len() >= 3,
        "{} invocations",
        recording.invocations.len()
    );
    let timed_out = |end: &Option<InvocationEnd>| *end == Some(InvocationEnd::TimedOut);
    assert!(
        !recording
            .invocations
            .iter()
            .any(|invocation| timed_out(&invocation.end))
    );
    recording.assert_well_behaved();
    assert_eq!(
        rows(&local.path().join("target.db")),
        rows(&lambda.path().join("target.db"))
    );
    let read = |folder: &Path| fs::read_to_string(folder.join("report.txt")).unwrap();
    assert_eq!(read(local.path()), read(lambda.path()));
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
        "invocations": recording.invocations.len(),
        "calls": recording.checkpoints.len(),
    });
    println!("{line}");
}
