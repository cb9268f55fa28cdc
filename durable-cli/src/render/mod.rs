//! Executions and operations as text for people.

mod show;
mod style;
mod table;

use durable_core::store::Execution;

pub use show::show;
pub use style::Style;

use style::Tone;
use table::{Align, Cell, Table};

/// The executions as a table. `more` says that there are others after them.
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
    ]);
    for execution in executions {
        let due = execution.wake_at.map(|at| at.to_string());
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
        ]);
    }
    let mut text = table.print(style);
    if more {
        text.push_str("There are more: raise --limit, or narrow with --status and --handler.\n");
    }
    text
}
