//! Finds everything in batches, records and executions that may hold a value of the user's.

use super::codec::Subject;
use super::seal::{Place, Sealer};
use crate::ExecutionId;
use crate::record::{Payload, Record};
use crate::store::{Batch, Execution, ExecutionUpdate, StoreError};

impl Sealer {
    pub(super) fn seal_input(
        &self,
        execution: &ExecutionId,
        input: &Payload,
    ) -> Result<Payload, StoreError> {
        self.seal(Place::of(execution, Subject::Input), input)
    }

    pub(super) fn seal_batch(
        &self,
        execution: &ExecutionId,
        batch: &Batch,
    ) -> Result<Batch, StoreError> {
        let records = batch.records.iter();
        Ok(Batch {
            id: batch.id,
            records: records
                .map(|record| self.seal_record(execution, record))
                .collect::<Result<_, _>>()?,
            execution: batch
                .execution
                .as_ref()
                .map(|update| self.seal_update(execution, update))
                .transpose()?,
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
        update: &ExecutionUpdate,
    ) -> Result<ExecutionUpdate, StoreError> {
        let place = |subject| Place::of(execution, subject);
        Ok(match update {
            ExecutionUpdate::Suspend { wake_at } => ExecutionUpdate::Suspend { wake_at: *wake_at },
            ExecutionUpdate::Succeed { output } => ExecutionUpdate::Succeed {
                output: self.seal(place(Subject::Output), output)?,
            },
            ExecutionUpdate::Fail { error } => ExecutionUpdate::Fail {
                error: self.seal_error(place(Subject::Error), error)?,
            },
            ExecutionUpdate::Block { report } => ExecutionUpdate::Block {
                report: self.seal_report(place(Subject::Report), report)?,
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
        let id = execution.id.clone();
        let place = |subject| Place::of(&id, subject);
        execution.input = self.open(place(Subject::Input), execution.input)?;
        if let Some(output) = execution.output.take() {
            execution.output = Some(self.open(place(Subject::Output), output)?);
        }
        if let Some(error) = execution.error.take() {
            execution.error = Some(self.open_error(place(Subject::Error), error)?);
        }
        if let Some(report) = execution.report.take() {
            execution.report = Some(self.open_report(place(Subject::Report), report)?);
        }
        Ok(execution)
    }
}
