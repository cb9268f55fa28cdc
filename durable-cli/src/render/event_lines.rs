//! Formats changes of an execution, one line each.

use durable_core::store::Execution;
use durable_core::{Record, Timestamp};

use super::style::{Style, Tone};
use durable_server::view::text;
use durable_server::view::tree;

/// Formats a line for each operation whose `seq` is among `changed`, in the order of the tree, without
/// values and errors.
pub(crate) fn event_lines(records: &[Record], changed: &[u64], style: Style) -> Vec<String> {
    let mut lines = Vec::new();
    for node in tree(records) {
        let record = node.record;
        if !changed.contains(&record.seq) {
            continue;
        }
        let at = record.ended_at.unwrap_or(record.started_at);
        let status = record.status.as_str();
        let mut line = time(at, style);
        let (scopes, name) = &node.short;
        line.push_str(&format!("{} {scopes}{name} ", record.kind));
        line.push_str(&style.paint(status, Tone::of(status)));
        if record.attempt > 1 {
            line.push_str(&format!(", attempt {}", record.attempt));
        }
        if let Some(ended) = record.ended_at {
            let took = text::duration(ended.since(record.started_at));
            line.push_str(&style.paint(&format!("  {took}"), Tone::Faint));
        }
        lines.push(line + "\n");
    }
    lines
}

/// Formats a line with the status of the execution.
pub(crate) fn status_line(execution: &Execution, style: Style) -> String {
    let status = execution.status.as_str();
    let word = style.paint(status, Tone::of(status));
    let due = execution.wake_at.map(|at| format!(" until {at}"));
    let at = time(execution.updated_at, style);
    format!("{at}{} {word}{}\n", execution.id, due.unwrap_or_default())
}

fn time(at: Timestamp, style: Style) -> String {
    style.paint(&at.to_string(), Tone::Faint) + "  "
}
