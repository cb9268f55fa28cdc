//! Checks of limits before anything is written, and the conditions of a listing.

use std::time::Duration;

use super::{
    Batch, Capabilities, Execution, ExecutionUpdate, Filter, Order, StoreError, StoreErrorKind,
};
use crate::model::payload::Payload;
use crate::model::record::{Completion, Record};

impl Capabilities {
    /// Returns `delay`, limited to the longest timer.
    pub(crate) fn at_most(&self, delay: Duration) -> Duration {
        self.max_timer.map_or(delay, |max| delay.min(max))
    }

    /// Returns the number of bytes that the value takes in the store.
    pub(crate) fn stored(&self, value: &Payload) -> usize {
        /// Most bytes of the marker that says that a value is binary.
        const MARK: usize = 64;
        match self.text_only && std::str::from_utf8(&value.data).is_err() {
            true => value.len().div_ceil(3) * 4 + MARK,
            false => value.len(),
        }
    }

    /// Checks that the store can hold everything in `batch`.
    ///
    /// # Errors
    ///
    /// [`StoreErrorKind::TooLarge`]. The message names the value, its size and the limit.
    pub fn admit(&self, batch: &Batch) -> Result<(), StoreError> {
        for record in &batch.records {
            self.admit_value(record.size(), || format!("`{}`", record.display_name()))?;
            self.admit_position(record)?;
        }
        for child in &batch.children {
            let what = || format!("the input of execution `{}`", child.id);
            self.admit_value(child.input.len(), what)?;
        }
        match &batch.execution {
            Some(ExecutionUpdate::Succeed { output }) => self.admit_output(output)?,
            Some(ExecutionUpdate::Fail { error } | ExecutionUpdate::Cancel { error }) => {
                self.admit_value(error.size(), || "the execution's error".to_owned())?;
            }
            Some(ExecutionUpdate::Continue { next }) => {
                let what = || "the next execution's input".to_owned();
                self.admit_value(next.input.len(), what)?;
            }
            Some(ExecutionUpdate::Suspend { .. } | ExecutionUpdate::Block { .. }) | None => {}
        }
        self.admit_total(&batch.records)
    }

    /// Checks that the store can hold this input of an execution.
    ///
    /// # Errors
    ///
    /// [`StoreErrorKind::TooLarge`]. The message names the size and the limit.
    pub fn admit_input(&self, input: &Payload) -> Result<(), StoreError> {
        self.admit_value(input.len(), || "the execution's input".to_owned())
    }

    /// Checks that the store can hold this outcome of a callback.
    ///
    /// # Errors
    ///
    /// [`StoreErrorKind::TooLarge`]. The message names the size and the limit.
    pub fn admit_completion(&self, outcome: &Completion) -> Result<(), StoreError> {
        match outcome {
            Completion::Succeed(value) => {
                self.admit_value(value.len(), || "the callback's value".to_owned())
            }
            Completion::Fail(error) => {
                self.admit_value(error.size(), || "the callback's error".to_owned())
            }
        }
    }

    fn admit_output(&self, output: &Payload) -> Result<(), StoreError> {
        admit(output.len(), self.max_output, || {
            "the execution's output".to_owned()
        })
    }

    fn admit_value(&self, size: usize, what: impl FnOnce() -> String) -> Result<(), StoreError> {
        admit(size, self.max_value, what)
    }

    fn admit_position(&self, record: &Record) -> Result<(), StoreError> {
        match self.max_operations {
            Some(max) if record.seq > max => Err(too_large(format!(
                "`{}` would be operation {} and this store holds at most {max} in one execution: split the work \
                 over several executions",
                record.display_name(),
                record.seq
            ))),
            _ => Ok(()),
        }
    }

    /// Checks the total size. A single record may exceed the limit of a batch, because it cannot be split.
    fn admit_total(&self, records: &[Record]) -> Result<(), StoreError> {
        let sum: usize = records.iter().map(Record::size).sum();
        if records.len() <= 1 || sum <= self.max_batch {
            return Ok(());
        }
        Err(too_large(format!(
            "a batch of {} records takes {sum} bytes and this store takes at most {} at once: send fewer records",
            records.len(),
            self.max_batch
        )))
    }
}

impl Filter {
    /// Most executions that a listing returns if its filter has no limit.
    pub const DEFAULT_LIMIT: usize = 1000;

    /// Returns the limit to apply: [`limit`](Self::limit), or [`Filter::DEFAULT_LIMIT`] if it is zero.
    pub fn page_size(&self) -> usize {
        match self.limit {
            0 => Self::DEFAULT_LIMIT,
            limit => limit,
        }
    }

    /// Sorts executions in the order of the listing.
    pub fn sort(&self, executions: &mut [Execution]) {
        match self.order {
            Order::Id => executions.sort_by(|a, b| a.id.cmp(&b.id)),
            Order::Newest { .. } => {
                executions.sort_by(|a, b| (b.created_at, &b.id).cmp(&(a.created_at, &a.id)));
            }
        }
    }

    /// Returns whether the listing includes an execution.
    pub fn matches(&self, execution: &Execution) -> bool {
        let queue = execution.queue.as_ref().map(|entry| &entry.queue);
        let place = (execution.created_at, &execution.id);
        let is_ahead = match &self.order {
            Order::Newest {
                after: Some((time, id)),
            } => place < (*time, id),
            Order::Newest { after: None } | Order::Id => true,
        };
        is_ahead
            && self
                .after
                .as_ref()
                .is_none_or(|after| execution.id > *after)
            && (self.status.is_empty() || self.status.contains(&execution.status))
            && self
                .handler
                .as_ref()
                .is_none_or(|name| execution.handler == *name)
            && (self.queue.is_none() || self.queue.as_ref() == queue)
            && self
                .prefix
                .as_ref()
                .is_none_or(|prefix| execution.id.as_str().starts_with(prefix.as_str()))
            && self
                .created_from
                .is_none_or(|from| execution.created_at >= from)
            && self
                .created_before
                .is_none_or(|end| execution.created_at < end)
            && self
                .updated_before
                .is_none_or(|end| execution.updated_at < end)
            && execution.labels.contains(&self.labels)
            && self.paused.is_none_or(|paused| execution.paused == paused)
    }
}

fn admit(size: usize, limit: usize, what: impl FnOnce() -> String) -> Result<(), StoreError> {
    if size <= limit {
        return Ok(());
    }
    Err(too_large(format!(
        "{} takes {size} bytes and this store holds at most {limit} in one value: keep large data elsewhere and \
         record its location",
        what()
    )))
}

fn too_large(message: String) -> StoreError {
    StoreError::new(StoreErrorKind::TooLarge, message)
}
