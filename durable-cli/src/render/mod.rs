//! Formats executions and operations as text for people.

mod event_lines;
mod lists;
mod show;
mod style;
mod table;

use durable_core::store::{Execution, ExecutionStatus};

pub(crate) use event_lines::{event_lines, status_line};
pub(crate) use lists::limits;
pub use lists::{queues, schedules};
pub use show::show;
pub use style::Style;

use style::Tone;
use table::{Align, Cell, Table};

/// Formats executions as a table. `more` says that there are more executions after these.
pub fn ls(executions: &[Execution], more: bool, style: Style) -> String {
    if executions.is_empty() {
        return "no executions\n".into();
    }
    let mut table = Table::new([
        ("EXECUTION", Align::Left),
        ("HANDLER", Align::Left),
        ("STATUS", Align::Left),
        ("CREATED", Align::Left),
        ("UPDATED", Align::Left),
        ("DUE", Align::Left),
        ("QUEUE", Align::Left),
        ("LABELS", Align::Left),
    ]);
    for execution in executions {
        let queued = execution.status == ExecutionStatus::Queued;
        let due = execution.start_at.filter(|_| queued).or(execution.wake_at);
        let due = match execution.paused {
            true => Some("paused".to_owned()),
            false => due.map(|at| at.to_string()),
        };
        let queue = execution.queue.as_ref().map(|entry| entry.queue.as_str());
        table.row(vec![
            Cell::plain(execution.id.as_str()),
            Cell::plain(&execution.handler),
            Cell::new(
                execution.status.as_str(),
                Tone::of(execution.status.as_str()),
            ),
            Cell::plain(execution.created_at.to_string()),
            Cell::plain(execution.updated_at.to_string()),
            Cell::plain(due.unwrap_or_default()),
            Cell::plain(queue.unwrap_or_default()),
            Cell::plain(execution.labels.to_string()),
        ]);
    }
    let mut text = table.print(style);
    if more {
        text.push_str("There are more: raise --limit, or filter with --status and --handler.\n");
    }
    text
}
