//! Plans which part of a history a fork takes over.

use std::collections::HashSet;

use super::{Point, Refusal};
use crate::client::rewind::{History, reset_record};
use crate::model::record::{Kind, Record, Status};
use crate::{OperationId, Timestamp};

/// Part of a history that a fork takes over.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// Records, numbered from 1 without gaps.
    pub(super) records: Vec<Record>,
    /// Last position of the part in the other history.
    pub(super) seq: u64,
}

pub(super) fn part(records: &[Record], point: &Point, now: Timestamp) -> Result<Part, Refusal> {
    let history = History::of(records);
    let seq = end(&history, records, point)?;
    let plan = Plan::of(&history, records, seq);
    let mut taken = Vec::new();
    for record in records.iter().filter(|record| record.seq <= seq) {
        if let Some(mut record) = plan.take(record, now)? {
            record.seq = taken.len() as u64 + 1;
            taken.push(record);
        }
    }
    Ok(Part {
        records: taken,
        seq,
    })
}

/// Returns the last position of the part.
fn end(history: &History<'_>, records: &[Record], point: &Point) -> Result<u64, Refusal> {
    match point {
        Point::End => Ok(records.last().map_or(0, |record| record.seq)),
        Point::Before(path) => Ok(history.find(path).map_err(Refusal::NotFound)?.seq - 1),
        Point::After(path) => {
            let target = history.find(path).map_err(Refusal::NotFound)?;
            if !target.status.is_terminal() {
                return Err(Refusal::Conflict(format!(
                    "`{path}` has not ended: fork before it"
                )));
            }
            let inside = |record: &&Record| history.enclosing(record).any(|it| it.id == target.id);
            let last = records.iter().filter(inside).map(|record| record.seq).max();
            Ok(last.unwrap_or_default().max(target.seq))
        }
    }
}

struct Plan<'a> {
    history: &'a History<'a>,
    /// Steps whose undo bodies have started.
    undone: HashSet<OperationId>,
    /// Scopes that are entered again, as something in them is not taken over.
    entered_again: HashSet<OperationId>,
}

impl<'a> Plan<'a> {
    fn of(history: &'a History<'a>, records: &[Record], seq: u64) -> Self {
        let steps = history.undone_steps();
        let beyond = records.iter().filter(|record| record.seq > seq);
        // Undo bodies belong to steps, which are treated apart.
        let beyond = beyond.filter(|record| record.kind != Kind::Undo);
        let missing = beyond.chain(steps.iter().copied());
        Self {
            history,
            undone: steps.iter().map(|step| step.id).collect(),
            entered_again: missing
                .flat_map(|record| history.enclosing(record))
                .map(|scope| scope.id)
                .collect(),
        }
    }

    /// Returns the record as the fork takes it over, or `None` if it leaves it out.
    fn take(&self, record: &Record, now: Timestamp) -> Result<Option<Record>, Refusal> {
        let is_undo = record.kind == Kind::Undo;
        // The fork publishes values of its own, from the first call.
        let is_published = record.published_name().is_some();
        let is_left_out = is_undo || is_published || self.undone.contains(&record.id);
        if is_left_out || self.is_submitted_again(record) {
            return Ok(None);
        }
        if record.kind.is_scope() {
            return Ok(Some(match self.is_entered_again(record) {
                true => reset_record(record, now),
                false => record.clone(),
            }));
        }
        // A scope that has ended is answered from its record, whatever became of the operations in it.
        let mut enclosing = self.history.enclosing(record);
        let is_over = enclosing.any(|scope| !self.is_entered_again(scope));
        let mut taken = record.clone();
        match record.status {
            Status::Succeeded | Status::Failed => {}
            _ if is_over => taken.status = Status::Cancelled,
            Status::Started if record.kind == Kind::Callback => {
                let path = self.history.path(record);
                return Err(Refusal::Conflict(format!(
                    "the callback `{path}` still waits for its outcome, which the fork would never get: fork before it"
                )));
            }
            _ => return Ok(None),
        }
        if matches!(record.kind, Kind::Invoke | Kind::Receive) {
            // The invoked execution belongs to the other one, and so does the number of a received message. A fork
            // that is retried starts its own, and messages to it have numbers from the first.
            taken.handle = None;
        }
        Ok(Some(taken))
    }

    fn is_entered_again(&self, scope: &Record) -> bool {
        !matches!(scope.status, Status::Succeeded | Status::Failed)
            || self.entered_again.contains(&scope.id)
    }

    /// Returns whether the record is or belongs to a `callback!` with `submit` that has not ended. Its step has to
    /// hand out the id of the new callback.
    fn is_submitted_again(&self, record: &Record) -> bool {
        let mut scopes = std::iter::once(record).chain(self.history.enclosing(record));
        scopes.any(|scope| scope.kind == Kind::WaitForCallback && self.is_entered_again(scope))
    }
}

#[cfg(test)]
mod tests;
