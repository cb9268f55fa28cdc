//! Formats queues and schedules as tables.

use durable_core::schedule::Schedule;
use durable_core::store::{Queue, QueueState, ScheduleEntry};

use super::style::{Style, Tone};
use super::table::{Align, Cell, Table};
use durable_server::view::json::{Message, Messages};
use durable_server::view::text;

/// Formats queues, their limits and the number of their executions as a table.
pub fn queues(queues: &[QueueState], style: Style) -> String {
    if queues.is_empty() {
        return "no queues\n".into();
    }
    let mut table = Table::new([
        ("QUEUE", Align::Left),
        ("WAITING", Align::Right),
        ("RUNNING", Align::Right),
        ("LIMITS", Align::Left),
    ]);
    for state in queues {
        let tone = if state.queue.paused {
            Tone::Active
        } else {
            Tone::Plain
        };
        table.row(vec![
            Cell::plain(&state.queue.name),
            Cell::plain(state.waiting.to_string()),
            Cell::plain(state.running.to_string()),
            Cell::new(limits(&state.queue), tone),
        ]);
    }
    table.print(style)
}

/// Describes the limits of a queue.
pub(crate) fn limits(queue: &Queue) -> String {
    let rate = queue
        .rate
        .map(|rate| format!("{} starts in {}", rate.starts, text::duration(rate.per)));
    let parts = [
        queue.paused.then(|| "paused".to_owned()),
        queue.concurrency.map(|limit| format!("{limit} at a time")),
        queue
            .concurrency_per_key
            .map(|limit| format!("{limit} per key")),
        rate,
    ];
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    match parts.is_empty() {
        true => "no limits".to_owned(),
        false => parts.join(", "),
    }
}

/// Formats schedules and the times of their next firings as a table.
pub fn schedules(schedules: &[ScheduleEntry], style: Style) -> String {
    if schedules.is_empty() {
        return "no schedules\n".into();
    }
    let mut table = Table::new([
        ("SCHEDULE", Align::Left),
        ("HANDLER", Align::Left),
        ("FIRES", Align::Left),
        ("NEXT", Align::Left),
        ("LAST EXECUTION", Align::Left),
    ]);
    for entry in schedules {
        let fires =
            Schedule::of(entry).map_or_else(|error| error.to_string(), |plan| plan.describe());
        let next = match entry.next_at {
            _ if entry.paused => Cell::new("paused", Tone::Active),
            Some(at) => Cell::plain(at.to_string()),
            None => Cell::new("never", Tone::Faint),
        };
        let last = entry.last.as_ref().map(|last| last.as_str());
        table.row(vec![
            Cell::plain(entry.name.as_str()),
            Cell::plain(&entry.handler),
            Cell::plain(fires),
            next,
            Cell::plain(last.unwrap_or_default()),
        ]);
    }
    table.print(style)
}

/// Columns of the value of a message.
const MAX_VALUE: usize = 60;

/// Formats the messages to an execution as a table. Returns nothing if there are none.
pub fn messages(messages: &Messages, style: Style) -> String {
    if messages.messages.is_empty() {
        return String::new();
    }
    let mut table = Table::new([
        ("MESSAGE", Align::Right),
        ("NAME", Align::Left),
        ("SENT", Align::Left),
        ("RECEIVED BY", Align::Left),
        ("VALUE", Align::Left),
        ("ID", Align::Left),
    ]);
    for message in &messages.messages {
        let received = match message.received_by {
            Some(seq) => Cell::plain(format!("operation {seq}")),
            None => Cell::new("waits", Tone::Active),
        };
        table.row(vec![
            Cell::plain(message.number.to_string()),
            Cell::plain(&message.name),
            Cell::plain(&message.sent_at),
            received,
            value(message),
            Cell::new(&message.id, Tone::Faint),
        ]);
    }
    format!("\n{}", table.print(style))
}

fn value(message: &Message) -> Cell {
    match (&message.value.json, message.value.hidden) {
        (Some(json), _) => {
            let value = text::one_line(&json.to_string());
            Cell::plain(text::truncated(&value, Some(MAX_VALUE)))
        }
        (None, why) => Cell::new(format!("({})", why.unwrap_or("none")), Tone::Faint),
    }
}
