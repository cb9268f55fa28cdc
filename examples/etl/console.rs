//! What the program says while it works.

use std::io::{IsTerminal, Write, stderr, stdout};
use std::path::Path;

use indicatif::{ProgressBar, ProgressStyle};

use super::format::counted;

/// A progress bar on a terminal, plain lines anywhere else.
#[derive(Debug)]
pub(crate) struct Console {
    rows: u64,
    batch: u64,
    bar: Option<ProgressBar>,
}

impl Console {
    pub(crate) fn new(rows: u64, batch: u64) -> Self {
        let bar = stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template(
                "{bar:32.cyan/dim} {human_pos} of {human_len} rows  {msg}",
            );
            ProgressBar::new(rows)
                .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        Self { rows, batch, bar }
    }

    /// Says that batch `n` is in the target. Batches before it may have been loaded by a process
    /// before this one.
    pub(crate) fn batch(&self, n: u64, rows: u64, first_line: u64, last_line: u64) {
        let batches = self.rows.div_ceil(self.batch);
        match &self.bar {
            Some(bar) => {
                bar.set_message(format!("batch {n} of {batches}"));
                bar.set_position((n - 1) * self.batch + rows);
            }
            None => self.say(&format!(
                "batch {n:>3} of {batches}: {}, lines {first_line} to {last_line}",
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

/// A path as short as it can be written here.
pub(crate) fn shown(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    let path = path.strip_prefix(here).unwrap_or(path);
    path.display().to_string()
}
