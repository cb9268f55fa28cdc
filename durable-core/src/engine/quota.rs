//! What an execution may use up in all: operations and bytes, where its store has a limit.

use super::{Engine, Op, Outcome};
use crate::error::{ErrorKind, OperationError};
use crate::record::{Kind, Payload, Record, Status};

/// A word is said when this share, in percent, is used up.
const WARN_AT: u64 = 80;

#[derive(Debug, Default)]
pub(super) struct Quota {
    /// Bytes that checkpoints of the execution have written so far, as far as its records tell.
    bytes: u64,
    /// Attempts and checks beyond the first of an operation: a service counts each as one more.
    repeats: u64,
    warned_of_operations: bool,
    warned_of_bytes: bool,
}

impl Quota {
    pub(super) fn of(records: &[Record]) -> Self {
        let bytes = records.iter().map(|record| record.size() as u64).sum();
        Self {
            bytes,
            repeats: records.iter().map(repeats).sum(),
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
        let repeats = if self.limits.orchestrates {
            self.quota.repeats
        } else {
            0
        };
        self.next_seq - 1 + repeats
    }

    /// Whether there is no room for another operation of a call site's.
    pub(super) fn is_full(&self) -> bool {
        let max = self.limits.max_operations;
        max.is_some_and(|max| self.operations() >= open(max))
    }

    /// Makes room for one more attempt of `op`, where there is any.
    pub(super) fn may_repeat(&mut self, op: Op) -> bool {
        let takes_back = self.slots[op.index()].record.kind == Kind::Undo;
        let may = !self.limits.orchestrates || takes_back || !self.is_full();
        self.quota.repeats += u64::from(may);
        may
    }

    /// Why `op` cannot begin, if its execution has used up its operations.
    pub(super) fn refusal(&self, op: Op) -> Option<OperationError> {
        let slot = &self.slots[op.index()];
        let begins = slot.record.seq == 0 && !slot.bare && !slot.record.status.is_terminal();
        if !begins || slot.record.kind == Kind::Undo || !self.is_full() {
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
    pub(super) fn refused(&mut self, op: Op, error: OperationError) -> Option<Outcome> {
        let kind = self.slots[op.index()].record.kind;
        if matches!(kind, Kind::Wait | Kind::Map | Kind::Parallel | Kind::Race) {
            self.end_execution(error);
            return None;
        }
        Some(Outcome::Error(error))
    }

    /// Bytes that the value of one operation may have now, and what limits it.
    pub(super) fn room(&self) -> (usize, &'static str) {
        let value = (self.limits.max_value, "the store's limit");
        let Some(max) = self.limits.max_written else {
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
        if let Some(max) = nearly(bytes, self.limits.max_written)
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
