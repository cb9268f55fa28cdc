//! Reports of runs.

use super::RunError;
use super::invocation::Running;
use crate::ExecutionId;
use crate::engine::{Counts, Drift};
use crate::runtime::children::Awaited;
use crate::runtime::driver::Ended;

/// Counts and findings of a run in this process, with its result.
#[derive(Debug)]
#[non_exhaustive]
pub struct Report<O> {
    /// Output, or the reason why there is none.
    pub output: Result<O, RunError>,
    /// Number of operations replayed from their records.
    pub steps_replayed: u64,
    /// Number of bodies started.
    pub steps_run: u64,
    /// Number of times the handler ran from the top.
    pub invocations: u64,
    /// Number of batches that the store acknowledged, without the start and the lease.
    pub checkpoints: u64,
    /// Number of records written.
    pub records_written: u64,
    /// Differences between history and code that are not errors.
    pub drift: Vec<Drift>,
    /// Warnings about futures other than durable calls that the handler awaits.
    pub warnings: Vec<String>,
}

/// Counts and findings of the invocations of an execution so far.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(super) counts: Counts,
    pub(super) invocations: u64,
    pub(super) drift: Vec<Drift>,
    pub(super) warnings: Vec<String>,
    /// Executions that the last invocation waits for.
    pub(super) waits_for: Vec<Awaited>,
}

impl Tally {
    /// Adds an invocation. `ended` is `None` if the store failed.
    pub(super) fn add(&mut self, id: &ExecutionId, mut ran: Running, ended: Option<&Ended>) {
        let (counts, mut warnings) = ran.findings();
        self.warnings.append(&mut warnings);
        self.waits_for = ran.waits_for();
        if matches!(ended, Some(Ended::Succeeded(_) | Ended::Failed(_))) {
            self.drift = ran.drift();
            for drift in &self.drift {
                tracing::warn!(execution = %id, "{drift}");
            }
        }
        self.counts.replayed += counts.replayed;
        self.counts.ran += counts.ran;
        self.counts.batches += counts.batches;
        self.counts.records_written += counts.records_written;
    }

    pub(super) fn report<O>(self, output: Result<O, RunError>) -> Report<O> {
        Report {
            output,
            steps_replayed: self.counts.replayed,
            steps_run: self.counts.ran,
            invocations: self.invocations,
            checkpoints: self.counts.batches,
            records_written: self.counts.records_written,
            drift: self.drift,
            warnings: self.warnings,
        }
    }
}
