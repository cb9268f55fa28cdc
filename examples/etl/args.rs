//! The command line.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Parser;
use durable::prelude::*;

use crate::app::{App, Console, Job, Source, Target};
use crate::execution::{Execution, shown};

/// Loads reports of bird strikes from a CSV file into a SQLite database and writes a report.
///
/// Kill it whenever you like and run it again: it goes on where it was.
#[derive(Debug, Parser)]
#[command(name = "etl")]
pub(crate) struct Args {
    /// CSV file to load [default: the 10 000 reports in examples/data]
    #[arg(long, value_name = "FILE")]
    source: Option<PathBuf>,
    /// SQLite database to load into; its table `bird_strikes` is replaced [default: target/etl/NAME/target.db]
    #[arg(long, value_name = "FILE")]
    target: Option<PathBuf>,
    /// Where checkpoints are kept [default: sqlite:target/etl/NAME/store.db]
    #[arg(long, value_name = "URL")]
    store: Option<String>,
    /// Rows per batch
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u64).range(1..))]
    batch: u64,
    /// Name of this execution: running the same one again goes on with it [default: the source's NAME]
    #[arg(long)]
    id: Option<String>,
    /// Folder for report.txt and report.svg [default: target/etl/NAME]
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
    /// Kill this process with SIGKILL in the middle of batch N
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    crash_after: Option<u64>,
    /// Append a line to this file whenever a step's body begins
    #[arg(long, value_name = "FILE")]
    effects: Option<PathBuf>,
    /// Forget the checkpoints of earlier runs: deletes the default store
    #[arg(long, conflicts_with = "store")]
    fresh: bool,
}

impl Args {
    /// Checks what is given and says what to run, with what, and where it is recorded.
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
            return Err(format!("there is no batch {n} to crash in, only {batches}").into());
        }
        for needed in [Some(&*job.report), job.target.parent()] {
            needed.map_or(Ok(()), create_folder)?;
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

    /// Which execution to run. The default store is made ready: its folder is there, and it is
    /// gone where a fresh one is wanted.
    fn execution(&self, name: String, folder: &Path) -> Result<Execution, BoxError> {
        let id = self.id.clone().unwrap_or(name);
        if let Some(store) = self.store.clone() {
            let start_over = "give it another --id";
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
            store: format!("sqlite:{}", shown(&store)),
            start_over: "add --fresh",
        })
    }
}

fn examples() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Where everything goes that is given no place of its own.
fn default_folder(name: &str) -> PathBuf {
    let workspace = examples().parent().unwrap_or(examples());
    workspace.join("target/etl").join(name)
}

fn create_folder(path: &Path) -> Result<(), BoxError> {
    let because = |error| format!("cannot make the folder {}: {error}", path.display());
    Ok(fs::create_dir_all(path).map_err(because)?)
}

fn file_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str());
    name.to_string_lossy().into_owned()
}

/// The file's name without its extension, as far as an execution id may hold it.
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

/// The file of the store and those that SQLite keeps beside it.
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
