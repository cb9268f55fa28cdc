//! The store under test.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use durable::postgres::PostgresStore;
use durable::prelude::*;
use durable::sqlite::SqliteStore;
use durable::store::Store;
use tempfile::TempDir;

use crate::process;

/// Opened store, whose counters can be read.
pub struct Opened {
    /// The store.
    pub store: Arc<dyn Store>,
    /// Backend: `memory`, `sqlite` or `postgres`.
    pub name: &'static str,
    backend: Backend,
    /// Folder of a temporary file.
    folder: Option<TempDir>,
}

enum Backend {
    Memory,
    Sqlite(SqliteStore, PathBuf),
    Postgres(PostgresStore, String),
}

/// What a store has done so far.
#[derive(Clone, Copy, Default)]
pub struct Counters {
    /// Transactions that wrote something.
    pub commits: u64,
    /// Statements, which only PostgreSQL counts.
    pub statements: u64,
    /// Loads, listings and other reads.
    pub reads: u64,
    /// Bytes written by the process.
    pub bytes: u64,
}

impl Opened {
    /// Opens the store of a URL. `sqlite:` without a path is a temporary file.
    pub async fn open(url: &str) -> Result<Self, BoxError> {
        if url == "memory:" {
            let store = durable::open(url).await?;
            return Ok(Self::new(store, "memory", Backend::Memory, None));
        }
        if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            let store = PostgresStore::connect(url).await?;
            let backend = Backend::Postgres(store.clone(), url.to_owned());
            return Ok(Self::new(Arc::new(store), "postgres", backend, None));
        }
        let Some(path) = url.strip_prefix("sqlite:") else {
            return Err(format!(
                "unsupported store {url:?}: expected `sqlite:PATH`, `postgres://…` or `memory:`"
            )
            .into());
        };
        let folder = match path {
            "" => Some(tempfile::tempdir()?),
            _ => None,
        };
        let path = match &folder {
            Some(folder) => folder.path().join("bench.db"),
            None => PathBuf::from(path),
        };
        let store = SqliteStore::open(&path).await?;
        let backend = Backend::Sqlite(store.clone(), path);
        Ok(Self::new(Arc::new(store), "sqlite", backend, folder))
    }

    fn new(
        store: Arc<dyn Store>,
        name: &'static str,
        backend: Backend,
        folder: Option<TempDir>,
    ) -> Self {
        Self {
            store,
            name,
            backend,
            folder,
        }
    }

    /// Returns the file of a SQLite store.
    pub fn path(&self) -> Option<&Path> {
        match &self.backend {
            Backend::Sqlite(_, path) => Some(path),
            _ => None,
        }
    }

    /// Returns the URL of a PostgreSQL store.
    pub fn postgres_url(&self) -> Option<&str> {
        match &self.backend {
            Backend::Postgres(_, url) => Some(url),
            _ => None,
        }
    }

    /// Returns the counters.
    pub fn counters(&self) -> Counters {
        let bytes = process::written_bytes();
        match &self.backend {
            Backend::Memory => Counters {
                bytes,
                ..Counters::default()
            },
            Backend::Sqlite(store, _) => {
                let stats = store.stats();
                Counters {
                    commits: stats.commits,
                    statements: 0,
                    reads: stats.reads,
                    bytes,
                }
            }
            Backend::Postgres(store, _) => {
                let stats = store.stats();
                Counters {
                    commits: stats.commits,
                    statements: stats.statements,
                    reads: stats.reads,
                    bytes,
                }
            }
        }
    }

    /// Removes a temporary file, once the store is closed.
    pub fn close(self) -> std::io::Result<()> {
        let folder = self.folder;
        drop((self.store, self.backend));
        folder.map_or(Ok(()), TempDir::close)
    }
}

impl Counters {
    /// Returns the sum.
    pub fn plus(self, other: Self) -> Self {
        Self {
            commits: self.commits + other.commits,
            statements: self.statements + other.statements,
            reads: self.reads + other.reads,
            bytes: self.bytes + other.bytes,
        }
    }

    /// Returns what was done since `before`.
    pub fn since(self, before: Self) -> Self {
        Self {
            commits: self.commits - before.commits,
            statements: self.statements - before.statements,
            reads: self.reads - before.reads,
            bytes: self.bytes - before.bytes,
        }
    }
}

/// Creates an execution id that is unique across runs of the benchmark.
pub fn execution_id(round: u32) -> String {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    format!("bench-{}-{round}", now.as_nanos())
}
