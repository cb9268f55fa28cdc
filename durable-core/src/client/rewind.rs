//! Plans which records to remove or reset so that an execution can run again.

use std::collections::{HashMap, HashSet};

use crate::model::record::{Kind, RERUN, Record, Status, TRANSACTION};
use crate::store::Rewind;
use crate::{ExecutionId, Occurrence, OperationId, Timestamp};

/// Point from which an execution runs again.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RetryFrom {
    /// From the failed operation. Failed operations in the same `map!` or `parallel!` and undone steps run
    /// again too. Everything that succeeded keeps its value.
    Failure,
    /// From the operation with this path of display names (`load[3]`, `files[a.csv]/parse`). The operation and
    /// everything that started after it run again.
    Operation(String),
    /// From the beginning, with the same input.
    Beginning,
}

/// Changes needed for an execution to run again.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) rewind: Rewind,
    /// Child executions that failed and have to run again.
    pub(super) retry_children: Vec<ExecutionId>,
    /// Child executions that the parent is going to start again.
    pub(super) delete_children: Vec<ExecutionId>,
}

/// Plans the changes, or returns the reason why the execution cannot run again.
pub(super) fn plan(records: &[Record], from: &RetryFrom, now: Timestamp) -> Result<Plan, String> {
    let history = History::of(records);
    let (reset, remove_from) = match from {
        RetryFrom::Failure => (history.failed(), None),
        RetryFrom::Operation(path) => (Vec::new(), Some(history.find(path)?.seq)),
        RetryFrom::Beginning => (Vec::new(), Some(1)),
    };
    let stays = |record: &&Record| remove_from.is_none_or(|first| record.seq < first);
    let mut again = HashSet::new();
    let target = remove_from.and_then(|seq| records.iter().find(|record| record.seq == seq));
    for record in reset
        .iter()
        .copied()
        .chain(target)
        .chain(history.undone_steps())
    {
        again.extend(history.enclosing(record).map(|scope| scope.id));
    }
    again.extend(
        reset
            .iter()
            .chain(&history.undone_steps())
            .map(|record| record.id),
    );
    again.extend(history.undos().map(|undo| undo.id));
    if remove_from.is_some() {
        let published = records
            .iter()
            .filter(|record| record.published_name().is_some());
        again.extend(published.map(|record| record.id));
    }
    let kept = records.iter().filter(stays);
    let again: Vec<_> = kept.filter(|record| again.contains(&record.id)).collect();
    let gone = records.iter().filter(|record| !stays(record));
    let mark = remove_from
        .filter(|_| records.iter().any(is_transactional))
        .map(|seq| rerun_mark(seq, now));
    Ok(Plan {
        retry_children: again.iter().copied().filter_map(invoked).collect(),
        delete_children: gone.filter_map(invoked).collect(),
        rewind: Rewind {
            seen: 0,
            remove_from,
            records: again
                .into_iter()
                .map(|record| reset_record(record, now))
                .chain(mark)
                .collect(),
        },
    })
}

fn is_transactional(record: &Record) -> bool {
    let handle = record.handle.as_deref().unwrap_or_default();
    record.kind == Kind::Step && handle.starts_with(TRANSACTION)
}

/// Creates the internal record at `seq` because of which rows of earlier runs do not answer the steps after it.
fn rerun_mark(seq: u64, now: Timestamp) -> Record {
    let occurrence = Occurrence::Keyed(rerun_tag());
    let id = OperationId::of(OperationId::ROOT, RERUN, &occurrence);
    let mut mark = Record::started(
        seq,
        id,
        OperationId::ROOT,
        Kind::Record,
        RERUN,
        occurrence,
        now,
    );
    mark.label = Some("retry by an operator".to_owned());
    (mark.status, mark.ended_at) = (Status::Succeeded, Some(now));
    mark
}

/// Random, so that no two retries of an execution have the same tag.
fn rerun_tag() -> String {
    format!("{:016x}", fastrand::u64(..))
}

fn invoked(record: &Record) -> Option<ExecutionId> {
    let handle = record
        .handle
        .as_ref()
        .filter(|_| record.kind == Kind::Invoke)?;
    handle.parse().ok()
}

/// Resets the record of an operation so that it runs again. A scope is entered again. A body starts as if its
/// first attempt had been delayed.
pub(super) fn reset_record(record: &Record, now: Timestamp) -> Record {
    let mut reset = record.clone();
    if record.published_name().is_some() {
        // The value stays until the replay publishes again, which it does from the first call.
        reset.handle = None;
        return reset;
    }
    (reset.payload, reset.error, reset.ended_at) = (None, None, None);
    (reset.attempt, reset.interruptions) = (0, 0);
    if is_transactional(record) {
        reset.handle = Some(format!("{TRANSACTION}/{}", rerun_tag()));
    }
    if record.kind.is_scope() || record.kind == Kind::Invoke {
        reset.status = Status::Started;
    } else if matches!(record.kind, Kind::Callback | Kind::Receive) {
        reset.status = Status::Started;
        // Grants as much time as before.
        reset.deadline = record
            .deadline
            .map(|end| now.after(end.since(record.started_at)));
        reset.beat(now);
    } else {
        (reset.status, reset.due_at) = (Status::Pending, Some(now));
    }
    reset
}

pub(super) struct History<'a> {
    records: &'a [Record],
    by_id: HashMap<OperationId, &'a Record>,
}

impl<'a> History<'a> {
    pub(super) fn of(records: &'a [Record]) -> Self {
        let by_id = records.iter().map(|record| (record.id, record));
        Self {
            records,
            by_id: by_id.collect(),
        }
    }

    /// Returns the enclosing scopes, the innermost first.
    pub(super) fn enclosing(&self, record: &Record) -> impl Iterator<Item = &'a Record> {
        let mut parent = record.parent;
        std::iter::from_fn(move || {
            let enclosing = self.by_id.get(&parent).copied()?;
            parent = enclosing.parent;
            Some(enclosing)
        })
    }

    pub(super) fn path(&self, record: &Record) -> String {
        let mut names: Vec<_> = self.enclosing(record).map(Record::display_name).collect();
        names.reverse();
        names.push(record.display_name());
        names.join("/")
    }

    pub(super) fn find(&self, path: &str) -> Result<&'a Record, String> {
        let mut found = self
            .records
            .iter()
            .filter(|record| self.path(record) == path);
        found.next().ok_or_else(|| {
            let last = path.rsplit('/').next().unwrap_or(path);
            let like =
                |record: &&Record| *record.name == *last || self.path(record).ends_with(path);
            let near: Vec<_> = self
                .records
                .iter()
                .filter(like)
                .map(|record| self.path(record))
                .take(3)
                .collect();
            let hint = match near.is_empty() {
                true => String::new(),
                false => format!("; did you mean `{}`?", near.join("` or `")),
            };
            format!("there is no operation `{path}` in its history{hint}")
        })
    }

    /// Returns the operation that failed last, and those that failed in the same `map!` or `parallel!`.
    fn failed(&self) -> Vec<&'a Record> {
        let failed = |record: &&Record| {
            matches!(record.status, Status::Failed | Status::Cancelled)
                && !record.kind.is_scope()
                && record.kind != Kind::Undo
        };
        let all = || self.records.iter().filter(failed);
        let Some(last) = all().max_by_key(|record| (record.ended_at, record.seq)) else {
            return Vec::new();
        };
        // Scopes that failed because of it although it is recorded elsewhere: it has moved into them since.
        let holds_it = |record: &&Record| {
            record.kind.is_scope()
                && record.status == Status::Failed
                && record.ended_at >= last.ended_at
        };
        let moved_into = self.records.iter().filter(holds_it);
        let branching = |record: &Record| matches!(record.kind, Kind::Map | Kind::Parallel);
        let outermost = self.enclosing(last).filter(|scope| branching(scope)).last();
        let Some(outermost) = outermost else {
            return moved_into.chain([last]).collect();
        };
        all()
            .filter(|record| self.enclosing(record).any(|scope| scope.id == outermost.id))
            .chain(moved_into)
            .collect()
    }

    fn undos(&self) -> impl Iterator<Item = &'a Record> {
        self.records
            .iter()
            .filter(|record| record.kind == Kind::Undo)
    }

    /// Returns the steps whose undo bodies have started.
    pub(super) fn undone_steps(&self) -> Vec<&'a Record> {
        self.undos()
            .filter_map(|undo| self.by_id.get(&undo.parent).copied())
            .collect()
    }
}

#[cfg(test)]
mod tests;
