//! Command-line arguments.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Parser;
use durable::prelude::*;

use crate::app::{App, Console, Job, Source, Target};
use crate::execution::{Execution, display_path};

/// Loads reports of bird strikes from a CSV file into a SQLite database and writes a report.
///
/// Kill it at any time and run it again: it resumes where it left off.
#[derive(Debug, Parser)]
#[command(name = "etl")]
pub(crate) struct Args {
    /// CSV file to load [default: the 10 000 reports in examples/data]
    #[arg(long, value_name = "FILE")]
    source: Option<PathBuf>,
    /// SQLite database to load into; its table `bird_strikes` is replaced [default: target/etl/NAME/target.db]
    #[arg(long, value_name = "FILE")]
    target: Option<PathBuf>,
    /// Store of the checkpoints [default: sqlite:target/etl/NAME/store.db]
    #[arg(long, value_name = "URL")]
    store: Option<String>,
    /// Rows per batch
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u64).range(1..))]
    batch: u64,
    /// Id of the execution; running the same id again resumes it [default: the source's NAME]
    #[arg(long)]
    id: Option<String>,
    /// Folder for report.txt and report.svg [default: target/etl/NAME]
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
    /// Kill this process with SIGKILL in the middle of batch N
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    crash_after: Option<u64>,
    /// Append a line to this file whenever a step's body starts
    #[arg(long, value_name = "FILE")]
    effects: Option<PathBuf>,
    /// Start over: delete the default store with the checkpoints of earlier runs
    #[arg(long, conflicts_with = "store")]
    fresh: bool,
}

impl Args {
    /// Validates the arguments and returns the state, the job and the execution to run.
    pub(crate) fn resolve(self) -> Result<(App, Job, Execution), BoxError> {
        let default_source = || examples().join("data/birdstrikes.csv");
        let source = Source {
            path: self.source.clone().unwrap_or_else(default_source),
        };
        let checked = source.check()?;
        let name = execution_name(&source.path);
        let folder = default_folder(&name);
        let target = self.target.clone();
        let target = Target {
            path: std::path::absolute(target.unwrap_or_else(|| folder.join("target.db")))?,
        };
        let report = self.report.clone().unwrap_or_else(|| folder.clone());
        let job = Job {
            file: file_name(&source.path),
            sha256: checked.sha256,
            rows: checked.rows,
            batch: self.batch,
            target: target.path.clone(),
            report: std::path::absolute(report)?,
        };
        if let Some(n) = self.crash_after.filter(|n| *n > job.batches()) {
            let batches = job.batches();
            return Err(format!("cannot crash in batch {n}: the load has only {batches}").into());
        }
        for folder in [Some(&*job.report), job.target.parent()] {
            folder.map_or(Ok(()), create_folder)?;
        }
        target.check()?;
        let execution = self.execution(name, &folder)?;
        let app = App {
            console: Console::new(job.rows),
            source,
            target,
            effects: self.effects,
            crash_after: self.crash_after,
        };
        Ok((app, job, execution))
    }

    /// Returns the execution to run. Creates the folder of the default store, and deletes the store for `--fresh`.
    fn execution(&self, name: String, folder: &Path) -> Result<Execution, BoxError> {
        let id = self.id.clone().unwrap_or(name);
        if let Some(store) = self.store.clone() {
            let start_over = "use another --id";
            return Ok(Execution {
                id,
                store,
                start_over,
            });
        }
        let store = folder.join("store.db");
        if self.fresh {
            delete_store(&store)?;
        }
        create_folder(folder)?;
        Ok(Execution {
            id,
            store: format!("sqlite:{}", display_path(&store)),
            start_over: "add --fresh",
        })
    }
}

fn examples() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns the default folder for the target, the store and the report.
fn default_folder(name: &str) -> PathBuf {
    let workspace = examples().parent().unwrap_or(examples());
    workspace.join("target/etl").join(name)
}

fn create_folder(path: &Path) -> Result<(), BoxError> {
    let explain = |error| format!("cannot create the folder {}: {error}", path.display());
    Ok(fs::create_dir_all(path).map_err(explain)?)
}

fn file_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str());
    name.to_string_lossy().into_owned()
}

/// Returns the file's name without its extension, with characters that are invalid in execution ids replaced.
fn execution_name(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or(path.as_os_str());
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let stem = stem.to_string_lossy();
    let name: String = stem
        .chars()
        .map(|c| if fits(c) { c } else { '-' })
        .take(100)
        .collect();
    if name.is_empty() { "etl".into() } else { name }
}

/// Deletes the store's file and SQLite's files next to it.
fn delete_store(store: &Path) -> Result<(), BoxError> {
    for suffix in ["", "-wal", "-shm"] {
        let path = PathBuf::from(format!("{}{suffix}", store.display()));
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(format!("cannot delete {}: {error}", path.display()).into());
            }
            _ => {}
        }
    }
    Ok(())
}
