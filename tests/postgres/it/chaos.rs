//! Kills four worker processes and their server at random.
//!
//! `DURABLE_CHAOS_SECONDS` sets the duration and `DURABLE_CHAOS_SEED` the seed.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use durable_postgres_tests::Server;

use crate::support::open;
use crate::workers::{all_ended, assert_nothing_lost_or_repeated, audit, start_all, worker};

const WORKERS: usize = 4;

/// Body of a worker process. Does nothing when it runs as a test.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child() {
    let (Ok(url), Ok(folder)) = (
        std::env::var("DURABLE_CHAOS_URL"),
        std::env::var("DURABLE_CHAOS_FOLDER"),
    ) else {
        return;
    };
    // The server may be restarting.
    let store = loop {
        match durable_postgres::PostgresStore::connect(&url).await {
            Ok(store) => break store,
            Err(error) => println!("{error}"),
        }
    };
    let worker = worker(store, Path::new(&folder));
    worker.run_until(std::future::pending()).await.unwrap();
}

/// Worker processes that run a test of this program as their body.
pub(crate) struct Workers {
    running: Vec<Child>,
    body: &'static str,
    url: String,
    folder: String,
}

impl Workers {
    pub(crate) fn start(body: &'static str, count: usize, url: &str, folder: &str) -> Self {
        let mut workers = Self {
            running: Vec::new(),
            body,
            url: url.to_owned(),
            folder: folder.to_owned(),
        };
        workers.running = (0..count).map(|_| workers.spawn()).collect();
        workers
    }

    fn spawn(&self) -> Child {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", self.body, "--nocapture", "--test-threads=1"]);
        command
            .env("DURABLE_CHAOS_URL", &self.url)
            .env("DURABLE_CHAOS_FOLDER", &self.folder);
        command.stdout(Stdio::null()).spawn().unwrap()
    }

    /// Kills a worker and starts another one.
    pub(crate) fn replace(&mut self, index: usize) {
        let victim = &mut self.running[index];
        victim.kill().unwrap();
        victim.wait().unwrap();
        self.running[index] = self.spawn();
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

/// Reads a number from the environment.
pub(crate) fn number(name: &str, usual: u64) -> u64 {
    let given = std::env::var(name).ok();
    given.map_or(usual, |text| text.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_workers_and_servers_lose_nothing_and_repeat_nothing() {
    let Some(mut server) = Server::start(&[]).await else {
        return;
    };
    let seed = number("DURABLE_CHAOS_SEED", fastrand::u64(..));
    let seconds = number("DURABLE_CHAOS_SECONDS", 8);
    println!("DURABLE_CHAOS_SEED={seed} DURABLE_CHAOS_SECONDS={seconds}");
    let mut random = fastrand::Rng::with_seed(seed);
    let executions = 150 + seconds * 15;
    let folder = tempfile::tempdir().unwrap();
    let url = server.database().await;
    let store = open(&url).await;
    audit(&url).await;
    start_all(&store, executions).await;
    let path = folder.path().to_str().unwrap();
    let mut workers = Workers::start("chaos::child", WORKERS, &url, path);
    let begun = Instant::now();
    let (mut killed, mut restarts) = (0, 0);
    while begun.elapsed() < Duration::from_secs(seconds) {
        tokio::time::sleep(Duration::from_millis(random.u64(200..1500))).await;
        if random.u8(..5) == 0 {
            server.kill();
            tokio::time::sleep(Duration::from_millis(random.u64(..800))).await;
            server.restart().await;
            restarts += 1;
        } else {
            workers.replace(random.usize(..WORKERS));
            killed += 1;
        }
    }
    println!("{killed} workers and {restarts} servers were killed");
    all_ended(&store, executions).await;
    drop(workers);
    assert_nothing_lost_or_repeated(&store, &url, folder.path(), executions).await;
}
