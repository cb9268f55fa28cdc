//! Seals and opens all user data in batches, records, executions and schedules.

use super::codec::Subject;
use super::seal::{Location, Sealer};
use crate::ExecutionId;
use crate::model::record::{Completion, Record};
use crate::store::{
    Batch, CallbackId, Execution, ExecutionUpdate, NewExecution, Parent, ScheduleEntry, StoreError,
};

impl Sealer {
    pub(super) fn seal_new(&self, new: &NewExecution) -> Result<NewExecution, StoreError> {
        let location = Location::input(&new.id, new.parent.as_ref());
        Ok(NewExecution {
            input: self.seal(location, &new.input)?,
            ..new.clone()
        })
    }

    /// Seals the input of a schedule like the input of an execution with the schedule's name.
    pub(super) fn seal_schedule(
        &self,
        schedule: ScheduleEntry,
    ) -> Result<ScheduleEntry, StoreError> {
        let input = self.seal(Location::input(&schedule.name, None), &schedule.input)?;
        Ok(ScheduleEntry { input, ..schedule })
    }

    pub(super) fn open_schedule(
        &self,
        schedule: ScheduleEntry,
    ) -> Result<ScheduleEntry, StoreError> {
        let input = self.open(Location::input(&schedule.name, None), schedule.input)?;
        Ok(ScheduleEntry { input, ..schedule })
    }

    pub(super) fn seal_records(
        &self,
        execution: &ExecutionId,
        records: &[Record],
    ) -> Result<Vec<Record>, StoreError> {
        let records = records.iter();
        records
            .map(|record| self.seal_record(execution, record))
            .collect()
    }

    /// Seals a batch. `parent` is the operation that waits for the execution, and matters only when the execution
    /// ends.
    pub(super) fn seal_batch(
        &self,
        execution: &ExecutionId,
        parent: Option<&Parent>,
        batch: &Batch,
    ) -> Result<Batch, StoreError> {
        let children = batch.children.iter();
        Ok(Batch {
            id: batch.id,
            records: self.seal_records(execution, &batch.records)?,
            children: children
                .map(|child| self.seal_new(child))
                .collect::<Result<_, _>>()?,
            seen: batch.seen,
            messages_after: batch.messages_after,
            execution: batch
                .execution
                .as_ref()
                .map(|update| self.seal_update(execution, parent, update))
                .transpose()?,
        })
    }

    /// Seals the outcome of a callback as if the execution had written it.
    pub(super) fn seal_completion(
        &self,
        callback: &CallbackId,
        outcome: &Completion,
    ) -> Result<Completion, StoreError> {
        let (execution, operation) = (callback.execution(), callback.operation());
        Ok(match outcome {
            Completion::Succeed(value) => {
                let location = Location::of(execution, Subject::Value(operation));
                Completion::Succeed(self.seal(location, value)?)
            }
            Completion::Fail(error) => {
                let location = Location::of(execution, Subject::Failure(operation));
                Completion::Fail(self.seal_error(location, error)?)
            }
        })
    }

    fn seal_record(&self, execution: &ExecutionId, record: &Record) -> Result<Record, StoreError> {
        let mut sealed = record.clone();
        if let Some(payload) = &record.payload {
            sealed.payload = Some(self.seal(Location::value(execution, record), payload)?);
        }
        if let Some(error) = &record.error {
            sealed.error = Some(self.seal_error(Location::failure(execution, record), error)?);
        }
        Ok(sealed)
    }

    fn seal_update(
        &self,
        execution: &ExecutionId,
        parent: Option<&Parent>,
        update: &ExecutionUpdate,
    ) -> Result<ExecutionUpdate, StoreError> {
        Ok(match update {
            ExecutionUpdate::Suspend { wake_at } => ExecutionUpdate::Suspend { wake_at: *wake_at },
            ExecutionUpdate::Succeed { output } => ExecutionUpdate::Succeed {
                output: self.seal(Location::output(execution, parent), output)?,
            },
            ExecutionUpdate::Fail { error } => ExecutionUpdate::Fail {
                error: self.seal_error(Location::error(execution, parent), error)?,
            },
            ExecutionUpdate::Block { report } => ExecutionUpdate::Block {
                report: self.seal_report(Location::of(execution, Subject::Report), report)?,
            },
            ExecutionUpdate::Cancel { error } => ExecutionUpdate::Cancel {
                error: self.seal_error(Location::error(execution, parent), error)?,
            },
            ExecutionUpdate::Continue { next } => ExecutionUpdate::Continue {
                // The inner store sets the same parent.
                next: self.seal_new(&NewExecution {
                    parent: parent.cloned(),
                    ..next.clone()
                })?,
            },
        })
    }

    fn open_record(
        &self,
        execution: &ExecutionId,
        mut record: Record,
    ) -> Result<Record, StoreError> {
        let (payload, error) = (record.payload.take(), record.error.take());
        let payload =
            payload.map(|payload| self.open(Location::value(execution, &record), payload));
        let payload = payload.transpose()?;
        let error =
            error.map(|error| self.open_error(Location::failure(execution, &record), error));
        let error = error.transpose()?;
        (record.payload, record.error) = (payload, error);
        Ok(record)
    }

    pub(super) fn open_records(
        &self,
        execution: &ExecutionId,
        records: Vec<Record>,
    ) -> Result<Vec<Record>, StoreError> {
        let records = records.into_iter();
        records
            .map(|record| self.open_record(execution, record))
            .collect()
    }

    pub(super) fn open_execution(&self, mut execution: Execution) -> Result<Execution, StoreError> {
        let (id, parent) = (execution.id.clone(), execution.parent.clone());
        let parent = parent.as_ref();
        execution.input = self.open(Location::input(&id, parent), execution.input)?;
        if let Some(output) = execution.output.take() {
            execution.output = Some(self.open(Location::output(&id, parent), output)?);
        }
        if let Some(error) = execution.error.take() {
            execution.error = Some(self.open_error(Location::error(&id, parent), error)?);
        }
        if let Some(report) = execution.report.take() {
            execution.report = Some(self.open_report(Location::of(&id, Subject::Report), report)?);
        }
        Ok(execution)
    }
}
