//! Workers recover from a killed server, and no acknowledged checkpoint is lost.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use durable::prelude::*;
use durable::{Client, Worker};
use durable_core::store::{AdminStore, ExecutionStatus, ExecutionStore, Filter};
use durable_postgres::PostgresStore;
use durable_postgres_tests::{Server, client};

use crate::support::{id, open, until};

/// Log of step bodies, one file for each process.
pub(crate) struct Log {
    file: Mutex<File>,
}

impl Log {
    pub(crate) fn open(folder: &Path) -> Self {
        let path = folder.join(format!("effects-{}.log", std::process::id()));
        let file = OpenOptions::new().create(true).append(true).open(path);
        Self {
            file: Mutex::new(file.unwrap()),
        }
    }

    fn write(&self, line: &str) {
        // A single call, so that a kill leaves no partial line.
        self.file
            .lock()
            .unwrap()
            .write_all(line.as_bytes())
            .unwrap();
    }

    fn lines(folder: &Path) -> Vec<Vec<String>> {
        let entries = std::fs::read_dir(folder).unwrap();
        let files = entries.map(|entry| entry.unwrap().path());
        let logs = files.filter(|path| path.to_string_lossy().contains("effects-"));
        let text: String = logs
            .map(|path: PathBuf| std::fs::read_to_string(path).unwrap())
            .collect();
        let words = |line: &str| line.split(' ').map(str::to_owned).collect();
        text.lines().map(words).collect()
    }
}

async fn hop(log: &Log, step: &StepInfo, i: u64, before: Option<u64>) -> Result<u64, String> {
    // `before` is durable by now, as the previous step has returned it.
    let before = before.map_or("-".to_owned(), |nonce| nonce.to_string());
    log.write(&format!("{} {i} {before}\n", step.execution_id()));
    tokio::time::sleep(Duration::from_millis(fastrand::u64(..20))).await;
    Ok(fastrand::u64(..))
}

/// Twelve steps, each of which logs the result of the one before, with a wait in between.
#[durable]
pub(crate) async fn relay(log: &Log, n: u64) -> Result<Vec<u64>, BoxError> {
    let mut nonces: Vec<u64> = Vec::new();
    for i in 0..12 {
        let before = nonces.last().copied();
        nonces.push(step!("hop", key = i, |step| hop(log, step, i, before).await).await?);
        if i == 5 {
            wait!("nap", Duration::from_millis(400 * (n % 4))).await;
        }
    }
    Ok(nonces)
}

/// Installs a trigger that logs every inserted record.
pub(crate) async fn audit(url: &str) {
    let noted = "CREATE TABLE audit (execution int8, seq int8); \
                 CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.audit VALUES \
                 (new.execution, new.seq); RETURN new; END $$; \
                 CREATE TRIGGER noted AFTER INSERT ON durable.records FOR EACH ROW EXECUTE FUNCTION noted()";
    client(url)
        .await
        .unwrap()
        .batch_execute(noted)
        .await
        .unwrap();
}

pub(crate) async fn start_all(store: &PostgresStore, count: u64) {
    let client = Client::new(store.clone());
    for n in 0..count {
        client.start(relay, format!("run-{n}"), n).await.unwrap();
    }
}

pub(crate) async fn ended(store: &PostgresStore) -> u64 {
    let filter = Filter {
        status: vec![ExecutionStatus::Succeeded],
        limit: 100_000,
        ..Filter::default()
    };
    store
        .list(filter)
        .await
        .map_or(0, |found| found.len() as u64)
}

/// Waits until every execution has succeeded. Panics after 45 seconds without progress.
pub(crate) async fn all_ended(store: &PostgresStore, count: u64) {
    let (mut known, mut since) = (0, Instant::now());
    while known < count {
        let found = ended(store).await;
        if found > known {
            (known, since) = (found, Instant::now());
        }
        if since.elapsed() > Duration::from_secs(45) {
            let all = Filter {
                limit: 100_000,
                ..Filter::default()
            };
            let all = store.list(all).await.unwrap();
            for execution in all
                .iter()
                .filter(|one| one.status != ExecutionStatus::Succeeded)
            {
                let (id, status, why) = (&execution.id, execution.status, &execution.error);
                println!(
                    "{id} {status} {:?} {why:?} {:?}",
                    execution.wake_at, execution.report
                );
            }
            panic!("{found} of {count} have ended");
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub(crate) async fn some_ended(store: &PostgresStore, count: u64) {
    until("some executions have ended", async || {
        ended(store).await >= count
    })
    .await;
}

/// Asserts that every acknowledged result is in the outputs, and that no record was inserted twice.
pub(crate) async fn assert_nothing_lost_or_repeated(
    store: &PostgresStore,
    url: &str,
    folder: &Path,
    count: u64,
) {
    let mut outputs = Vec::new();
    for n in 0..count {
        let execution = store.get(&id(&format!("run-{n}"))).await.unwrap();
        let text = String::from_utf8(execution.output.unwrap().data.to_vec()).unwrap();
        let nonces = text.trim_matches(['[', ']']).split(',').map(str::to_owned);
        outputs.push(nonces.collect::<Vec<_>>());
    }
    let lines = Log::lines(folder);
    assert!(lines.len() as u64 >= 12 * count);
    for line in lines {
        let (run, hop): (usize, usize) = (
            line[0].strip_prefix("run-").unwrap().parse().unwrap(),
            line[1].parse().unwrap(),
        );
        if hop > 0 {
            assert_eq!(
                outputs[run][hop - 1],
                line[2],
                "an acknowledged outcome of {} was lost",
                line[0]
            );
        }
    }
    let twice = "SELECT count(*) FROM (SELECT 1 FROM audit GROUP BY execution, seq HAVING count(*) > 1) AS twice";
    let row = client(url)
        .await
        .unwrap()
        .query_one(twice, &[])
        .await
        .unwrap();
    assert_eq!(row.get::<_, i64>(0), 0, "a record was inserted twice");
}

/// Lease of workers.
pub(crate) const LEASE: Duration = Duration::from_secs(2);

pub(crate) fn worker(store: PostgresStore, folder: &Path) -> Worker<Log> {
    let worker = Worker::new(store).state(Log::open(folder)).register(relay);
    worker.concurrency(24).lease(LEASE)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_recovers_when_its_server_is_killed_and_restarted() {
    const EXECUTIONS: u64 = 120;
    let Some(mut server) = Server::start(&[]).await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let url = server.database().await;
    let store = open(&url).await;
    audit(&url).await;
    start_all(&store, EXECUTIONS).await;
    let serving =
        tokio::spawn(worker(store.clone(), folder.path()).run_until(std::future::pending()));
    for share in [10, 40] {
        some_ended(&store, share).await;
        server.kill();
        tokio::time::sleep(Duration::from_millis(500)).await;
        server.restart().await;
    }
    all_ended(&store, EXECUTIONS).await;
    serving.abort();
    assert_nothing_lost_or_repeated(&store, &url, folder.path(), EXECUTIONS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_of_another_process_is_notified_of_a_start() {
    let Some(server) = Server::start(&[]).await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let url = server.database().await;
    let (there, here) = (open(&url).await, open(&url).await);
    let serving = tokio::spawn(worker(there, folder.path()).run_until(std::future::pending()));
    tokio::time::sleep(Duration::from_millis(700)).await;
    let mut waits = Vec::new();
    for n in 0..9 {
        let before = std::time::Instant::now();
        Client::new(here.clone())
            .start(relay, format!("run-{n}"), 0)
            .await
            .unwrap();
        while Log::lines(folder.path())
            .iter()
            .all(|line| line[0] != format!("run-{n}"))
        {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        waits.push(before.elapsed());
        tokio::time::sleep(Duration::from_millis(70)).await;
    }
    waits.sort();
    println!(
        "from a start to the first body of another process: {:?}",
        waits[4]
    );
    // A worker that only polls does so about once a second.
    assert!(waits[4] < Duration::from_millis(200), "{waits:?}");
    serving.abort();
}
