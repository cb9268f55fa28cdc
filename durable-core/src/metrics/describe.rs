//! Names, units and descriptions of the metrics.

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

pub(super) const EXECUTIONS_STARTED: &str = "durable_executions_started_total";
pub(super) const EXECUTIONS_ENDED: &str = "durable_executions_ended_total";
pub(super) const EXECUTIONS_BLOCKED: &str = "durable_executions_blocked_total";
pub(super) const EXECUTIONS_RUNNING: &str = "durable_executions_running";
pub(super) const STEP_DURATION: &str = "durable_step_duration_seconds";
pub(super) const STEP_ATTEMPTS: &str = "durable_step_attempts_total";
pub(super) const STEP_INTERRUPTIONS: &str = "durable_step_interruptions_total";
pub(super) const CHECKPOINT_DURATION: &str = "durable_checkpoint_duration_seconds";
pub(super) const CHECKPOINT_RECORDS: &str = "durable_checkpoint_records";
pub(super) const CLAIMS: &str = "durable_claims_total";
pub(super) const LEASE_LOSSES: &str = "durable_lease_losses_total";
pub(super) const QUEUE_DEPTH: &str = "durable_queue_depth";
pub(super) const QUEUE_RUNNING: &str = "durable_queue_running";
pub(super) const QUEUE_OLDEST_AGE: &str = "durable_queue_oldest_age_seconds";

/// Registers the unit and description of every metric with the installed recorder.
///
/// A worker does so when it starts. Call it once in other programs, after the recorder is installed.
///
/// ```
/// // After the recorder is installed:
/// durable_core::metrics::describe();
/// ```
pub fn describe() {
    describe_executions();
    describe_counter!(
        CLAIMS,
        Unit::Count,
        "Leases granted, by handler and by whether the previous holder had died"
    );
    describe_counter!(
        LEASE_LOSSES,
        Unit::Count,
        "Invocations that stopped because another process held the lease"
    );
    describe_gauge!(QUEUE_DEPTH, Unit::Count, "Executions that wait in a queue");
    describe_gauge!(
        QUEUE_RUNNING,
        Unit::Count,
        "Executions that have left a queue and not ended"
    );
    describe_gauge!(
        QUEUE_OLDEST_AGE,
        Unit::Seconds,
        "How long the execution that has waited longest in a queue has been due"
    );
}

fn describe_executions() {
    describe_counter!(
        EXECUTIONS_STARTED,
        Unit::Count,
        "Executions started, by handler"
    );
    describe_counter!(
        EXECUTIONS_ENDED,
        Unit::Count,
        "Executions ended, by handler and final status"
    );
    describe_counter!(
        EXECUTIONS_BLOCKED,
        Unit::Count,
        "Times that an execution was blocked, by handler"
    );
    describe_gauge!(
        EXECUTIONS_RUNNING,
        Unit::Count,
        "Invocations that run in this process"
    );
    describe_histogram!(
        STEP_DURATION,
        Unit::Seconds,
        "Duration of one run of a body"
    );
    describe_counter!(
        STEP_ATTEMPTS,
        Unit::Count,
        "Attempts that ended, by outcome"
    );
    describe_counter!(
        STEP_INTERRUPTIONS,
        Unit::Count,
        "Bodies whose process ended before their outcome was recorded"
    );
    describe_histogram!(
        CHECKPOINT_DURATION,
        Unit::Seconds,
        "Time from handing a checkpoint to the store to its acknowledgement"
    );
    describe_histogram!(
        CHECKPOINT_RECORDS,
        Unit::Count,
        "Records written by one checkpoint"
    );
}
