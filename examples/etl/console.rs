//! What the program says while it works.

use std::io::{IsTerminal, Write, stderr, stdout};

use indicatif::{ProgressBar, ProgressStyle};

use super::Job;
use super::format::counted;

/// A progress bar on a terminal, plain lines anywhere else.
#[derive(Debug)]
pub(crate) struct Console {
    bar: Option<ProgressBar>,
}

impl Console {
    pub(crate) fn new(rows: u64) -> Self {
        let bar = stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template(
                "{bar:32.cyan/dim} {human_pos} of {human_len} rows  {msg}",
            );
            ProgressBar::new(rows)
                .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        Self { bar }
    }

    /// Says that batch `n` is in the target. Batches before it may have been loaded by a process
    /// before this one.
    pub(crate) fn batch(&self, job: &Job, n: u64, rows: u64, (first, last): (u64, u64)) {
        let batches = job.batches();
        match &self.bar {
            Some(bar) => {
                bar.set_message(format!("batch {n} of {batches}"));
                bar.set_position((n - 1) * job.batch + rows);
            }
            None => self.say(&format!(
                "batch {n:>3} of {batches}: {}, lines {first} to {last}",
                counted(rows, "row")
            )),
        }
    }

    /// A line of its own, above the progress bar if there is one. That nobody reads it is no reason
    /// to stop a load, as `println!` would.
    pub(crate) fn say(&self, text: &str) {
        let print = || {
            let _ = writeln!(stdout(), "{text}");
        };
        match &self.bar {
            Some(bar) if bar.position() > 0 && !bar.is_finished() => bar.suspend(print),
            _ => print(),
        }
    }

    /// Takes the progress bar away.
    pub(crate) fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
