//! What the steps of the load do.

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
pub(crate) use source::{Place, Source};
pub(crate) use target::{Summary, Target};

use format::thousands;

/// What the load works with. Belongs to the process; never persisted.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) source: Source,
    pub(crate) target: Target,
    pub(crate) console: Console,
    /// Where a line is written whenever a step's body begins.
    pub(crate) effects: Option<PathBuf>,
    /// The batch in which the process is killed.
    pub(crate) crash_after: Option<u64>,
}

/// What is loaded, and into what. Persisted: the same execution always means the same job.
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

    /// Cleans and loads batch `n`, which begins at `place`; returns where the next one begins.
    pub(crate) fn load(&self, job: &Job, n: u64, place: Place) -> Result<Place, BoxError> {
        let (rows, next) = self.source.read(place, job.batch)?;
        let first = rows.first().map_or(0, |row| row.line);
        let last = rows.last().map_or(0, |row| row.line);
        self.log_effect(&format!("load[{n}] lines {first} to {last}"))?;
        let crash = self.crash_after == Some(n);
        self.target.upsert(&rows, |index| {
            if crash && index == rows.len() / 2 {
                self.console.clear();
                self.console.say(&format!(
                    "Killing this process in the middle of batch {n}. Run it again to go on."
                ));
                kill_this_process();
            }
        })?;
        self.console.batch(job, n, rows.len() as u64, (first, last));
        Ok(next)
    }

    /// Counts what arrived and checks that it is what was sent.
    pub(crate) fn summarize(&self, job: &Job) -> Result<Summary, BoxError> {
        self.log_effect("summarize")?;
        let summary = self.target.summarize(&job.file)?;
        if summary.rows == job.rows {
            return Ok(summary);
        }
        let (found, sent) = (thousands(summary.rows), thousands(job.rows));
        Err(durable::fatal(format!(
            "the target holds {found} rows where {sent} were loaded: does another load use it?"
        )))
    }

    /// Writes the summary as text and as a chart.
    pub(crate) fn write_report(&self, job: &Job, summary: &Summary) -> Result<(), BoxError> {
        self.log_effect("write_report")?;
        replace(&job.report.join("report.txt"), &report::text(summary))?;
        replace(&job.report.join("report.svg"), &chart::svg(summary))?;
        Ok(())
    }

    /// One line per started step, so that a test can tell what ran and how often.
    fn log_effect(&self, line: &str) -> Result<(), BoxError> {
        if let Some(path) = &self.effects {
            let mut log = OpenOptions::new().create(true).append(true).open(path)?;
            log.write_all(format!("{line}\n").as_bytes())?;
        }
        Ok(())
    }
}

/// Puts `text` where readers find either the old file or the new one, never a part.
fn replace(path: &Path, text: &str) -> Result<(), BoxError> {
    let unfinished = path.with_extension("unfinished");
    fs::write(&unfinished, text)?;
    Ok(fs::rename(unfinished, path)?)
}

/// Ends the process as a power failure would: nothing is flushed, nothing cleaned up.
fn kill_this_process() {
    #[cfg(unix)]
    {
        use rustix::process::{Signal, getpid, kill_process};
        let _ = kill_process(getpid(), Signal::KILL);
    }
    std::process::abort()
}
