//! Formats one execution and the tree of its operations.

use durable_core::store::Execution;
use durable_core::{Kind, OperationError, Payload, PublishedValue, Record, Status, Timestamp};

use super::style::{Style, Tone};
use super::table::{Align, Cell, Table};
use durable_server::view::Secrets;
use durable_server::view::text;
use durable_server::view::{Node, operations, tree};

/// Number of columns shown of a value, and of an error, without `--full`.
const MAX_VALUE: usize = 60;
const MAX_ERROR: usize = 500;
const SECRET: &str = "(secret)";

/// Formats the execution, followed by a line for each operation in the order of the tree.
pub fn show(execution: &Execution, records: &[Record], full: bool, style: Style) -> String {
    let page = Page {
        execution,
        secrets: Secrets::of(records),
        full,
        style,
    };
    let mut out = page.head();
    out.push('\n');
    out.push_str(&page.published(records));
    if tree(records).is_empty() {
        out.push_str("no operations yet\n");
        return out;
    }
    out.push_str(&page.operations(records));
    out.push('\n');
    out.push_str(&totals(records));
    out
}

/// Name of a field of the execution and its value.
type Field = (&'static str, Cell);

struct Page<'a> {
    execution: &'a Execution,
    secrets: Secrets,
    full: bool,
    style: Style,
}

impl Page<'_> {
    /// Formats the fields of the execution, one per line, and its report.
    fn head(&self) -> String {
        let mut table = Table::new([("", Align::Left), ("", Align::Left)]);
        let fields = [
            self.identity(),
            self.waiting(),
            self.related(),
            self.values(),
        ];
        for (name, cell) in fields.into_iter().flatten() {
            table.row(vec![Cell::new(name, Tone::Faint), cell]);
        }
        // Drops the line of the empty heading.
        let mut head = table.print(self.style).trim_start().to_owned();
        if let Some(report) = self.execution.readable_report() {
            head.push_str(&self.report(report));
        }
        head
    }

    fn identity(&self) -> Vec<Field> {
        let execution = self.execution;
        let status = execution.status.as_str();
        let took = execution.updated_at.since(execution.created_at);
        let updated = Cell::plain(execution.updated_at.to_string());
        vec![
            ("execution", Cell::new(execution.id.as_str(), Tone::Heading)),
            ("handler", Cell::plain(&execution.handler)),
            ("status", Cell::new(status, Tone::of(status))),
            ("created", Cell::plain(execution.created_at.to_string())),
            (
                "updated",
                updated.with(format!("  {} later", text::duration(took)), Tone::Faint),
            ),
        ]
    }

    /// Formats what the execution waits for before it runs or ends.
    fn waiting(&self) -> Vec<Field> {
        let execution = self.execution;
        let mut fields = Vec::new();
        if let Some(due) = execution.wake_at {
            fields.push(("due", Cell::plain(due.to_string())));
        }
        if let Some(start) = execution.start_at {
            fields.push(("start at", Cell::plain(start.to_string())));
        }
        if let Some(entry) = &execution.queue {
            let key = entry.key.as_ref().map(|key| format!("  key {key}"));
            let priority = (entry.priority != 0).then(|| format!("  priority {}", entry.priority));
            let more = key.unwrap_or_default() + &priority.unwrap_or_default();
            fields.push(("queue", Cell::plain(&entry.queue).with(more, Tone::Faint)));
        }
        if !execution.labels.is_empty() {
            fields.push(("labels", Cell::plain(execution.labels.to_string())));
        }
        if execution.paused {
            fields.push(("paused", Cell::plain("until it is resumed")));
        }
        if execution.cancel && !execution.status.is_terminal() {
            fields.push(("cancel", Cell::plain("requested")));
        }
        fields
    }

    /// Formats the parent, the origin and the successor.
    fn related(&self) -> Vec<Field> {
        let mut fields = Vec::new();
        if let Some(parent) = &self.execution.parent {
            let position = format!("  operation {}", parent.seq);
            let cell = Cell::plain(parent.execution.as_str()).with(position, Tone::Faint);
            fields.push(("parent", cell));
        }
        if let Some(origin) = &self.execution.forked_from {
            let taken = format!("  operations 1 to {} taken over", origin.records);
            let taken = (origin.records > 0).then_some(taken);
            let cell = Cell::plain(origin.execution.as_str());
            fields.push((
                "forked from",
                cell.with(taken.unwrap_or_default(), Tone::Faint),
            ));
        }
        if let Some(next) = &self.execution.next {
            fields.push(("next", Cell::plain(next.as_str())));
        }
        fields
    }

    /// Formats input, output and error.
    fn values(&self) -> Vec<Field> {
        let execution = self.execution;
        let mut fields = vec![("input", self.value(&execution.input))];
        if let Some(output) = &execution.output {
            fields.push(("output", self.value(output)));
        }
        if let Some(error) = &execution.error {
            fields.push(("error", self.error(error, self.secrets.hide_error(error))));
        }
        fields
    }

    fn report(&self, report: &str) -> String {
        if self.secrets.hide_report(self.execution) {
            return format!("\n  {SECRET}\n");
        }
        let lines: Vec<String> = report
            .lines()
            .map(|line| format!("  {}", text::one_line(line)).trim_end().to_owned())
            .collect();
        format!("\n{}\n", lines.join("\n"))
    }

    fn operations(&self, records: &[Record]) -> String {
        let mut table = Table::new([
            ("OPERATION", Align::Left),
            ("KIND", Align::Left),
            ("STATUS", Align::Left),
            ("ATTEMPTS", Align::Right),
            ("STARTED", Align::Left),
            ("TOOK", Align::Right),
            ("SIZE", Align::Right),
            ("SOURCE", Align::Left),
            ("HANDLE", Align::Left),
            ("VALUE", Align::Left),
        ]);
        for node in tree(records) {
            table.row(self.row(&node));
            if let Some(error) = &node.record.error {
                let hide = node.record.secret || self.secrets.hide_error(error);
                let cell = Cell::new(format!("{}   ", node.below), Tone::Faint);
                table.note(self.error_after(cell, error, hide));
            }
        }
        table.print(self.style)
    }

    /// Formats the published values, one per line.
    fn published(&self, records: &[Record]) -> String {
        let mut values: Vec<_> = records.iter().filter_map(PublishedValue::of).collect();
        if values.is_empty() {
            return String::new();
        }
        values.sort_by(|a, b| a.name.cmp(&b.name));
        let mut table = Table::new([
            ("PUBLISHED", Align::Left),
            ("COUNT", Align::Right),
            ("AT", Align::Left),
            ("VALUE", Align::Left),
        ]);
        for value in values {
            table.row(vec![
                Cell::plain(&value.name),
                Cell::plain(value.count.to_string()),
                Cell::plain(self.moment(value.at)),
                self.value(&value.payload),
            ]);
        }
        table.print(self.style) + "\n"
    }

    fn row(&self, node: &Node<'_>) -> Vec<Cell> {
        let record = node.record;
        let (scopes, own) = match self.full {
            true => node.path.split_at(node.scopes),
            false => (&*node.short.0, &*node.short.1),
        };
        let status = record.status.as_str();
        vec![
            Cell::new(&node.guide, Tone::Faint)
                .with(scopes, Tone::Faint)
                .with(own, Tone::Plain),
            Cell::plain(record.kind.as_str()),
            Cell::new(status, Tone::of(status)),
            Cell::plain(attempts(record)),
            Cell::plain(self.moment(record.started_at)),
            Cell::plain(took(record)),
            Cell::plain(match record.size() {
                0 => String::new(),
                size => text::bytes(size),
            }),
            Cell::new(&record.source, Tone::Faint),
            Cell::plain(record.handle.as_deref().unwrap_or_default()),
            self.outcome(record),
        ]
    }

    /// Formats the value, and what the operation waits for.
    fn outcome(&self, record: &Record) -> Cell {
        let value = match &record.payload {
            Some(_) if record.secret => Cell::new(SECRET, Tone::Faint),
            Some(payload) => self.value(payload),
            None => Cell::default(),
        };
        let wait = match (record.due_at, record.status, record.kind) {
            (Some(due), Status::Pending, Kind::Poll) => format!("next check {}", self.moment(due)),
            (Some(due), Status::Pending, _) => format!("next attempt {}", self.moment(due)),
            (Some(due), Status::Started, _) => format!("until {}", self.moment(due)),
            _ => return value,
        };
        match record.payload {
            // State that a poll carries to its next check.
            Some(_) => value.with(format!("  {wait}"), Tone::Faint),
            None => Cell::new(wait, Tone::Faint),
        }
    }

    fn value(&self, payload: &Payload) -> Cell {
        if let Some(codec) = payload.sealed_with() {
            return Cell::new(format!("(sealed with {codec})"), Tone::Faint);
        }
        if self.secrets.hide_bytes(&payload.data) {
            return Cell::new(SECRET, Tone::Faint);
        }
        match payload.as_text() {
            Some(value) => {
                let limit = (!self.full).then_some(MAX_VALUE);
                Cell::plain(text::truncated(&text::one_line(value), limit))
            }
            None => Cell::new(format!("({}, not text)", payload.codec), Tone::Faint),
        }
    }

    fn error(&self, error: &OperationError, hide: bool) -> Cell {
        self.error_after(Cell::default(), error, hide)
    }

    fn error_after(&self, cell: Cell, error: &OperationError, hide: bool) -> Cell {
        if hide {
            let kind = error.kind();
            return cell.with(format!("{kind}: {SECRET}"), Tone::Bad);
        }
        let limit = (!self.full).then_some(MAX_ERROR);
        let message = text::truncated(&text::one_line(&error.to_string()), limit);
        let cell = cell.with(message, Tone::Bad);
        match error.type_name() {
            "" => cell,
            name => cell.with(format!("  {name}"), Tone::Faint),
        }
    }

    /// Formats the time of day, with the date if it differs from that of the start of the execution.
    fn moment(&self, at: Timestamp) -> String {
        let (at, first) = (at.to_string(), self.execution.created_at.to_string());
        match (at.split_once('T'), first.split_once('T')) {
            (Some((day, time)), Some((first_day, _))) if day == first_day => time.to_owned(),
            _ => at,
        }
    }
}

fn attempts(record: &Record) -> String {
    match (record.attempt, record.interruptions) {
        (0, _) => String::new(),
        (attempts, 0) => attempts.to_string(),
        (attempts, interrupted) => format!("{attempts} ({interrupted} interrupted)"),
    }
}

fn took(record: &Record) -> String {
    let ended = record.ended_at;
    ended.map_or_else(String::new, |ended| {
        text::duration(ended.since(record.started_at))
    })
}

fn totals(records: &[Record]) -> String {
    let records: Vec<_> = operations(records).collect();
    let counts: Vec<String> = Status::ALL
        .into_iter()
        .map(|status| {
            let count = records.iter().filter(|record| record.status == status);
            (count.count(), status)
        })
        .filter(|(count, _)| *count > 0)
        .map(|(count, status)| format!("{count} {status}"))
        .collect();
    let plural = if records.len() == 1 { "" } else { "s" };
    format!(
        "{} operation{plural}: {}\n",
        records.len(),
        counts.join(", ")
    )
}
