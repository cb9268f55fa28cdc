//! What the tests of the store are made of, other processes included.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use durable_core::store::{
    AdminStore, Batch, CheckpointStore, ExecutionStore, ExecutionUpdate, Fence, Lease,
    NewExecution, StoreError,
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

/// A step that ended with a value of some 170 bytes.
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
        execution: Some(ExecutionUpdate::Suspend { wake_at: None }),
    };
    store.checkpoint(fence, Arc::new(ending)).await.unwrap();
}

/// The positions of all records of an execution.
pub(crate) async fn positions(store: &SqliteStore, name: &str) -> Vec<u64> {
    let history = store.history(&id(name)).await.unwrap();
    history.iter().map(|record| record.seq).collect()
}

/// Whether SQLite finds the file sound, every page of it.
pub(crate) fn is_sound(path: &Path) -> bool {
    let conn = rusqlite::Connection::open(path).unwrap();
    let found = conn.query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0));
    found.unwrap() == "ok"
}

/// Files of owners beside the database.
pub(crate) fn owner_files(path: &Path) -> usize {
    let entries = std::fs::read_dir(path.parent().unwrap()).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.contains("-owner-")).count()
}

/// The test called `child` of this executable, to be run in a process of its own.
pub(crate) fn child_command(role: &str, path: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "child", "--nocapture", "--test-threads=1"]);
    child_env(&mut command, role, path);
    command
}

pub(crate) fn child_env(command: &mut Command, role: &str, path: &Path) {
    command.env("DURABLE_CHILD", role).env("DURABLE_PATH", path);
}

/// Another process. It says things in lines that begin with `@`, and is killed when dropped.
pub(crate) struct Other {
    process: Child,
    input: ChildStdin,
    said: Receiver<String>,
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
        let (tell, said) = channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if let Some((_, said)) = line.split_once('@') {
                    let _ = tell.send(said.to_owned());
                }
            }
        });
        let input = process.stdin.take().unwrap();
        Self {
            process,
            input,
            said,
        }
    }

    /// What it says next; `None` once it has ended.
    pub(crate) fn hear(&self) -> Option<String> {
        self.said.recv_timeout(Duration::from_secs(60)).ok()
    }

    pub(crate) fn tell(&mut self, word: &str) {
        writeln!(self.input, "{word}").unwrap();
    }

    /// Ends it at once, as a crash would.
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

/// Says something to the process that started this one.
pub(crate) fn say(what: impl std::fmt::Display) {
    println!("@{what}");
    std::io::stdout().flush().unwrap();
}

/// Waits for a word from the process that started this one.
pub(crate) fn listen() -> String {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    line.trim().to_owned()
}
