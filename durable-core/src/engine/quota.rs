//! What an execution may use up in all: operations and bytes, where its store has a limit.

use super::{Engine, OpIndex, Outcome};
use crate::OperationId;
use crate::model::error::{ErrorKind, OperationError};
use crate::model::payload::Payload;
use crate::model::record::{Kind, Record, Status};

/// A word is said when this share, in percent, is used up.
const WARN_AT: u64 = 80;

#[derive(Debug, Default)]
pub(super) struct Quota {
    /// Bytes that checkpoints of the execution have written so far, as far as its records tell.
    bytes: u64,
    /// Attempts and checks beyond the first of an operation: a service counts each as one more.
    repeats: u64,
    /// What had been used up by operations that the store did not load: those in scopes that are over.
    hidden: Used,
    /// What such scopes have added in this invocation, and how many operations of that no record tells of.
    added: Used,
    untold: u64,
    warned_of_operations: bool,
    warned_of_bytes: bool,
}

/// What operations have used up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Used {
    pub(super) operations: u64,
    pub(super) bytes: u64,
}

impl Used {
    /// What an operation that was loaded had used up.
    pub(super) fn of(record: &Record) -> Self {
        Self {
            operations: 1 + repeats(record),
            bytes: record.size() as u64,
        }
    }

    pub(super) fn add(&mut self, other: Self) {
        self.operations += other.operations;
        self.bytes += other.bytes;
    }
}

/// Name of what tells how much is hidden in scopes that are over: none that a call site can have.
const COUNT: &str = "#count";
/// So many hidden operations are worth one that tells of them, when the invocation may be about to end.
const WORTH_TELLING: u64 = 8;

impl Quota {
    pub(super) fn of(records: &[Record], service_driven: bool) -> Self {
        let told = records.iter().rev().find(|record| record.name == COUNT);
        let told = told
            .filter(|_| service_driven)
            .and_then(|record| record.payload.as_ref());
        let hidden = told.and_then(|told| serde_json::from_slice::<(u64, u64)>(&told.data).ok());
        let (operations, bytes) = hidden.unwrap_or_default();
        let seen: u64 = records.iter().map(|record| record.size() as u64).sum();
        Self {
            bytes: seen + bytes,
            repeats: records.iter().map(repeats).sum(),
            hidden: Used { operations, bytes },
            ..Self::default()
        }
    }

    pub(super) fn write(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }
}

/// How often an operation was to be repeated: every attempt but the last of one that has ended or runs.
fn repeats(record: &Record) -> u64 {
    u64::from(record.attempt) - u64::from(record.status != Status::Pending && record.attempt > 0)
}

/// What is left for call sites: a hundredth is held back for what ends the execution in order, such
/// as undo bodies.
fn open(max: u64) -> u64 {
    max - max.div_ceil(100).min(max)
}

impl Engine {
    /// Operations so far, as the store counts them.
    fn operations(&self) -> u64 {
        let repeats = if self.limits.service_driven {
            self.quota.repeats
        } else {
            0
        };
        self.next_seq - 1 + repeats + self.quota.hidden.operations
    }

    /// The scope `op` has ended. Where that hides what stands in it from the invocations to come, it is added to
    /// what they have to be told.
    pub(super) fn hide_inside(&mut self, op: OpIndex) {
        let state = &self.operations[op.index()];
        let hides = state.record.kind.is_scope()
            && !state.is_unrecorded()
            && !state.record.needs_children();
        let Some(inside) = state
            .inside
            .filter(|_| hides && !self.limits.keeps_children)
        else {
            return;
        };
        let mut scopes = vec![inside];
        while let Some(scope) = scopes.pop() {
            let scope = self.scope(scope);
            scopes.extend(&scope.scopes);
            let used = std::mem::take(&mut scope.used);
            self.quota.added.add(used);
            self.quota.untold += used.operations;
        }
    }

    /// Adds a record of what is hidden, where enough has become so: it rides with what is written anyway.
    pub(super) fn count_hidden(&mut self, records: &mut Vec<Record>) {
        let Some(max) = self.limits.max_operations.filter(|_| self.quota.untold > 0) else {
            return;
        };
        let may_rest = |record: &Record| match record.status {
            Status::Pending => true,
            Status::Started => record.kind == Kind::Wait || record.kind.is_external(),
            _ => false,
        };
        let least = match records.iter().any(may_rest) {
            true => WORTH_TELLING.min(max / 100),
            false => max / 100,
        };
        // What is held back is not for this.
        if records.is_empty() || self.quota.untold < least.max(1) || self.is_full() {
            return;
        }
        let mut told = self.quota.hidden;
        told.add(self.quota.added);
        let (root, (id, occurrence)) = (OperationId::ROOT, self.next_internal(COUNT));
        let (seq, now) = (self.next_seq, self.latest);
        let mut count = Record::started(seq, id, root, Kind::Record, COUNT, occurrence, now);
        count.label = Some("count".to_owned());
        (count.status, count.ended_at) = (Status::Succeeded, Some(now));
        let text = format!("[{},{}]", told.operations, told.bytes);
        count.payload = Some(Payload::json(text));
        self.next_seq += 1;
        self.quota.untold = 0;
        records.push(count.clone());
        self.add_internal(count);
    }

    /// Whether there is no room for another operation of a call site's.
    pub(super) fn is_full(&self) -> bool {
        let max = self.limits.max_operations;
        max.is_some_and(|max| self.operations() >= open(max))
    }

    /// Makes room for one more attempt of `op`, where there is any.
    pub(super) fn may_repeat(&mut self, op: OpIndex) -> bool {
        let takes_back = self.operations[op.index()].record.kind == Kind::Undo;
        let may = !self.limits.service_driven || takes_back || !self.is_full();
        self.quota.repeats += u64::from(may);
        self.used_by(op).operations += u64::from(may);
        may
    }

    /// Why `op` cannot begin, if its execution has used up its operations.
    pub(super) fn refusal(&self, op: OpIndex) -> Option<OperationError> {
        let state = &self.operations[op.index()];
        let begins =
            state.record.seq == 0 && !state.is_unrecorded() && !state.record.status.is_terminal();
        if !begins || state.record.kind == Kind::Undo || !self.is_full() {
            return None;
        }
        let max = self.limits.max_operations.unwrap_or_default();
        let message = format!(
            "it would be operation {} and this store holds at most {max} in one execution, of which a hundredth is \
             held back for its end; do more per step with `batches!`, or go on with a fresh history with \
             `continue_as!`",
            self.operations() + 1
        );
        Some(OperationError::new(
            self.path(op),
            ErrorKind::TooLarge,
            message,
        ))
    }

    /// The outcome of an operation that is refused; of one that can have no error, none: then the
    /// execution ends with it.
    pub(super) fn refused(&mut self, op: OpIndex, error: OperationError) -> Option<Outcome> {
        let kind = self.operations[op.index()].record.kind;
        if matches!(kind, Kind::Wait | Kind::Map | Kind::Parallel | Kind::Race) {
            self.end_execution(error);
            return None;
        }
        Some(Outcome::Error(error))
    }

    /// Bytes that the value of one operation may have now, and what limits it.
    pub(super) fn room(&self) -> (usize, &'static str) {
        let value = (self.limits.max_value, "the store's limit");
        let Some(max) = self.limits.max_total_bytes else {
            return value;
        };
        let left = usize::try_from(open(max).saturating_sub(self.quota.bytes));
        match left {
            Ok(left) if left < value.0 => (
                left,
                "what is left of the bytes that one execution may write,",
            ),
            _ => value,
        }
    }

    /// Whether an operation may have this value now.
    pub(crate) fn has_room(&self, payload: &Payload) -> bool {
        self.limits.stored(payload) <= self.room().0
    }

    /// What is to be said about quotas that are nearly used up; once each.
    pub(crate) fn quota_warning(&mut self) -> Option<String> {
        let nearly = |used: u64, max: Option<u64>| {
            max.filter(|max| used.saturating_mul(100) >= max.saturating_mul(WARN_AT))
        };
        let (operations, bytes) = (self.operations(), self.quota.bytes);
        let last = || {
            let op = self.queue.last_sent?;
            Some(self.path(op))
        };
        if let Some(max) = nearly(operations, self.limits.max_operations)
            && !self.quota.warned_of_operations
        {
            let last = last().unwrap_or_default();
            self.quota.warned_of_operations = true;
            return Some(format!(
                "{operations} of the {max} operations that one execution may have are used up, the last by `{last}`: \
                 do more per step with `batches!`, or go on with a fresh history with `continue_as!`"
            ));
        }
        if let Some(max) = nearly(bytes, self.limits.max_total_bytes)
            && !self.quota.warned_of_bytes
        {
            let last = last().unwrap_or_default();
            self.quota.warned_of_bytes = true;
            return Some(format!(
                "{bytes} of the {max} bytes that one execution may write are used up, the last by `{last}`: keep the \
                 bulk elsewhere and record where it is"
            ));
        }
        None
    }
}
