//! Output of `--json`: one object, whose shape is stable between releases.
//!
//! `format` is 1. A release may add fields under the same number; renaming, removing or redefining a
//! field needs a new number. Every field listed here is always present, and `null` if it has no value.
//! Times are written as `2026-11-23T14:06:12.120Z`.
//!
//! `durable ls --json` prints [`Executions`] and `durable show ID --json` prints a [`History`]. With
//! `--follow`, every line is an [`Operation`] or an [`ExecutionDetails`]. Commands that change
//! executions print a [`ChangeResult`].

mod changes;
mod history;
mod lists;
mod messages;
mod view;

use std::collections::BTreeMap;
use std::time::Duration;

use durable_core::{Labels, Timestamp};

pub use changes::{BackfillResult, ChangeResult, Refusal, StartResult};
pub use history::{
    ExecutionDetails, Executions, Failure, ForkedFrom, History, Operation, Parent, Published,
    Summary, Value,
};
pub use lists::{Queue, Queues, Schedule, Schedules};
pub use messages::{Message, Messages};

/// Number of the output format.
pub const FORMAT: u32 = 1;

fn millis(time: Duration) -> Option<u64> {
    u64::try_from(time.as_millis()).ok()
}

fn labels(labels: &Labels) -> BTreeMap<String, String> {
    let pairs = labels.iter();
    pairs
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

fn time(at: Option<Timestamp>) -> Option<String> {
    at.map(|at| at.to_string())
}
