//! Builders and helpers for tests of the store, including other processes.

#![allow(dead_code, reason = "each test file uses some of it")]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use durable_core::store::{
    AdminStore, Batch, CheckpointStore, ClaimRequest, ExecutionStore, ExecutionUpdate, Fence,
    HandlerBuild, Lease, NewExecution, StoreError, WorkStore, WorkerFilter,
};
use durable_core::{
    Clock, ExecutionId, Kind, Occurrence, OperationId, Payload, Record, Status, SystemClock,
    Timestamp,
};
use durable_sqlite::SqliteStore;

pub(crate) const TTL: Duration = Duration::from_secs(600);

pub(crate) fn now() -> Timestamp {
    SystemClock.now()
}

pub(crate) fn id(name: &str) -> ExecutionId {
    name.parse().unwrap()
}

pub(crate) fn json(text: impl Into<Vec<u8>>) -> Payload {
    Payload {
        codec: "json".into(),
        data: text.into().into(),
    }
}

pub(crate) fn new(name: &str) -> NewExecution {
    NewExecution::new(
        id(name),
        "etl",
        json("null"),
        Timestamp::from_millis(1_790_000_000_000),
    )
}

/// Builds a step that succeeded with a value of about 170 bytes.
pub(crate) fn step(seq: u64) -> Record {
    let occurrence = Occurrence::Ordered(seq);
    let id = OperationId::of(OperationId::ROOT, "load", &occurrence);
    let at = Timestamp::from_millis(1_790_000_000_000);
    let root = OperationId::ROOT;
    let mut record = Record::started(seq, id, root, Kind::Step, "load", occurrence, at);
    (record.order, record.attempt, record.status) = (seq, 1, Status::Succeeded);
    record.ended_at = Some(at);
    record.payload = Some(json(format!("\"{}\"", "x".repeat(168))));
    record.source = "src/etl.rs:31".into();
    record
}

pub(crate) fn batch(seq: u64) -> Arc<Batch> {
    Arc::new(Batch {
        id: seq,
        records: vec![step(seq)],
        children: Vec::new(),
        seen: 0,
        messages_after: None,
        execution: None,
    })
}

pub(crate) async fn open(path: &Path) -> SqliteStore {
    SqliteStore::open(path).await.unwrap()
}

pub(crate) async fn leased(store: &SqliteStore, name: &str) -> Lease {
    store.start(new(name)).await.unwrap();
    store.claim(&id(name), now(), TTL).await.unwrap()
}

/// Claims all executions that are due, and abandoned ones if `recover` says so.
pub(crate) async fn claim_due(store: &SqliteStore, recover: bool) -> Vec<Lease> {
    let worker = WorkerFilter {
        handlers: vec![HandlerBuild {
            name: "etl".to_owned(),
            build: "1".to_owned(),
        }],
        queues: None,
    };
    let request = ClaimRequest {
        limit: 1000,
        now: now(),
        ttl: TTL,
        recover,
    };
    store.claim_due(&worker, request).await.unwrap().leases
}

/// Checkpoints steps `first..=last`, one by one.
pub(crate) async fn steps(
    store: &SqliteStore,
    fence: &Fence,
    first: u64,
    last: u64,
) -> Result<(), StoreError> {
    for seq in first..=last {
        store.checkpoint(fence, batch(seq)).await?;
    }
    Ok(())
}

pub(crate) async fn release(store: &SqliteStore, fence: &Fence) {
    let ending = Batch {
        id: u64::MAX,
        records: Vec::new(),
        children: Vec::new(),
        seen: 0,
        messages_after: None,
        execution: Some(ExecutionUpdate::Suspend { wake_at: None }),
    };
    store.checkpoint(fence, Arc::new(ending)).await.unwrap();
}

/// Returns the positions of all records of an execution.
pub(crate) async fn positions(store: &SqliteStore, name: &str) -> Vec<u64> {
    let history = store.history(&id(name)).await.unwrap();
    history.iter().map(|record| record.seq).collect()
}

/// Whether SQLite's integrity check passes.
pub(crate) fn is_sound(path: &Path) -> bool {
    let conn = rusqlite::Connection::open(path).unwrap();
    let found = conn.query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0));
    found.unwrap() == "ok"
}

/// Counts the owner files beside the database.
pub(crate) fn owner_files(path: &Path) -> usize {
    let entries = std::fs::read_dir(path.parent().unwrap()).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.contains("-owner-")).count()
}

/// Builds a command that runs the test `child` of this executable as another process.
pub(crate) fn child_command(role: &str, path: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "child", "--nocapture", "--test-threads=1"]);
    child_env(&mut command, role, path);
    command
}

pub(crate) fn child_env(command: &mut Command, role: &str, path: &Path) {
    command.env("DURABLE_CHILD", role).env("DURABLE_PATH", path);
}

/// Another process, killed when dropped. Its messages are lines that begin with `@`.
pub(crate) struct Other {
    process: Child,
    input: ChildStdin,
    messages: Receiver<String>,
}

impl Other {
    pub(crate) fn spawn(role: &str, path: &Path) -> Self {
        Self::run(&mut child_command(role, path))
    }

    pub(crate) fn run(command: &mut Command) -> Self {
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        let (sender, messages) = channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if let Some((_, message)) = line.split_once('@') {
                    let _ = sender.send(message.to_owned());
                }
            }
        });
        let input = process.stdin.take().unwrap();
        Self {
            process,
            input,
            messages,
        }
    }

    /// Returns its next message, or `None` once it has ended.
    pub(crate) fn receive(&self) -> Option<String> {
        self.messages.recv_timeout(Duration::from_secs(60)).ok()
    }

    /// Sends it a command.
    pub(crate) fn send(&mut self, word: &str) {
        writeln!(self.input, "{word}").unwrap();
    }

    /// Kills it, as a crash would.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Sends a message to the process that started this one.
pub(crate) fn report(message: impl std::fmt::Display) {
    println!("@{message}");
    std::io::stdout().flush().unwrap();
}

/// Waits for a command from the process that started this one.
pub(crate) fn next_command() -> String {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    line.trim().to_owned()
}
