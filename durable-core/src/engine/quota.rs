//! Limits of a store on the operations and bytes of one execution.

use super::{Engine, OpIndex, Outcome};
use crate::OperationId;
use crate::model::error::{ErrorKind, OperationError};
use crate::model::payload::Payload;
use crate::model::record::{Kind, Record, Status};

/// Percentage of a limit from which on its usage is reported.
const WARN_AT: u64 = 80;

#[derive(Debug, Default)]
pub(super) struct Quota {
    /// Bytes that checkpoints of the execution have written, judging by its records.
    bytes: u64,
    /// Attempts and checks after the first of an operation. A service counts each as another operation.
    repeats: u64,
    /// Usage of operations that the store did not load because their scopes have ended.
    hidden: Used,
    /// Usage that scopes have hidden in this invocation.
    newly_hidden: Used,
    /// Number of hidden operations that no record counts yet.
    uncounted: u64,
    warned_of_operations: bool,
    warned_of_bytes: bool,
}

/// Usage of operations.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Used {
    pub(super) operations: u64,
    pub(super) bytes: u64,
}

impl Used {
    /// Returns the usage of a loaded operation.
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

/// Name of internal operations that record the usage hidden in ended scopes. No call site can have it.
const COUNT: &str = "#count";
/// Number of hidden operations from which on they are counted in a record, when the invocation may be about to end.
const MIN_COUNTED: u64 = 8;

impl Quota {
    pub(super) fn of(records: &[Record], service_driven: bool) -> Self {
        let count = records.iter().rev().find(|record| record.name == COUNT);
        let count = count
            .filter(|_| service_driven)
            .and_then(|record| record.payload.as_ref());
        let hidden = count.and_then(|count| serde_json::from_slice::<(u64, u64)>(&count.data).ok());
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

/// Returns how often an operation was repeated: its attempts, without the last of one that has ended or runs.
fn repeats(record: &Record) -> u64 {
    u64::from(record.attempt) - u64::from(record.status != Status::Pending && record.attempt > 0)
}

/// Returns the part of `max` that call sites may use. A hundredth is reserved for ending the execution in order, for
/// instance for undo bodies.
fn usable(max: u64) -> u64 {
    max - max.div_ceil(100).min(max)
}

impl Engine {
    /// Returns the number of operations so far, as the store counts them.
    fn operations(&self) -> u64 {
        let repeats = if self.limits.service_driven {
            self.quota.repeats
        } else {
            0
        };
        self.next_seq - 1 + repeats + self.quota.hidden.operations
    }

    /// Counts the usage of what is in the scope `op`, which has ended, if the store no longer loads it.
    pub(super) fn hide_children(&mut self, op: OpIndex) {
        let state = &self.operations[op.index()];
        let hides = state.record.kind.is_scope()
            && !state.is_unrecorded()
            && !state.record.needs_children();
        let Some(scope) = state
            .inner_scope
            .filter(|_| hides && !self.limits.keeps_children)
        else {
            return;
        };
        let mut scopes = vec![scope];
        while let Some(scope) = scopes.pop() {
            let scope = self.scope(scope);
            scopes.extend(&scope.scopes);
            let used = std::mem::take(&mut scope.used);
            self.quota.newly_hidden.add(used);
            self.quota.uncounted += used.operations;
        }
    }

    /// Adds a record of the hidden usage to a batch that is written anyway, if it is large enough.
    pub(super) fn count_hidden(&mut self, records: &mut Vec<Record>) {
        let Some(max) = self
            .limits
            .max_operations
            .filter(|_| self.quota.uncounted > 0)
        else {
            return;
        };
        let may_suspend = |record: &Record| match record.status {
            Status::Pending => true,
            Status::Started => record.kind == Kind::Wait || record.kind.is_external(),
            _ => false,
        };
        let least = match records.iter().any(may_suspend) {
            true => MIN_COUNTED.min(max / 100),
            false => max / 100,
        };
        // The reserve is not used for this.
        if records.is_empty() || self.quota.uncounted < least.max(1) || self.is_full() {
            return;
        }
        let mut total = self.quota.hidden;
        total.add(self.quota.newly_hidden);
        let (root, (id, occurrence)) = (OperationId::ROOT, self.next_internal(COUNT));
        let (seq, now) = (self.next_seq, self.latest);
        let mut count = Record::started(seq, id, root, Kind::Record, COUNT, occurrence, now);
        count.label = Some("count".to_owned());
        (count.status, count.ended_at) = (Status::Succeeded, Some(now));
        let text = format!("[{},{}]", total.operations, total.bytes);
        count.payload = Some(Payload::json(text));
        self.next_seq += 1;
        self.quota.uncounted = 0;
        records.push(count.clone());
        self.add_internal(count);
    }

    /// Returns whether there is no room for another operation of a call site.
    pub(super) fn is_full(&self) -> bool {
        let max = self.limits.max_operations;
        max.is_some_and(|max| self.operations() >= usable(max))
    }

    /// Reserves room for another attempt of `op`. Returns whether there is any.
    pub(super) fn may_repeat(&mut self, op: OpIndex) -> bool {
        let is_undo = self.operations[op.index()].record.kind == Kind::Undo;
        let may_repeat = !self.limits.service_driven || is_undo || !self.is_full();
        self.quota.repeats += u64::from(may_repeat);
        self.used_by(op).operations += u64::from(may_repeat);
        may_repeat
    }

    /// Returns an error if `op` cannot begin because its execution has used up its operations.
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
             reserved for its end: do more per step with `batches!`, or continue with a fresh history with \
             `continue_as!`",
            self.operations() + 1
        );
        Some(OperationError::new(
            self.path(op),
            ErrorKind::TooLarge,
            message,
        ))
    }

    /// Returns the outcome of an operation that is refused. If it cannot have an error, ends the execution with it.
    pub(super) fn refused(&mut self, op: OpIndex, error: OperationError) -> Option<Outcome> {
        let kind = self.operations[op.index()].record.kind;
        if matches!(kind, Kind::Wait | Kind::Map | Kind::Parallel | Kind::Race) {
            self.end_execution(error);
            return None;
        }
        Some(Outcome::Error(error))
    }

    /// Returns how many bytes the value of one operation may have now, and the name of that limit.
    pub(super) fn room(&self) -> (usize, &'static str) {
        let value = (self.limits.max_value, "the store's limit");
        let Some(max) = self.limits.max_total_bytes else {
            return value;
        };
        let left = usize::try_from(usable(max).saturating_sub(self.quota.bytes));
        match left {
            Ok(left) if left < value.0 => {
                (left, "the rest of the bytes that one execution may write,")
            }
            _ => value,
        }
    }

    /// Returns whether an operation may have this value now.
    pub(crate) fn has_room(&self, payload: &Payload) -> bool {
        self.limits.stored(payload) <= self.room().0
    }

    /// Returns a warning about a limit that is nearly reached, once for each limit.
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
                "{operations} of the {max} operations that one execution may have are used, the last by `{last}`: \
                 do more per step with `batches!`, or continue with a fresh history with `continue_as!`"
            ));
        }
        if let Some(max) = nearly(bytes, self.limits.max_total_bytes)
            && !self.quota.warned_of_bytes
        {
            let last = last().unwrap_or_default();
            self.quota.warned_of_bytes = true;
            return Some(format!(
                "{bytes} of the {max} bytes that one execution may write are used, the last by `{last}`: store large \
                 data elsewhere and record where it is"
            ));
        }
        None
    }
}
