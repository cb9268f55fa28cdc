//! Finds everything in batches, records and executions that may hold a value of the user's.

use super::codec::Subject;
use super::seal::{Place, Sealer};
use crate::ExecutionId;
use crate::model::record::{Completion, Record};
use crate::store::{
    Batch, CallbackId, Execution, ExecutionUpdate, NewExecution, Parent, ScheduleEntry, StoreError,
};

impl Sealer {
    pub(super) fn seal_new(&self, new: &NewExecution) -> Result<NewExecution, StoreError> {
        let place = Place::input(&new.id, new.parent.as_ref());
        Ok(NewExecution {
            input: self.seal(place, &new.input)?,
            ..new.clone()
        })
    }

    /// The input of a schedule is sealed as that of an execution of the schedule's name.
    pub(super) fn seal_schedule(
        &self,
        schedule: ScheduleEntry,
    ) -> Result<ScheduleEntry, StoreError> {
        let input = self.seal(Place::input(&schedule.name, None), &schedule.input)?;
        Ok(ScheduleEntry { input, ..schedule })
    }

    pub(super) fn open_schedule(
        &self,
        schedule: ScheduleEntry,
    ) -> Result<ScheduleEntry, StoreError> {
        let input = self.open(Place::input(&schedule.name, None), schedule.input)?;
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

    /// Seals a batch of an execution that `parent` waits for; which matters only when it ends.
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
            execution: batch
                .execution
                .as_ref()
                .map(|update| self.seal_update(execution, parent, update))
                .transpose()?,
        })
    }

    /// What is completed is sealed as if the execution had written it.
    pub(super) fn seal_completion(
        &self,
        callback: &CallbackId,
        outcome: &Completion,
    ) -> Result<Completion, StoreError> {
        let (execution, operation) = (callback.execution(), callback.operation());
        Ok(match outcome {
            Completion::Succeed(value) => {
                let place = Place::of(execution, Subject::Value(operation));
                Completion::Succeed(self.seal(place, value)?)
            }
            Completion::Fail(error) => {
                let place = Place::of(execution, Subject::Failure(operation));
                Completion::Fail(self.seal_error(place, error)?)
            }
        })
    }

    fn seal_record(&self, execution: &ExecutionId, record: &Record) -> Result<Record, StoreError> {
        let mut sealed = record.clone();
        if let Some(payload) = &record.payload {
            sealed.payload = Some(self.seal(Place::value(execution, record), payload)?);
        }
        if let Some(error) = &record.error {
            sealed.error = Some(self.seal_error(Place::failure(execution, record), error)?);
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
                output: self.seal(Place::output(execution, parent), output)?,
            },
            ExecutionUpdate::Fail { error } => ExecutionUpdate::Fail {
                error: self.seal_error(Place::error(execution, parent), error)?,
            },
            ExecutionUpdate::Block { report } => ExecutionUpdate::Block {
                report: self.seal_report(Place::of(execution, Subject::Report), report)?,
            },
            ExecutionUpdate::Cancel { error } => ExecutionUpdate::Cancel {
                error: self.seal_error(Place::error(execution, parent), error)?,
            },
            ExecutionUpdate::Continue { next } => ExecutionUpdate::Continue {
                // As the other store is going to set it.
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
        let payload = payload.map(|payload| self.open(Place::value(execution, &record), payload));
        let payload = payload.transpose()?;
        let error = error.map(|error| self.open_error(Place::failure(execution, &record), error));
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
        execution.input = self.open(Place::input(&id, parent), execution.input)?;
        if let Some(output) = execution.output.take() {
            execution.output = Some(self.open(Place::output(&id, parent), output)?);
        }
        if let Some(error) = execution.error.take() {
            execution.error = Some(self.open_error(Place::error(&id, parent), error)?);
        }
        if let Some(report) = execution.report.take() {
            execution.report = Some(self.open_report(Place::of(&id, Subject::Report), report)?);
        }
        Ok(execution)
    }
}
