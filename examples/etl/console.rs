//! Output of the program while it runs.

use std::io::{IsTerminal, Write, stderr, stdout};

use indicatif::{ProgressBar, ProgressStyle};

use super::Job;
use super::format::counted;

/// Console output: a progress bar on a terminal, otherwise plain lines.
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

    /// Reports that batch `n` is loaded. An earlier process may have loaded the batches before it.
    pub(crate) fn batch(&self, job: &Job, n: u64, rows: u64, (first, last): (u64, u64)) {
        let batches = job.batches();
        match &self.bar {
            Some(bar) => {
                bar.set_message(format!("batch {n} of {batches}"));
                bar.set_position((n - 1) * job.batch + rows);
            }
            None => self.print(&format!(
                "batch {n:>3} of {batches}: {}, lines {first} to {last}",
                counted(rows, "row")
            )),
        }
    }

    /// Prints a line, above the progress bar if there is one. Unlike `println!`, it does not panic when the output is
    /// closed.
    pub(crate) fn print(&self, text: &str) {
        let print = || {
            let _ = writeln!(stdout(), "{text}");
        };
        match &self.bar {
            Some(bar) if bar.position() > 0 && !bar.is_finished() => bar.suspend(print),
            _ => print(),
        }
    }

    /// Removes the progress bar.
    pub(crate) fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
