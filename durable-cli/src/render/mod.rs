//! Formats executions and operations as text for people.

mod event_lines;
mod lists;
mod show;
mod style;
mod table;

use durable_core::PublishedValue;
use durable_core::store::{Execution, ExecutionStatus};
use durable_server::view::text;

pub(crate) use event_lines::{event_lines, status_line};
pub(crate) use lists::limits;
pub use lists::{messages, queues, schedules};
pub use show::show;
pub use style::Style;

use style::Tone;
use table::{Align, Cell, Table};

/// Columns of a published value in a listing.
const MAX_PUBLISHED: usize = 60;

fn published_cell(value: &PublishedValue) -> Cell {
    match value.payload.as_text() {
        _ if value.payload.sealed_with().is_some() => Cell::new("(sealed)", Tone::Faint),
        Some(value) => Cell::plain(text::truncated(&text::one_line(value), Some(MAX_PUBLISHED))),
        None => Cell::default(),
    }
}

/// Formats executions as a table, with a value that each has published. `more` says that there are more
/// executions after these.
pub fn ls(
    executions: &[Execution],
    published: &[Option<PublishedValue>],
    more: bool,
    style: Style,
) -> String {
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
        ("PUBLISHED", Align::Left),
    ]);
    for (index, execution) in executions.iter().enumerate() {
        let queued = execution.status == ExecutionStatus::Queued;
        let due = execution.start_at.filter(|_| queued).or(execution.wake_at);
        let due = match execution.paused {
            true => Some("paused".to_owned()),
            false => due.map(|at| at.to_string()),
        };
        let queue = execution.queue.as_ref().map(|entry| entry.queue.as_str());
        let value = published.get(index).and_then(Option::as_ref);
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
            value.map_or_else(Cell::default, published_cell),
        ]);
    }
    let mut text = table.print(style);
    if more {
        text.push_str("There are more: raise --limit, or filter with --status and --handler.\n");
    }
    text
}
