//! Runs the example as a process in its own folder.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use durable::Status;
use rusqlite::Connection;
use rusqlite::types::Value;
use tempfile::TempDir;

/// Rows of a target, each with its line number first.
pub(crate) type Rows = Vec<Vec<Value>>;

/// Files that one load reads and writes.
pub(crate) struct Load {
    folder: TempDir,
    pub(crate) source: PathBuf,
}

impl Load {
    /// Creates a load of the data in the repository: 10 000 reports.
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            source: workspace().join("examples/data/birdstrikes.csv"),
        }
    }

    /// Creates a load of a file with this content.
    pub(crate) fn of(text: impl AsRef<[u8]>) -> Self {
        let mut load = Self::new();
        load.source = load.path("source.csv");
        fs::write(&load.source, text).unwrap();
        load
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Returns a command that runs the program in this folder, with `more` arguments.
    pub(crate) fn command(&self, more: &[&str]) -> Command {
        let mut command = program();
        let paths = [
            ("--source", self.source.clone()),
            ("--target", self.path("target.db")),
            ("--report", self.folder.path().into()),
            ("--effects", self.path("effects.log")),
        ];
        for (name, path) in paths {
            command.arg(name).arg(path);
        }
        let store = format!("sqlite:{}", self.path("store.db").display());
        command.args(["--store", &store, "--id", "load"]).args(more);
        command.stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, more: &[&str]) -> Output {
        self.command(more).output().unwrap()
    }

    /// Runs the program, which must succeed, and returns its output.
    pub(crate) fn finish(&self, more: &[&str]) -> String {
        let output = self.run(more);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{stderr}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs the program, which must fail with an error and without a panic, and returns the error.
    pub(crate) fn fail(&self, more: &[&str]) -> String {
        let output = self.run(more);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert!(!stderr.contains("panicked"), "{stderr}");
        stderr
    }

    /// The steps whose bodies began, in order.
    pub(crate) fn effects(&self) -> Vec<String> {
        let log = fs::read_to_string(self.path("effects.log")).unwrap_or_default();
        let step = |line: &str| line.split(' ').next().map(str::to_owned);
        log.lines().filter_map(step).collect()
    }

    /// The steps whose outcomes are in the store. Reads a copy, so that the next process finds the files exactly as the
    /// last one left them.
    pub(crate) async fn settled(&self) -> HashSet<String> {
        let copy = tempfile::tempdir().unwrap();
        for name in ["store.db", "store.db-wal"] {
            if self.path(name).exists() {
                fs::copy(self.path(name), copy.path().join(name)).unwrap();
            }
        }
        let url = format!("sqlite:{}", copy.path().join("store.db").display());
        let store = durable::open(&url).await.unwrap();
        let records = store.history(&"load".parse().unwrap()).await;
        records
            .unwrap_or_default()
            .into_iter()
            .filter(|record| record.status == Status::Succeeded)
            .map(|record| record.display_name())
            .collect()
    }

    pub(crate) fn rows(&self) -> Rows {
        let target = Connection::open(self.path("target.db")).unwrap();
        let mut query = target
            .prepare("SELECT * FROM bird_strikes ORDER BY line")
            .unwrap();
        let columns = query.column_count();
        query
            .query_map([], |row| {
                (0..columns).map(|column| row.get(column)).collect()
            })
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap()
    }

    /// Evaluates an SQL expression over the target.
    pub(crate) fn number(&self, expression: &str) -> i64 {
        let target = Connection::open(self.path("target.db")).unwrap();
        let query = format!("SELECT {expression} FROM bird_strikes");
        target.query_row(&query, [], |row| row.get(0)).unwrap()
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }
}

pub(crate) fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The example program, built together with the tests.
pub(crate) fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_etl"))
}
