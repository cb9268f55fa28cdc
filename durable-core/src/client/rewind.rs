//! What of a history has to go for an execution to run again.

use std::collections::{HashMap, HashSet};

use crate::model::record::{Kind, Record, Status};
use crate::store::Rewind;
use crate::{ExecutionId, OperationId, Timestamp};

/// From where an execution runs again.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RetryFrom {
    /// From the operation it failed at. What else failed in the same `map!` or `parallel!` runs again
    /// too, and what was taken back; everything that succeeded keeps its value.
    Failure,
    /// From the operation that histories write like this (`load[3]`, `files[a.csv]/parse`): it and
    /// everything that was started after it runs again.
    Operation(String),
    /// From the beginning, with the same input.
    Beginning,
}

/// What has to be done for an execution to run again.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) rewind: Rewind,
    /// Executions that failed for it: they have to run again for theirs.
    pub(super) again: Vec<ExecutionId>,
    /// Executions that it is going to start anew.
    pub(super) forget: Vec<ExecutionId>,
}

/// Makes a plan, or says why there is none.
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
        .chain(history.taken_back())
    {
        again.extend(history.around(record).map(|scope| scope.id));
    }
    again.extend(
        reset
            .iter()
            .chain(&history.taken_back())
            .map(|record| record.id),
    );
    again.extend(history.undos().map(|undo| undo.id));
    let kept = records.iter().filter(stays);
    let again: Vec<_> = kept.filter(|record| again.contains(&record.id)).collect();
    let gone = records.iter().filter(|record| !stays(record));
    Ok(Plan {
        again: again.iter().copied().filter_map(invoked).collect(),
        forget: gone.filter_map(invoked).collect(),
        rewind: Rewind {
            seen: 0,
            remove_from,
            records: again.into_iter().map(|record| anew(record, now)).collect(),
        },
    })
}

fn invoked(record: &Record) -> Option<ExecutionId> {
    let handle = record
        .handle
        .as_ref()
        .filter(|_| record.kind == Kind::Invoke)?;
    handle.parse().ok()
}

/// The record of an operation that is to be done again. A scope is entered again, for what in it
/// is; a body is begun as if its first attempt had been put off.
fn anew(record: &Record, now: Timestamp) -> Record {
    let mut anew = record.clone();
    (anew.payload, anew.error, anew.ended_at) = (None, None, None);
    (anew.attempt, anew.interruptions) = (0, 0);
    if record.kind.is_scope() || record.kind == Kind::Invoke {
        anew.status = Status::Started;
    } else if record.kind == Kind::Callback {
        anew.status = Status::Started;
        // As much time as it had.
        anew.deadline = record
            .deadline
            .map(|end| now.after(end.since(record.started_at)));
        anew.beat(now);
    } else {
        (anew.status, anew.due_at) = (Status::Pending, Some(now));
    }
    anew
}

struct History<'a> {
    records: &'a [Record],
    by_id: HashMap<OperationId, &'a Record>,
}

impl<'a> History<'a> {
    fn of(records: &'a [Record]) -> Self {
        let by_id = records.iter().map(|record| (record.id, record));
        Self {
            records,
            by_id: by_id.collect(),
        }
    }

    /// What the operation stands in, the innermost first.
    fn around(&self, record: &Record) -> impl Iterator<Item = &'a Record> {
        let mut parent = record.parent;
        std::iter::from_fn(move || {
            let around = self.by_id.get(&parent).copied()?;
            parent = around.parent;
            Some(around)
        })
    }

    fn path(&self, record: &Record) -> String {
        let mut names: Vec<_> = self.around(record).map(Record::display_name).collect();
        names.reverse();
        names.push(record.display_name());
        names.join("/")
    }

    fn find(&self, path: &str) -> Result<&'a Record, String> {
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
            format!("its history has no operation `{path}`{hint}")
        })
    }

    /// What failed last, and what failed beside it.
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
        // A scope that failed of it, though it is not recorded in there: it has moved into it since.
        let holds_it = |record: &&Record| {
            record.kind.is_scope()
                && record.status == Status::Failed
                && record.ended_at >= last.ended_at
        };
        let moved_into = self.records.iter().filter(holds_it);
        let branching = |record: &Record| matches!(record.kind, Kind::Map | Kind::Parallel);
        let outermost = self.around(last).filter(|scope| branching(scope)).last();
        let Some(outermost) = outermost else {
            return moved_into.chain([last]).collect();
        };
        all()
            .filter(|record| self.around(record).any(|scope| scope.id == outermost.id))
            .chain(moved_into)
            .collect()
    }

    fn undos(&self) -> impl Iterator<Item = &'a Record> {
        self.records
            .iter()
            .filter(|record| record.kind == Kind::Undo)
    }

    /// Steps whose undo bodies have begun.
    fn taken_back(&self) -> Vec<&'a Record> {
        self.undos()
            .filter_map(|undo| self.by_id.get(&undo.parent).copied())
            .collect()
    }
}

#[cfg(test)]
#[path = "rewind_tests.rs"]
mod tests;
