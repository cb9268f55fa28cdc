//! Conformance suite for stores. One call runs every case against a store.
//!
//! ```
//! use std::sync::Arc;
//! use durable_core::store::MemoryStore;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! durable_core::conformance::run(async || Arc::new(MemoryStore::new()) as _).await
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod admin;
mod builds;
mod callbacks;
mod cancellation;
mod checkpoints;
mod children;
mod executions;
mod external_events;
mod fixture;
mod forks;
mod labels;
mod leases;
mod limits;
mod messages;
mod newest;
mod published;
mod queues;
mod ready;
mod records;
mod schedules;
mod work;

use std::fmt;
use std::sync::Arc;

use crate::BoxFuture;
use crate::store::{self, StoreError, StoreErrorKind};

/// Store under test.
type Store = Arc<dyn store::Store>;

/// Result of a case.
type Outcome = Result<(), Defect>;

/// All cases with their names. A case missing here is dead code, which does not compile.
static CASES: &[(&str, Case)] = cases![
    callbacks::a_completed_callback_keeps_its_outcome,
    callbacks::a_suspended_execution_becomes_due,
    callbacks::the_first_outcome_counts,
    callbacks::the_writer_cannot_overwrite_an_outcome,
    callbacks::a_callback_settled_by_the_writer_cannot_be_completed,
    callbacks::a_callback_of_an_ended_execution_cannot_be_completed,
    callbacks::an_unknown_callback_is_not_found,
    callbacks::a_suspension_that_missed_a_change_is_due_at_once,
    callbacks::an_ack_contains_the_changes_not_yet_seen,
    callbacks::a_heartbeat_postpones_the_timeout,
    callbacks::a_heartbeat_does_not_wake_the_execution,
    callbacks::only_one_of_concurrent_outcomes_counts,
    cancellation::a_queued_execution_ends_at_once,
    cancellation::a_suspended_execution_becomes_due,
    cancellation::a_blocked_execution_becomes_due,
    cancellation::a_running_execution_sees_it_in_the_ack,
    cancellation::a_cancelled_execution_keeps_its_error,
    cancellation::an_ended_execution_is_not_changed,
    checkpoints::records_are_kept_in_order,
    checkpoints::a_record_written_again_replaces_the_previous_one,
    checkpoints::load_continues_after_a_position,
    checkpoints::a_repeated_batch_changes_nothing,
    checkpoints::the_last_batch_may_be_repeated_after_the_release,
    checkpoints::an_old_fence_changes_nothing,
    checkpoints::a_made_up_fence_changes_nothing,
    checkpoints::a_released_fence_changes_nothing,
    checkpoints::an_empty_batch_is_fenced_too,
    checkpoints::executions_are_separate,
    checkpoints::many_executions_can_be_written_concurrently,
    children::a_child_starts_with_its_batch,
    children::a_child_starts_once,
    children::a_child_of_a_refused_batch_does_not_start,
    children::the_end_of_a_child_settles_its_operation,
    children::the_end_of_a_child_makes_its_parent_due,
    children::cancelling_a_queued_child_settles_its_operation,
    children::a_child_settles_its_operation_once,
    children::an_ended_parent_is_not_changed,
    children::a_child_settles_only_its_own_operation,
    children::a_child_of_an_unknown_parent_can_end,
    children::children_may_end_concurrently,
    children::a_continued_child_settles_its_operation_at_the_end_of_the_chain,
    children::an_execution_without_a_parent_can_be_continued,
    executions::executions_are_counted_by_handler_and_status,
    executions::start_is_idempotent,
    executions::start_does_not_change_an_existing_execution,
    executions::unknown_executions_are_not_found,
    executions::suspend_keeps_the_wake_up_time,
    executions::succeed_keeps_the_output,
    executions::fail_keeps_the_error,
    executions::block_keeps_the_report,
    executions::update_and_records_are_written_together,
    executions::list_is_sorted_and_paged,
    executions::list_applies_the_filter,
    executions::history_needs_no_lease,
    newest::the_newest_are_listed_first,
    newest::the_newest_are_listed_by_status_and_handler,
    newest::the_newest_are_listed_by_label,
    forks::a_fork_begins_with_its_records,
    forks::a_fork_runs_like_any_other_execution,
    forks::a_fork_does_not_change_an_existing_execution,
    forks::a_repeated_fork_changes_nothing,
    forks::a_long_history_can_be_forked,
    forks::a_cancelled_fork_is_due,
    forks::a_resumed_fork_is_due,
    forks::a_fork_waits_in_its_queue,
    labels::labels_are_kept,
    labels::a_second_start_does_not_change_the_labels,
    labels::executions_are_listed_by_label,
    labels::a_listing_by_label_is_sorted_and_paged,
    labels::other_filters_apply_to_a_listing_by_label,
    labels::children_and_successors_keep_their_labels,
    labels::a_fired_execution_keeps_its_labels,
    labels::a_deleted_execution_is_not_listed_by_its_labels,
    leases::only_one_holder_at_a_time,
    leases::a_claimed_execution_is_running,
    leases::an_expired_lease_can_be_taken_over,
    leases::ordered_fences_grow,
    leases::a_released_lease_does_not_count_as_interrupted,
    leases::an_ended_execution_cannot_be_claimed,
    leases::a_blocked_execution_can_be_claimed,
    leases::renewal_postpones_the_expiry,
    leases::renewal_is_fenced,
    leases::a_lease_survives_a_clock_that_is_set_back,
    leases::only_one_of_concurrent_claims_is_granted,
    leases::only_one_of_concurrent_takeovers_is_granted,
    limits::a_value_over_the_limit_is_refused,
    limits::an_output_over_the_limit_is_refused,
    limits::an_input_over_the_limit_is_refused,
    limits::an_input_of_a_child_over_the_limit_is_refused,
    limits::an_outcome_over_the_limit_is_refused,
    limits::a_large_value_is_kept,
    external_events::a_completed_callback_ends_the_wait,
    external_events::a_heartbeat_ends_the_wait,
    external_events::the_end_of_a_child_ends_the_wait,
    external_events::a_cancellation_ends_the_wait,
    external_events::an_earlier_change_ends_the_wait_at_once,
    external_events::a_change_ends_all_waits,
    external_events::an_unknown_execution_is_not_found,
    records::every_kind_and_status_is_kept,
    records::every_field_is_kept,
    records::every_occurrence_is_kept,
    records::every_form_of_payload_is_kept,
    records::every_form_of_text_is_kept,
    records::a_sealed_error_is_kept,
    records::extreme_numbers_are_kept,
    admin::a_queued_execution_can_be_paused,
    admin::pausing_keeps_the_wake_up_time,
    admin::a_running_execution_can_be_paused,
    admin::cancelling_makes_a_paused_execution_due,
    admin::an_ended_execution_is_not_changed,
    admin::a_failed_execution_can_be_rewound,
    admin::a_running_execution_is_neither_rewound_nor_deleted,
    admin::an_ended_execution_can_be_deleted,
    admin::a_deleted_id_can_be_reused_and_old_fences_stay_invalid,
    published::published_values_share_a_record_and_are_read_alone,
    messages::a_store_without_messages_says_so,
    messages::messages_are_kept_in_order_and_once,
    messages::a_checkpoint_answers_with_waiting_messages_if_asked,
    messages::a_received_message_waits_again_once_its_record_is_cancelled,
    messages::a_rewind_lets_the_messages_of_removed_records_wait_again,
    messages::a_message_makes_a_suspended_execution_due,
    messages::an_ended_execution_takes_no_new_message,
    messages::waiting_messages_move_to_the_next_execution_of_a_chain,
    messages::a_start_keeps_its_message_or_changes_nothing,
    queues::a_queue_without_limits_lets_all_run,
    queues::executions_are_ordered_by_priority_then_time,
    queues::concurrency_is_limited,
    queues::concurrency_per_key_is_limited,
    queues::the_start_rate_is_limited,
    queues::workers_serve_the_queues_they_name,
    queues::a_queue_can_be_paused,
    queues::the_oldest_waiting_execution_is_known,
    queues::a_chain_counts_as_one_execution,
    queues::a_queued_execution_can_be_cancelled,
    queues::a_claim_by_id_bypasses_the_queue,
    schedules::schedules_are_kept,
    schedules::a_schedule_fires_once,
    work::executions_are_claimed_in_order_of_their_due_time,
    work::a_claimed_lease_works_like_any_other,
    work::executions_of_other_handlers_are_not_claimed,
    work::executions_are_not_claimed_before_their_time,
    work::an_external_event_makes_an_execution_due,
    work::abandoned_executions_are_claimed,
    work::crashes_without_progress_are_counted,
    builds::a_blocked_execution_is_offered_once_to_every_other_build,
    builds::progress_lets_earlier_builds_try_again,
    builds::a_resumed_execution_is_due_for_any_build,
    builds::resuming_offers_to_every_build_again,
    work::concurrent_workers_claim_each_execution_once,
    ready::due_executions_end_the_wait,
    ready::the_end_of_an_execution_ends_the_wait,
];

type Case = fn(Store) -> BoxFuture<'static, Outcome>;

/// Converts paths of async functions to pairs of name and boxed function.
macro_rules! cases {
    ($($case:path),* $(,)?) => {
        &[$((stringify!($case), |store| Box::pin($case(store)))),*]
    };
}
use cases;

/// Fails the case unless both values are equal.
macro_rules! expect_eq {
    ($found:expr, $expected:expr, $what:expr) => {
        let (found, expected) = (&$found, &$expected);
        if found != expected {
            return Err(crate::conformance::Defect::new(format!(
                "{}: expected {expected:?}, found {found:?}",
                $what
            )));
        }
    };
}
use expect_eq;

/// Fails the case unless the call returned an error of this kind.
macro_rules! expect_error {
    ($call:expr, $kind:ident, $what:expr) => {
        match $call {
            Err(error) if error.kind() == crate::store::StoreErrorKind::$kind => {}
            Err(error) if error.kind() == crate::store::StoreErrorKind::Unsupported => {
                return Err(error.into());
            }
            other => {
                return Err(crate::conformance::Defect::new(format!(
                    "{}: expected {}, found {other:?}",
                    $what,
                    stringify!($kind)
                )));
            }
        }
    };
}
use expect_error;

/// Runs every case against a new, empty store from `fresh`. Needs a tokio runtime.
///
/// # Errors
///
/// [`Failures`] with the name and reason of every failed case.
pub async fn run(fresh: impl AsyncFn() -> Store) -> Result<(), Failures> {
    let (mut failures, unsupported) = run_all(fresh).await;
    failures.failed.extend(unsupported);
    failures.into_result()
}

/// Runs the cases that need only the supported parts of a backend, and returns the names of the others.
///
/// A case counts as unsupported if a call in it fails with [`StoreErrorKind::Unsupported`]. Use this for a
/// backend that implements [`CheckpointStore`](crate::store::CheckpointStore) and
/// [`ExecutionStore`](crate::store::ExecutionStore), but not all of the other traits.
///
/// # Errors
///
/// [`Failures`] with every case that failed for another reason.
pub async fn run_supported(fresh: impl AsyncFn() -> Store) -> Result<Vec<&'static str>, Failures> {
    let (failures, unsupported) = run_all(fresh).await;
    failures.into_result()?;
    Ok(unsupported.into_iter().map(|(name, _)| name).collect())
}

/// Runs every case. Returns the failed ones and the unsupported ones.
async fn run_all(fresh: impl AsyncFn() -> Store) -> (Failures, Vec<(&'static str, String)>) {
    let (mut failed, mut unsupported) = (Vec::new(), Vec::new());
    for (name, case) in CASES {
        match case(fresh().await).await {
            Ok(()) => {}
            Err(Defect::Found(what)) => failed.push((*name, what)),
            Err(Defect::Unsupported(what)) => unsupported.push((*name, what)),
        }
    }
    (Failures { failed }, unsupported)
}

/// Cases that a store failed.
#[derive(Clone, PartialEq, Eq)]
pub struct Failures {
    failed: Vec<(&'static str, String)>,
}

impl Failures {
    fn into_result(self) -> Result<(), Self> {
        match self.failed.is_empty() {
            true => Ok(()),
            false => Err(self),
        }
    }

    /// Returns the names of the failed cases, with the reasons.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.failed.iter().map(|(name, why)| (*name, why.as_str()))
    }
}

impl fmt::Display for Failures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} of {} conformance cases failed",
            self.failed.len(),
            CASES.len()
        )?;
        self.iter()
            .try_for_each(|(name, why)| write!(f, "\n  {name}: {why}"))
    }
}

/// Prints the list, because `unwrap` shows this output.
impl fmt::Debug for Failures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Failures {}

/// Reason why a case did not pass.
enum Defect {
    /// The store behaves differently from what the case expects.
    Found(String),
    /// The backend does not implement what the case needs.
    Unsupported(String),
}

impl Defect {
    fn new(what: impl Into<String>) -> Self {
        Self::Found(what.into())
    }
}

/// Treats an unexpected error as a defect.
impl From<StoreError> for Defect {
    fn from(error: StoreError) -> Self {
        let what = format!("unexpected error: {error:?}");
        match error.kind() {
            StoreErrorKind::Unsupported => Self::Unsupported(what),
            _ => Self::Found(what),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::MemoryStore;

    #[tokio::test]
    async fn memory_conforms() {
        run(async || Arc::new(MemoryStore::new()) as _)
            .await
            .unwrap();
    }

    // Paused, because cases on a store that is not empty wait for events until they time out.
    #[tokio::test(start_paused = true)]
    async fn failures_name_the_case() {
        let shared: Store = Arc::new(MemoryStore::new());
        let failures = run(async || Arc::clone(&shared)).await.unwrap_err();
        let text = failures.to_string();
        assert!(text.contains("start_is_idempotent: "), "{text}");
    }
}
