//! Bodies of the load's steps, and the state they share.

mod chart;
mod clean;
mod console;
pub(crate) mod format;
pub(crate) mod report;
mod source;
mod target;

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use durable::prelude::*;
use serde::{Deserialize, Serialize};

pub(crate) use console::Console;
pub(crate) use source::{Offset, Source};
pub(crate) use target::{Summary, Target};

use format::thousands;

/// State of the load. It belongs to the process and is never persisted.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) source: Source,
    pub(crate) target: Target,
    pub(crate) console: Console,
    /// File to which each body appends a line when it starts.
    pub(crate) effects: Option<PathBuf>,
    /// Batch in which to kill the process.
    pub(crate) crash_after: Option<u64>,
}

/// Input of the execution: the source, the target and the batch size. It is persisted with the execution.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Job {
    pub(crate) file: String,
    pub(crate) sha256: String,
    pub(crate) rows: u64,
    pub(crate) batch: u64,
    pub(crate) target: PathBuf,
    pub(crate) report: PathBuf,
}

impl Job {
    pub(crate) fn batches(&self) -> u64 {
        self.rows.div_ceil(self.batch)
    }
}

impl App {
    /// Empties the target.
    pub(crate) fn prepare(&self) -> Result<(), BoxError> {
        self.log_effect("prepare")?;
        Ok(self.target.prepare()?)
    }

    /// Cleans and loads batch `n`, which starts at `offset`. Returns the offset of the next batch.
    pub(crate) fn load(&self, job: &Job, n: u64, offset: Offset) -> Result<Offset, BoxError> {
        let (rows, next) = self.source.read(offset, job.batch)?;
        let first = rows.first().map_or(0, |row| row.line);
        let last = rows.last().map_or(0, |row| row.line);
        self.log_effect(&format!("load[{n}] lines {first} to {last}"))?;
        let crash = self.crash_after == Some(n);
        self.target.upsert(&rows, |index| {
            if crash && index == rows.len() / 2 {
                self.console.clear();
                self.console.print(&format!(
                    "Killing this process in the middle of batch {n}. Run it again to resume."
                ));
                kill_this_process();
            }
        })?;
        self.console.batch(job, n, rows.len() as u64, (first, last));
        Ok(next)
    }

    /// Summarizes the target and checks its number of rows.
    pub(crate) fn summarize(&self, job: &Job) -> Result<Summary, BoxError> {
        self.log_effect("summarize")?;
        let summary = self.target.summarize(&job.file)?;
        if summary.rows == job.rows {
            return Ok(summary);
        }
        let (found, loaded) = (thousands(summary.rows), thousands(job.rows));
        Err(durable::fatal(format!(
            "the target has {found} rows instead of the {loaded} loaded: check whether another load uses it"
        )))
    }

    /// Writes the summary as text and as a chart.
    pub(crate) fn write_report(&self, job: &Job, summary: &Summary) -> Result<(), BoxError> {
        self.log_effect("write_report")?;
        replace(&job.report.join("report.txt"), &report::text(summary))?;
        replace(&job.report.join("report.svg"), &chart::svg(summary))?;
        Ok(())
    }

    /// Appends a line to the effects file, from which tests count how often each body ran.
    fn log_effect(&self, line: &str) -> Result<(), BoxError> {
        if let Some(path) = &self.effects {
            let mut log = OpenOptions::new().create(true).append(true).open(path)?;
            log.write_all(format!("{line}\n").as_bytes())?;
        }
        Ok(())
    }
}

/// Replaces a file atomically.
fn replace(path: &Path, text: &str) -> Result<(), BoxError> {
    let temporary = path.with_extension("unfinished");
    fs::write(&temporary, text)?;
    Ok(fs::rename(temporary, path)?)
}

/// Kills the process without flushing or cleaning up, like a power failure.
fn kill_this_process() {
    #[cfg(unix)]
    {
        use rustix::process::{Signal, getpid, kill_process};
        let _ = kill_process(getpid(), Signal::KILL);
    }
    std::process::abort()
}
