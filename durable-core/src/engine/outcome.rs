//! A body ends.

use std::borrow::Cow;
use std::time::Duration;

use super::{Engine, Outcome, Stop};
use crate::error::{ErrorKind, OperationError};
use crate::record::{Payload, Status};
use crate::{OperationId, Timestamp};

impl Engine {
    /// The body of `id` ended with a value. A value over the limit is a failure of the operation.
    pub(crate) fn succeed(
        &mut self,
        id: OperationId,
        payload: Payload,
        value_type: &'static str,
        now: Timestamp,
    ) {
        let limit = self.limits.max_value;
        let size = payload.len();
        let Some(slot) = self.slots.get_mut(&id) else {
            return;
        };
        if size > limit && slot.record.kind.is_scope() {
            return self.settle(id, Status::Succeeded, None, value_type, now);
        }
        if size > limit {
            let attempts = slot.record.attempt;
            let error = OperationError::new(
                self.path(id),
                ErrorKind::TooLarge,
                format!(
                    "its value of {size} bytes is over the store's limit of {limit}; return an id \
                     or a summary instead, or give `codec = …`"
                ),
            );
            return self.fail(id, error.with_attempts(attempts), now);
        }
        self.settle(
            id,
            Status::Succeeded,
            Some(Outcome::Value(payload)),
            value_type,
            now,
        );
    }

    /// The operation ended with an error for good.
    pub(crate) fn fail(&mut self, id: OperationId, error: OperationError, now: Timestamp) {
        self.settle(id, Status::Failed, Some(Outcome::Error(error)), "", now);
    }

    fn settle(
        &mut self,
        id: OperationId,
        status: Status,
        outcome: Option<Outcome>,
        value_type: &'static str,
        now: Timestamp,
    ) {
        let now = self.believe(now);
        let Some(slot) = self.slots.get_mut(&id) else {
            return;
        };
        let record = &mut slot.record;
        // A scope whose value is rebuilt from its children was settled long ago.
        if record.status.is_terminal() {
            return;
        }
        record.status = status;
        record.ended_at = Some(now);
        record.due_at = None;
        (record.payload, record.error) = match outcome {
            Some(Outcome::Value(payload)) => (Some(payload), None),
            Some(Outcome::Error(error)) => (None, Some(error)),
            Some(Outcome::Done) | None => (None, None),
        };
        if !value_type.is_empty() {
            record.value_type = Some(Cow::Borrowed(value_type));
        }
        self.cautious = false;
        self.enqueue(id, true);
    }

    /// An attempt failed and is to be repeated after `delay`.
    pub(crate) fn retry(
        &mut self,
        id: OperationId,
        error: OperationError,
        delay: Duration,
        now: Timestamp,
    ) {
        let now = self.believe(now);
        let Some(slot) = self.slots.get_mut(&id) else {
            return;
        };
        slot.record.status = Status::Pending;
        slot.record.error = Some(error);
        slot.record.due_at = Some(now.after(delay));
        self.cautious = false;
        self.enqueue(id, true);
    }

    /// An operation that cannot report an error to the handler had one: the execution ends with it.
    pub(crate) fn end_execution(&mut self, error: OperationError) {
        self.halt(Stop::Failed(error));
    }

    /// The number of the attempt that would begin now.
    pub(crate) fn next_attempt(&self, id: OperationId) -> u32 {
        self.slots.get(&id).map_or(1, |slot| {
            let goes_on = slot.recorded && !slot.begun && slot.record.status == Status::Started;
            slot.record.attempt + u32::from(!goes_on)
        })
    }

    /// Attempts begun of `id`.
    pub(crate) fn attempt(&self, id: OperationId) -> u32 {
        self.slots.get(&id).map_or(0, |slot| slot.record.attempt)
    }

    /// Whether what was last queued of `id` has been acknowledged.
    pub(crate) fn is_written(&self, id: OperationId) -> bool {
        self.slots.get(&id).is_none_or(|slot| slot.written)
    }
}
