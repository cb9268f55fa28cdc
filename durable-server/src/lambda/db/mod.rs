//! State of the server in SQLite. One thread owns the connection and commits writes in groups.

mod read;
mod write;

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;

use rusqlite::Connection;
use tokio::sync::oneshot;

#[cfg(feature = "serve")]
pub(crate) use read::{AllFilter, all};
pub(crate) use read::{
    ListFilter, Stored, events, execution, expired, last_key, list, named, open_executions, queued,
};
use write::apply;
pub(crate) use write::{Queued, Row, Write, Written};

/// Application id of the file: `DLMB`.
const APPLICATION: i32 = 0x444c_4d42;
const VERSION: i32 = 1;
/// Number of operations, and of events, per execution: the range of the low bits of their keys.
const ROWS_PER_EXECUTION: i64 = 1 << 24;
/// Writes in one commit, at most.
const MAX_GROUP: usize = 512;

const SCHEMA: &str = "
CREATE TABLE executions (
    key INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    function TEXT NOT NULL,
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    status TEXT NOT NULL,
    started INTEGER NOT NULL,
    expires INTEGER,
    head TEXT NOT NULL,
    UNIQUE (function, name)
);
CREATE INDEX executions_started ON executions (function, started, key);
CREATE INDEX executions_expires ON executions (expires) WHERE expires IS NOT NULL;
CREATE TABLE operations (place INTEGER PRIMARY KEY, json TEXT NOT NULL);
CREATE TABLE events (place INTEGER PRIMARY KEY, json TEXT NOT NULL);
CREATE TABLE queued (
    id TEXT PRIMARY KEY,
    function TEXT NOT NULL,
    payload BLOB NOT NULL,
    tenant TEXT,
    attempts INTEGER NOT NULL,
    due INTEGER NOT NULL
);
";

/// Error of the state's database.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum DbError {
    #[error("cannot open {}: {why}", path.display())]
    Open { path: PathBuf, why: String },
    #[error("cannot use the state of the server: {0}")]
    Sqlite(String),
    #[error("the state of the server is closed")]
    Closed,
}

impl From<rusqlite::Error> for DbError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error.to_string())
    }
}

type Answer = oneshot::Sender<Result<Written, DbError>>;

enum Job {
    Write(Box<Write>, Answer),
    Read(Box<dyn FnOnce(&Connection) + Send>),
}

/// Handle to the thread that owns the connection.
#[derive(Debug, Clone)]
pub(crate) struct Db {
    jobs: mpsc::Sender<Job>,
}

impl Db {
    /// Opens the state in a file, or in memory without one.
    pub(crate) fn open(path: Option<&Path>) -> Result<Self, DbError> {
        let conn = match path {
            Some(path) => open_file(path).map_err(|why| DbError::Open {
                path: path.to_owned(),
                why,
            })?,
            None => {
                let conn = Connection::open_in_memory()?;
                conn.execute_batch(SCHEMA)?;
                conn
            }
        };
        conn.set_prepared_statement_cache_capacity(64);
        let (jobs, queue) = mpsc::channel();
        let work = thread::Builder::new().name("lambda-state".into());
        work.spawn(move || run(&conn, &queue))
            .map_err(|error| DbError::Sqlite(error.to_string()))?;
        Ok(Self { jobs })
    }

    /// Commits a write. Writes that arrive together share a commit.
    pub(crate) async fn write(&self, write: Write) -> Result<Written, DbError> {
        let (answer, answered) = oneshot::channel();
        let job = Job::Write(Box::new(write), answer);
        self.jobs.send(job).map_err(|_| DbError::Closed)?;
        answered.await.map_err(|_| DbError::Closed)?
    }

    /// Reads the committed state.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, DbError> {
        let (answer, answered) = oneshot::channel();
        let job = Job::Read(Box::new(move |conn| {
            // The caller may be gone.
            let _ = answer.send(read(conn).map_err(DbError::from));
        }));
        self.jobs.send(job).map_err(|_| DbError::Closed)?;
        answered.await.map_err(|_| DbError::Closed)?
    }
}

fn open_file(path: &Path) -> Result<Connection, String> {
    let conn = Connection::open(path).map_err(|error| error.to_string())?;
    prepare(&conn).map_err(|error| match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DatabaseBusy) => "another server is using it".to_owned(),
        _ => error.to_string(),
    })?;
    let pragma = |name| conn.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    let found = pragma("application_id").and_then(|id| Ok((id, pragma("user_version")?)));
    match found.map_err(|error| error.to_string())? {
        (APPLICATION, VERSION) => Ok(conn),
        (APPLICATION, version) => Err(format!(
            "it has format {version}, this server writes format {VERSION}; use another file"
        )),
        (0, 0) if is_empty(&conn).map_err(|error| error.to_string())? => {
            let schema = format!(
                "BEGIN; {SCHEMA} PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION}; COMMIT;"
            );
            conn.execute_batch(&schema).map_err(|e| e.to_string())?;
            Ok(conn)
        }
        _ => Err("it is the database of another program".to_owned()),
    }
}

/// Locks the file for this process. A killed process loses no commits; a power failure may lose the
/// last ones.
fn prepare(conn: &Connection) -> rusqlite::Result<()> {
    conn.busy_timeout(std::time::Duration::from_millis(500))?;
    conn.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    conn.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    conn.pragma_update(None, "synchronous", "NORMAL")?;
    conn.execute_batch("BEGIN EXCLUSIVE; COMMIT")
}

fn is_empty(conn: &Connection) -> rusqlite::Result<bool> {
    let count: i64 = conn.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0))?;
    Ok(count == 0)
}

fn run(conn: &Connection, queue: &mpsc::Receiver<Job>) {
    while let Ok(first) = queue.recv() {
        let mut reads = Vec::new();
        let mut writes = Vec::new();
        for job in std::iter::once(first).chain(queue.try_iter().take(MAX_GROUP)) {
            match job {
                Job::Write(write, answer) => writes.push((*write, answer)),
                Job::Read(read) => reads.push(read),
            }
        }
        if !writes.is_empty() {
            commit(conn, writes);
        }
        reads.into_iter().for_each(|read| read(conn));
    }
}

/// Commits a group; if that fails, commits each write alone, so that one does not fail the others.
fn commit(conn: &Connection, writes: Vec<(Write, Answer)>) {
    let group: Vec<&Write> = writes.iter().map(|(write, _)| write).collect();
    let answers = match transact(conn, &group) {
        Ok(written) => written.into_iter().map(Ok).collect::<Vec<_>>(),
        Err(error) if writes.len() == 1 => vec![Err(DbError::from(error))],
        Err(_) => writes
            .iter()
            .map(|(write, _)| match transact(conn, &[write]) {
                Ok(written) => Ok(written.first().copied().unwrap_or(Written::Done)),
                Err(error) => Err(DbError::from(error)),
            })
            .collect(),
    };
    for ((_, answer), written) in writes.into_iter().zip(answers) {
        // The caller may be gone, but the write is committed.
        let _ = answer.send(written);
    }
}

fn transact(conn: &Connection, writes: &[&Write]) -> rusqlite::Result<Vec<Written>> {
    let transaction = conn.unchecked_transaction()?;
    let written = writes.iter().map(|write| apply(&transaction, write));
    let written = written.collect::<rusqlite::Result<Vec<_>>>()?;
    transaction.commit()?;
    Ok(written)
}
