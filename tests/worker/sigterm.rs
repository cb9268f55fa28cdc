//! A worker process that receives SIGTERM exits gracefully.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use durable::prelude::*;
use durable::sqlite::SqliteStore;
use durable::{Client, Worker};

use crate::support::until;

const EXECUTIONS: u64 = 8;
const STEPS: u64 = 6;

fn note(path: &Path, what: &str, step: &StepInfo, key: u64) {
    let file = path.with_file_name("effects");
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(file)
        .unwrap();
    let line = format!("{what} {} {key}\n", step.execution_id());
    file.write_all(line.as_bytes()).unwrap();
}

async fn work(path: &Path, step: &StepInfo, key: u64) -> Result<u64, String> {
    note(path, "begin", step, key);
    tokio::time::sleep(Duration::from_millis(120)).await;
    note(path, "end", step, key);
    Ok(key)
}

struct StorePath(PathBuf);

#[durable]
async fn slow(path: &StorePath, first: u64) -> Result<u64, BoxError> {
    let mut sum = first;
    for key in 0..STEPS {
        sum += step!("work", key = key, |step| work(&path.0, step, key).await).await?;
    }
    Ok(sum)
}

/// The main function of a worker process, which runs until SIGTERM. Does nothing when it runs as a normal test.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child() {
    let Ok(path) = std::env::var("DURABLE_SIGTERM_PATH") else {
        return;
    };
    let path = PathBuf::from(path);
    let store = SqliteStore::open(&path).await.unwrap();
    Worker::new(store)
        .state(StorePath(path))
        .register(slow)
        .run()
        .await
        .unwrap();
}

fn spawn(path: &Path) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([
        "--exact",
        "sigterm::child",
        "--nocapture",
        "--test-threads=1",
    ]);
    command
        .env("DURABLE_SIGTERM_PATH", path)
        .stdout(Stdio::null());
    command.spawn().unwrap()
}

fn terminate(child: &mut Child) {
    let pid = child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .unwrap()
            .success()
    );
    assert!(
        child.wait().unwrap().success(),
        "it exits by itself, with success"
    );
}

fn effects(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path.with_file_name("effects")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_receives_sigterm_ends_its_bodies_and_starts_no_others() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.db");
    let client = Client::new(SqliteStore::open(&path).await.unwrap());
    for n in 0..EXECUTIONS {
        client.start(slow, format!("slow-{n}"), n).await.unwrap();
    }
    // Each of these processes receives SIGTERM while bodies run.
    for stopped in 1..=2 {
        let mut worker = spawn(&path);
        let seen = effects(&path).len();
        until(async || effects(&path).len() > seen + 3).await;
        terminate(&mut worker);
        let effects = effects(&path);
        let (begun, ended): (Vec<_>, Vec<_>) =
            effects.iter().partition(|line| line.starts_with("begin"));
        assert_eq!(
            begun.len(),
            ended.len(),
            "running bodies end, after stop {stopped}"
        );
        assert!(
            begun.len() < (EXECUTIONS * STEPS) as usize,
            "the stop came while work was left"
        );
    }
    let mut last = spawn(&path);
    for n in 0..EXECUTIONS {
        let id = format!("slow-{n}");
        let sum: u64 = client.handle(slow, &id).unwrap().result().await.unwrap();
        assert_eq!(sum, n + (0..STEPS).sum::<u64>());
        let history = client.history(&id.parse().unwrap()).await.unwrap();
        assert!(
            history.iter().all(|record| record.interruptions == 0),
            "no body was interrupted"
        );
    }
    terminate(&mut last);
    let mut effects = effects(&path);
    let all = effects.len();
    effects.sort_unstable();
    effects.dedup();
    assert_eq!(effects.len(), all, "no body ran twice");
    assert_eq!(all as u64, EXECUTIONS * STEPS * 2);
}
