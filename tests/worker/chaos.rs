//! Kills worker processes at random. Every execution must end with the right result, and no two processes may run
//! the same execution at the same time.
//!
//! `DURABLE_CHAOS_SECONDS` sets how long workers are killed, `DURABLE_CHAOS_SEED` the random numbers.

use std::collections::{BTreeMap, HashMap};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use durable::prelude::*;
use durable::sqlite::SqliteStore;
use durable::store::{AdminStore, ExecutionStatus, Filter};
use durable::{Client, Status, Worker};
use serde::{Deserialize, Serialize};

const EXECUTIONS: u64 = 500;
const WORKERS: usize = 3;

/// Log of the bodies, independent of their recorded outcomes.
struct Log {
    file: Mutex<File>,
}

impl Log {
    fn open(path: &Path) -> Self {
        let name = format!("effects-{}.log", std::process::id());
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(path.with_file_name(name));
        Self {
            file: Mutex::new(file.unwrap()),
        }
    }

    fn write(&self, line: &str) {
        // Written in one call, so that a kill leaves no partial line.
        self.file
            .lock()
            .unwrap()
            .write_all(line.as_bytes())
            .unwrap();
    }
}

fn nanos() -> u128 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_nanos()
}

/// Output of a step: the requested value, and a number that identifies the run of the body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Answer {
    value: u64,
    nonce: u64,
}

async fn body(log: &Log, step: &StepInfo, value: u64) -> Result<Answer, String> {
    let (pid, nonce) = (std::process::id(), fastrand::u64(..));
    let name = format!("{} {} {pid} {nonce}", step.execution_id(), value);
    log.write(&format!("begin {} {name}\n", nanos()));
    tokio::time::sleep(Duration::from_millis(fastrand::u64(0..25))).await;
    log.write(&format!("end {} {name}\n", nanos()));
    Ok(Answer { value, nonce })
}

async fn flaky(log: &Log, step: &StepInfo, value: u64) -> Result<Answer, String> {
    let answer = body(log, step, value).await?;
    if fastrand::u8(..3) == 0 {
        return Ok(answer);
    }
    Err("not this time".to_owned())
}

fn log_callback(log: &Log, id: &str) -> Result<(), String> {
    log.write(&format!("callback {} {id}\n", nanos()));
    Ok(())
}

/// Ten steps, two of them flaky, with waits and a callback in between.
#[durable]
async fn chaos(log: &Log, (n, nap): (u64, u64)) -> Result<Vec<Answer>, BoxError> {
    let again = Retry::fixed(Duration::from_millis(100)).attempts(60);
    let mut answers = Vec::new();
    for i in 0..3 {
        answers.push(step!("first", key = i, |step| body(log, step, n + i).await).await?);
    }
    answers.push(
        step!("flaky", retry = again.clone(), |step| flaky(
            log,
            step,
            n + 3
        )
        .await)
        .await?,
    );
    wait!("nap", Duration::from_millis(nap * (n % 7))).await;
    let answer: u64 = callback!("asked", submit = |id| log_callback(log, id)).await?;
    for i in 4..7 {
        answers.push(step!("second", key = i, |step| body(log, step, n + i).await).await?);
    }
    wait!("again", Duration::from_millis(nap * (n % 5))).await;
    answers.push(
        step!("flaky again", retry = again, |step| flaky(log, step, n + 7)
            .await)
        .await?,
    );
    for i in 8..10 {
        answers.push(step!("third", key = i, |step| body(log, step, n + i).await).await?);
    }
    answers.push(Answer {
        value: answer,
        nonce: 0,
    });
    Ok(answers)
}

/// The main function of a worker process. Does nothing when it runs as a normal test.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child() {
    let Ok(path) = std::env::var("DURABLE_CHAOS_PATH") else {
        return;
    };
    let path = PathBuf::from(path);
    let store = SqliteStore::open(&path).await.unwrap();
    let worker = Worker::new(store).state(Log::open(&path)).register(chaos);
    worker
        .concurrency(24)
        .run_until(std::future::pending())
        .await
        .unwrap();
}

fn spawn(path: &Path) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "chaos::child", "--nocapture", "--test-threads=1"]);
    command
        .env("DURABLE_CHAOS_PATH", path)
        .stdout(Stdio::null());
    command.spawn().unwrap()
}

/// The worker processes, and the times at which they were killed.
struct Workers {
    path: PathBuf,
    running: Vec<Child>,
    killed: HashMap<u32, u128>,
}

impl Workers {
    fn begin(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            running: (0..WORKERS).map(|_| spawn(path)).collect(),
            killed: HashMap::new(),
        }
    }

    fn kill(&mut self, index: usize) {
        let victim = &mut self.running[index];
        // The process is certainly alive before the signal is sent.
        self.killed.insert(victim.id(), nanos());
        victim.kill().unwrap();
        victim.wait().unwrap();
    }

    fn restart(&mut self, index: usize) {
        self.running[index] = spawn(&self.path);
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        for worker in &mut self.running {
            let _ = worker.kill();
            let _ = worker.wait();
        }
    }
}

/// Lines that begin with `word`, from all processes so far.
fn lines(path: &Path, word: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(path.parent().unwrap()).unwrap() {
        let entry = entry.unwrap();
        if !entry.file_name().to_string_lossy().starts_with("effects-") {
            continue;
        }
        let text = std::fs::read_to_string(entry.path()).unwrap();
        let of_word = text
            .lines()
            .map(|line| line.split(' ').map(str::to_owned).collect());
        found.extend(of_word.filter(|line: &Vec<String>| line[0] == word));
    }
    found
}

/// Lets the database itself log every outcome that is written.
fn audit(path: &Path) {
    let conn = rusqlite::Connection::open(path).unwrap();
    conn.execute_batch(
        "CREATE TABLE audit (place INTEGER, name TEXT);
         CREATE TRIGGER audited AFTER INSERT ON operations WHEN new.status IN ('succeeded', 'failed', 'cancelled')
         BEGIN INSERT INTO audit VALUES (new.place, new.name); END;",
    )
    .unwrap();
}

/// Completes every callback in the log that is not completed yet.
async fn complete(client: &Client, path: &Path, done: &mut HashMap<String, bool>) {
    for line in lines(path, "callback") {
        let id = line[2].clone();
        if done.get(&id).copied().unwrap_or(false) {
            continue;
        }
        let completed = client.complete(&id, &17_u64).await.is_ok();
        // A callback whose START was lost with its process gets a new id.
        done.insert(id, completed);
    }
}

async fn all_ended(store: &SqliteStore) -> bool {
    let filter = Filter {
        status: ExecutionStatus::ALL
            .into_iter()
            .filter(|status| !status.is_settled())
            .collect(),
        limit: 1,
        ..Filter::default()
    };
    store.list(filter).await.unwrap().is_empty()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killing_workers_at_random_loses_and_repeats_nothing() {
    let seconds = std::env::var("DURABLE_CHAOS_SECONDS").map_or(5, |text| text.parse().unwrap());
    let seed = std::env::var("DURABLE_CHAOS_SEED")
        .map_or_else(|_| fastrand::u64(..), |text| text.parse().unwrap());
    println!("seed {seed}, {seconds} s");
    let mut random = fastrand::Rng::with_seed(seed);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.db");
    let store = SqliteStore::open(&path).await.unwrap();
    audit(&path);
    let client = Client::new(store.clone());
    // Two waits of three naps on average make the work last as long as workers are killed.
    let nap = seconds * 1000 / 8;
    for n in 0..EXECUTIONS {
        client
            .start(chaos, format!("run-{n:03}"), (n, nap))
            .await
            .unwrap();
    }
    let mut workers = Workers::begin(&path);
    let (begun, mut done) = (Instant::now(), HashMap::new());
    let mut kills = 0;
    while begun.elapsed() < Duration::from_secs(seconds) {
        tokio::time::sleep(Duration::from_millis(random.u64(20..600))).await;
        complete(&client, &path, &mut done).await;
        let index = random.usize(..WORKERS);
        workers.kill(index);
        kills += 1;
        tokio::time::sleep(Duration::from_millis(random.u64(0..200))).await;
        workers.restart(index);
    }
    while !all_ended(&store).await {
        assert!(
            begun.elapsed() < Duration::from_secs(seconds + 240),
            "not all have ended"
        );
        complete(&client, &path, &mut done).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    println!("{kills} kills");
    let killed = std::mem::take(&mut workers.killed);
    drop(workers);
    assert_results(&client).await;
    assert_written_once(&path);
    assert_no_overlap(&path, &killed);
}

async fn assert_results(client: &Client) {
    for n in 0..EXECUTIONS {
        let handle = client.handle(chaos, &format!("run-{n:03}")).unwrap();
        let mut answers = handle.result().await.unwrap();
        let asked = answers.pop().unwrap();
        assert_eq!(asked.value, 17);
        let values: Vec<_> = answers.iter().map(|answer| answer.value).collect();
        assert_eq!(values, (n..n + 10).collect::<Vec<_>>(), "run-{n:03}");
        // The handler's output consists of the recorded outcomes.
        let history = client.history(handle.id()).await.unwrap();
        let steps = history
            .iter()
            .filter(|record| record.kind == durable::Kind::Step);
        let recorded: Vec<Answer> = steps
            .filter(|record| record.status == Status::Succeeded)
            .filter_map(|record| serde_json::from_slice(&record.payload.as_ref()?.data).ok())
            .collect();
        assert_eq!(answers, recorded, "run-{n:03}");
    }
}

/// Checks that no outcome was written twice.
fn assert_written_once(path: &Path) {
    let conn = rusqlite::Connection::open(path).unwrap();
    let (all, places): (i64, i64) = conn
        .query_row(
            "SELECT count(*), count(DISTINCT place) FROM audit",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .unwrap();
    assert_eq!(all, places, "outcomes were written twice");
    assert!(all >= EXECUTIONS.cast_signed() * 13);
}

/// Checks that while a live process runs a body of an execution, no other process does.
fn assert_no_overlap(path: &Path, killed: &HashMap<u32, u128>) {
    let ends: HashMap<_, u128> = lines(path, "end")
        .into_iter()
        .map(|line| (line[line.len() - 1].clone(), line[1].parse().unwrap()))
        .collect();
    let mut of_execution = BTreeMap::<String, Vec<(u128, u128, u32)>>::new();
    let mut interrupted = 0;
    for line in lines(path, "begin") {
        let (pid, nonce) = (line[line.len() - 2].parse().unwrap(), &line[line.len() - 1]);
        let begin = line[1].parse().unwrap();
        let end = ends.get(nonce).copied().unwrap_or_else(|| {
            interrupted += 1;
            killed.get(&pid).copied().unwrap_or(u128::MAX)
        });
        of_execution
            .entry(line[2].clone())
            .or_default()
            .push((begin, end, pid));
    }
    for (execution, mut bodies) in of_execution {
        bodies.sort_unstable();
        for pair in bodies.windows(2) {
            let ((_, end, before), (begin, _, after)) = (pair[0], pair[1]);
            assert!(
                begin >= end,
                "{execution}: {before} and {after} ran bodies at the same time"
            );
        }
    }
    println!(
        "{} bodies, {interrupted} of them interrupted",
        ends.len() + interrupted
    );
}
