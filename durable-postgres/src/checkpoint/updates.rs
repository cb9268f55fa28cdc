//! Status updates of executions, as arrays of columns.

use std::borrow::Cow;

use durable_core::Timestamp;
use durable_core::store::{ExecutionStatus, ExecutionUpdate, StoreError};

use super::Checkpoint;
use crate::checksums;
use crate::columns::{encode_error, position};
use crate::connection::{Param, params};
use crate::text::stored;

/// Columns of the status updates of any number of executions.
#[derive(Default)]
pub(super) struct Updates<'a> {
    execution: Vec<i64>,
    batch: Vec<i64>,
    seen: Vec<i64>,
    status: Vec<&'static str>,
    now: Vec<i64>,
    wake_at: Vec<Option<i64>>,
    report: Vec<Option<Cow<'a, str>>>,
    error: Vec<Option<String>>,
    output_codec: Vec<Option<Cow<'a, str>>>,
    output: Vec<Option<&'a [u8]>>,
    checksum: Vec<Option<i32>>,
}

impl<'a> Updates<'a> {
    /// Adds the status update of a batch, if it has one. `Continue` is written by
    /// [`Linked`](super::Linked) instead.
    pub(super) fn push(
        &mut self,
        checkpoint: &'a Checkpoint,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let Some(update) = &checkpoint.batch.execution else {
            return Ok(());
        };
        let (mut wake_at, mut report, mut error, mut output) = (None, None, None, None);
        match update {
            ExecutionUpdate::Suspend { wake_at: at } => wake_at = *at,
            ExecutionUpdate::Block { report: text } => report = Some(stored(text)),
            ExecutionUpdate::Fail { error: why } | ExecutionUpdate::Cancel { error: why } => {
                error = Some(encode_error(why)?);
            }
            ExecutionUpdate::Succeed { output: value } => output = Some(value),
            _ => {}
        }
        self.execution.push(checkpoint.token.key);
        self.batch.push(checkpoint.batch.id.cast_signed());
        self.seen.push(position(checkpoint.batch.seen));
        self.status.push(status(update).as_str());
        self.now.push(now.as_millis());
        self.wake_at.push(wake_at.map(Timestamp::as_millis));
        self.report.push(report);
        self.error.push(error);
        self.output_codec
            .push(output.map(|value| stored(&value.codec)));
        self.output.push(output.map(|value| &value.data[..]));
        let id = &checkpoint.fence.execution;
        self.checksum
            .push(output.map(|value| checksums::of_output(id, value)));
        Ok(())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.execution.is_empty()
    }

    pub(super) fn params(&self) -> [Param<'_>; 11] {
        let all: &[Param<'_>; 11] = params![
            self.execution => INT8_ARRAY, self.batch => INT8_ARRAY, self.seen => INT8_ARRAY,
            self.status => TEXT_ARRAY, self.now => INT8_ARRAY, self.wake_at => INT8_ARRAY,
            self.report => TEXT_ARRAY, self.error => TEXT_ARRAY, self.output_codec => TEXT_ARRAY,
            self.output => BYTEA_ARRAY, self.checksum => INT4_ARRAY,
        ];
        all.clone()
    }
}

/// The status that an update leads to.
pub(super) fn status(update: &ExecutionUpdate) -> ExecutionStatus {
    match update {
        ExecutionUpdate::Succeed { .. } => ExecutionStatus::Succeeded,
        ExecutionUpdate::Fail { .. } => ExecutionStatus::Failed,
        ExecutionUpdate::Block { .. } => ExecutionStatus::Blocked,
        ExecutionUpdate::Cancel { .. } => ExecutionStatus::Cancelled,
        ExecutionUpdate::Continue { .. } => ExecutionStatus::Continued,
        // The enum is non-exhaustive: an unknown update does not end an execution.
        _ => ExecutionStatus::Suspended,
    }
}
