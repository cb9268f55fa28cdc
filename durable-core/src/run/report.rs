//! What a run did.

use super::RunError;
use super::invocation::Running;
use crate::ExecutionId;
use crate::engine::{Counts, Drift};
use crate::runtime::children::Awaited;
use crate::runtime::driver::Ended;

/// What a run did in this process, and how it ended.
#[derive(Debug)]
#[non_exhaustive]
pub struct Report<O> {
    /// The output, or why there is none.
    pub output: Result<O, RunError>,
    /// Operations answered from their records.
    pub steps_replayed: u64,
    /// Bodies begun.
    pub steps_run: u64,
    /// Times the handler was run from the top.
    pub invocations: u64,
    /// Batches the store acknowledged, start and lease apart.
    pub checkpoints: u64,
    /// Records written.
    pub records_written: u64,
    /// Differences between history and code that are no errors.
    pub drift: Vec<Drift>,
    /// What the handler awaits besides durable calls.
    pub warnings: Vec<String>,
}

/// What the invocations of an execution did so far.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(super) counts: Counts,
    pub(super) invocations: u64,
    pub(super) drift: Vec<Drift>,
    pub(super) warnings: Vec<String>,
    /// The executions that the last invocation was left waiting for.
    pub(super) waits_for: Vec<Awaited>,
}

impl Tally {
    /// Adds what an invocation did, which ended like this unless the store failed.
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
