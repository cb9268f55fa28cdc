//! Recorded operations of an execution, for assertions by name.

use std::collections::HashMap;
use std::fmt;

use serde::de::DeserializeOwned;

use super::diff::diff;
use super::script::Pattern;
use crate::model::error::OperationError;
use crate::model::payload::Payload;
use crate::model::record::{Kind, Record, Status};
use crate::store::Execution;
use crate::{ExecutionId, OperationId, PublishedValue};

/// Longest value shown in a line, in characters.
const SHOWN: usize = 120;

/// Recorded operations of one execution. Each scope is followed by its contents; siblings are in the order in which
/// the code registered them.
///
/// [`Display`](fmt::Display) writes one line per operation, without times, so that the histories of two runs can be
/// compared.
#[derive(Debug, Clone)]
pub struct History {
    execution: Execution,
    operations: Vec<Operation>,
    published: Vec<PublishedValue>,
}

/// One recorded operation.
#[derive(Debug, Clone)]
pub struct Operation {
    record: Record,
    path: String,
    depth: usize,
}

/// Path of an operation: the scopes that contain it and its display name, such as `files[a.csv]/parse`.
pub(super) fn path_in(scope: Option<&str>, record: &Record) -> String {
    match scope {
        Some(scope) => format!("{scope}/{}", record.display_name()),
        None => record.display_name(),
    }
}

impl History {
    /// Creates the history of `execution` from its records, in any order.
    pub fn new(execution: Execution, records: Vec<Record>) -> Self {
        let mut published: Vec<_> = records.iter().filter_map(PublishedValue::of).collect();
        published.sort_by(|a, b| a.name.cmp(&b.name));
        let mut nested: HashMap<OperationId, Vec<Record>> = HashMap::new();
        let known: Vec<OperationId> = records.iter().map(|record| record.id).collect();
        for mut record in records {
            if record.published_name().is_some() {
                continue;
            }
            // A record whose scope is missing is shown at the top level.
            if record.parent != OperationId::ROOT && !known.contains(&record.parent) {
                record.parent = OperationId::ROOT;
            }
            nested.entry(record.parent).or_default().push(record);
        }
        for siblings in nested.values_mut() {
            siblings.sort_by_key(|record| (record.order, record.seq));
        }
        let mut operations = Vec::new();
        push(&mut operations, &mut nested, OperationId::ROOT, None, 0);
        Self {
            execution,
            operations,
            published,
        }
    }

    /// The values that the execution has published, by name.
    pub fn published_values(&self) -> &[PublishedValue] {
        &self.published
    }

    /// The latest value that the execution has published under this name. `None` if there is none or it is not a `T`.
    pub fn published<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        let mut values = self.published.iter();
        values.find(|value| value.name == name)?.decode().ok()
    }

    /// The execution.
    pub fn execution(&self) -> &Execution {
        &self.execution
    }

    /// The execution's id.
    pub fn id(&self) -> &ExecutionId {
        &self.execution.id
    }

    /// All operations.
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// The operations that `name` matches. A name is a path (`files[a.csv]/parse`), a display name (`load[3]`), or the
    /// name of a call site, which matches all its occurrences (`load`).
    pub fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a Operation> + use<'a> {
        let pattern = Pattern::new(name);
        let operations = self.operations.iter();
        operations.filter(move |operation| pattern.matches(&operation.path))
    }

    /// The first operation that `name` matches.
    pub fn get(&self, name: &str) -> Option<&Operation> {
        self.all(name).next()
    }

    /// The paths of all operations.
    pub fn names(&self) -> Vec<&str> {
        let operations = self.operations.iter();
        operations.map(|operation| operation.path()).collect()
    }

    /// Compares this history with `other`. Returns lines marked `-` (only in this one) and `+` (only in `other`), or
    /// `None` if both contain the same operations with the same outcomes in the same order.
    pub fn diff(&self, other: &Self) -> Option<String> {
        diff(&self.lines(), &other.lines())
    }

    pub(super) fn published_lines(&self) -> impl Iterator<Item = String> {
        let published = self.published.iter();
        published.map(|value| format!("published {}: {}", value.name, shown(&value.payload)))
    }

    pub(super) fn lines(&self) -> Vec<String> {
        let operations = self.operations.iter().map(Operation::line);
        operations.chain(self.published_lines()).collect()
    }
}

fn push(
    operations: &mut Vec<Operation>,
    nested: &mut HashMap<OperationId, Vec<Record>>,
    scope: OperationId,
    path: Option<&str>,
    depth: usize,
) {
    for record in nested.remove(&scope).unwrap_or_default() {
        let (id, path) = (record.id, path_in(path, &record));
        operations.push(Operation {
            record,
            path: path.clone(),
            depth,
        });
        push(operations, nested, id, Some(&path), depth + 1);
    }
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.operations.is_empty() && self.published.is_empty() {
            return writeln!(f, "    (no operations)");
        }
        let mut lines = self.lines().into_iter();
        lines.try_for_each(|line| writeln!(f, "    {line}"))
    }
}

impl Operation {
    /// The path: the scopes that contain the operation and its display name.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The kind of operation.
    pub fn kind(&self) -> Kind {
        self.record.kind
    }

    /// The recorded status.
    pub fn status(&self) -> Status {
        self.record.status
    }

    /// Number of attempts begun.
    pub fn attempts(&self) -> u32 {
        self.record.attempt
    }

    /// The recorded value, decoded from JSON, or `None` if there is none of this type.
    pub fn value<T: DeserializeOwned>(&self) -> Option<T> {
        let payload = self.record.payload.as_ref()?;
        serde_json::from_slice(&payload.data).ok()
    }

    /// The recorded error.
    pub fn error(&self) -> Option<&OperationError> {
        self.record.error.as_ref()
    }

    /// The complete record.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// One line with the fields that two runs of the same code must have in common.
    pub(super) fn line(&self) -> String {
        let record = &self.record;
        let indent = "  ".repeat(self.depth);
        let (name, kind, status) = (record.display_name(), record.kind, self.status_word());
        let attempts = match record.attempt {
            0 | 1 => String::new(),
            attempts => format!(" after {attempts} attempts"),
        };
        let outcome = self.outcome();
        format!("{indent}{name}  {kind} {status}{attempts}{outcome}")
    }

    /// Word for the status. The end of a timer follows from its due time, so it may or may not be recorded: both read
    /// the same.
    fn status_word(&self) -> &'static str {
        match (self.record.kind, self.record.status) {
            (Kind::Wait, Status::Started | Status::Succeeded) => "started",
            (_, status) => status.as_str(),
        }
    }

    fn outcome(&self) -> String {
        match (&self.record.payload, &self.record.error) {
            _ if self.record.secret && self.record.status.is_terminal() => " (secret)".to_owned(),
            (Some(payload), _) => format!(": {}", shown(payload)),
            (None, Some(error)) => format!(": {}", one_line(error.message())),
            (None, None) => String::new(),
        }
    }
}

/// The value, shortened to [`SHOWN`] characters.
pub(super) fn shown(payload: &Payload) -> String {
    match payload.as_text() {
        Some(text) => one_line(text),
        None => format!("({} bytes of {})", payload.len(), payload.codec),
    }
}

fn one_line(text: &str) -> String {
    let mut line: String = text.chars().take(SHOWN).collect();
    if line.len() < text.len() {
        line.push_str(&format!("… ({} bytes)", text.len()));
    }
    line.replace('\n', " ")
}
