//! Does a store keep the contract? One call runs every case.
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
mod leases;
mod limits;
mod queues;
mod ready;
mod records;
mod schedules;
mod work;

use std::fmt;
use std::sync::Arc;

use crate::BoxFuture;
use crate::store::{self, StoreError, StoreErrorKind};

/// The store under test, as every case sees it.
type Store = Arc<dyn store::Store>;

/// `Err` says what was expected and what was found.
type Outcome = Result<(), Defect>;

/// Every case, by name. A case left out of here is dead code, which does not build.
static CASES: &[(&str, Case)] = cases![
    callbacks::an_outcome_comes_from_outside,
    callbacks::a_waiting_execution_is_woken,
    callbacks::the_first_outcome_counts,
    callbacks::a_settled_callback_keeps_its_outcome,
    callbacks::what_the_writer_settles_is_closed,
    callbacks::an_ended_execution_takes_no_outcome,
    callbacks::what_is_no_callback_is_not_found,
    callbacks::a_suspension_that_missed_a_change_is_due_at_once,
    callbacks::a_writer_is_told_what_it_has_not_seen,
    callbacks::a_heartbeat_moves_the_time,
    callbacks::a_heartbeat_wakes_nobody,
    callbacks::of_many_outcomes_one_counts,
    cancellation::one_that_never_ran_ends_at_once,
    cancellation::one_that_waits_is_woken,
    cancellation::one_that_is_blocked_is_due,
    cancellation::one_that_runs_is_told,
    cancellation::a_cancelled_execution_keeps_its_error,
    cancellation::one_that_has_ended_is_left_alone,
    checkpoints::puts_records_in_order,
    checkpoints::a_record_written_again_replaces_the_one_before,
    checkpoints::load_goes_on_after_a_position,
    checkpoints::the_same_batch_again_changes_nothing,
    checkpoints::the_last_batch_may_be_repeated_after_the_lease_is_gone,
    checkpoints::an_old_fence_changes_nothing,
    checkpoints::a_foreign_fence_changes_nothing,
    checkpoints::a_released_fence_changes_nothing,
    checkpoints::an_empty_batch_is_fenced_too,
    checkpoints::executions_do_not_mix,
    checkpoints::many_executions_at_once,
    children::start_with_the_batch,
    children::start_once,
    children::of_a_refused_batch_do_not_start,
    children::tell_how_they_end,
    children::wake_a_waiting_parent,
    children::that_never_ran_tell_of_their_cancellation,
    children::are_heard_once,
    children::leave_an_ended_parent_alone,
    children::settle_nothing_but_their_operation,
    children::of_an_unknown_parent_end,
    children::may_all_end_at_once,
    children::go_on_as_the_next_of_their_chain,
    children::a_chain_needs_no_parent,
    executions::start_is_idempotent,
    executions::start_leaves_an_existing_execution_alone,
    executions::unknown_executions_are_not_found,
    executions::suspend_keeps_the_time,
    executions::succeed_keeps_the_output,
    executions::fail_keeps_the_error,
    executions::block_keeps_the_report,
    executions::update_and_records_are_one,
    executions::list_is_in_order_and_pages,
    executions::list_filters,
    executions::history_needs_no_lease,
    leases::one_holder_at_a_time,
    leases::a_claim_sets_the_execution_running,
    leases::an_expired_lease_is_taken_over,
    leases::a_lease_given_up_is_clean,
    leases::an_ended_execution_cannot_be_claimed,
    leases::a_blocked_execution_can_be_claimed,
    leases::renewal_moves_the_expiry,
    leases::renewal_is_fenced,
    leases::a_clock_that_goes_backwards,
    leases::of_many_claims_one_wins,
    leases::of_many_takeovers_one_wins,
    limits::a_value_over_the_limit_changes_nothing,
    limits::an_output_over_the_limit_changes_nothing,
    limits::an_input_over_the_limit_starts_nothing,
    limits::an_input_of_a_child_over_the_limit_changes_nothing,
    limits::an_outcome_over_the_limit_settles_nothing,
    limits::a_large_value_is_kept,
    external_events::of_a_callback,
    external_events::of_a_heartbeat,
    external_events::of_a_child,
    external_events::of_a_cancellation,
    external_events::from_before_the_question,
    external_events::come_to_all_who_wait,
    external_events::of_unknown_executions_are_not_found,
    records::every_kind_and_status,
    records::every_field,
    records::every_occurrence,
    records::every_sort_of_payload,
    records::every_sort_of_text,
    records::a_sealed_error,
    records::extreme_numbers,
    admin::pause_what_waits,
    admin::pause_what_sleeps_until_its_time,
    admin::pause_what_runs,
    admin::cancel_what_is_paused,
    admin::leave_what_has_ended,
    admin::rewind_what_has_failed,
    admin::rewind_nothing_that_runs,
    admin::delete_what_has_ended,
    admin::a_deleted_id_is_free_and_old_fences_fit_nothing,
    queues::without_limits_let_all_run,
    queues::go_by_priority_then_by_time,
    queues::limit_what_runs,
    queues::limit_what_runs_of_a_key,
    queues::limit_how_many_start_in_a_time,
    queues::are_served_by_those_who_say_so,
    queues::can_be_paused,
    queues::give_a_chain_one_place,
    queues::do_not_hold_back_a_cancellation,
    queues::can_be_passed_by_name,
    schedules::are_kept,
    schedules::fire_once,
    work::is_claimed_soonest_first,
    work::a_lease_is_as_good_as_any,
    work::of_other_handlers_is_left_alone,
    work::later_is_not_now,
    work::an_event_makes_it_due,
    work::what_was_left_behind_is_looked_after,
    work::crashes_without_progress_are_counted,
    builds::blocked_is_offered_once_to_every_other_build,
    builds::progress_makes_builds_try_again,
    builds::resumed_is_tried_by_any_build,
    builds::resumed_is_offered_to_every_build_again,
    work::of_many_workers_one_claims,
    ready::what_becomes_due_is_told,
    ready::an_end_is_told,
];

type Case = fn(Store) -> BoxFuture<'static, Outcome>;

/// Input: paths of async functions. Output: their names with the functions, boxed.
macro_rules! cases {
    ($($case:path),* $(,)?) => {
        &[$((stringify!($case), |store| Box::pin($case(store)))),*]
    };
}
use cases;

/// Fails the case unless the two are equal.
macro_rules! same {
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
use same;

/// Fails the case unless the call was refused with this kind of error.
macro_rules! refused {
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
use refused;

/// Runs every case, each against a fresh and empty store from `fresh`, within a tokio runtime.
///
/// # Errors
///
/// [`Failures`] with every case that failed and why.
pub async fn run(fresh: impl AsyncFn() -> Store) -> Result<(), Failures> {
    let (mut failures, unsupported) = run_all(fresh).await;
    failures.failed.extend(unsupported);
    failures.into_result()
}

/// Runs the cases that need only the supported parts of a backend, and returns the names of the others.
///
/// A case counts as unsupported when a call in it fails with
/// [`StoreErrorKind::Unsupported`]. This is the suite for a backend that implements
/// [`CheckpointStore`](crate::store::CheckpointStore) and [`ExecutionStore`](crate::store::ExecutionStore) and perhaps some of the
/// other traits.
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

/// The cases that a store did not pass.
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

    /// Names of the cases and what went wrong in them.
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

/// As a list, since this is what `unwrap` shows.
impl fmt::Debug for Failures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Failures {}

/// Why a case did not pass.
enum Defect {
    /// The store does something else than the case expects.
    Found(String),
    /// The backend does not implement what the case needs.
    Unsupported(String),
}

impl Defect {
    fn new(what: impl Into<String>) -> Self {
        Self::Found(what.into())
    }
}

/// An error where none was expected.
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

    #[tokio::test]
    async fn a_failure_names_its_case() {
        let shared: Store = Arc::new(MemoryStore::new());
        let failures = run(async || Arc::clone(&shared)).await.unwrap_err();
        let text = failures.to_string();
        assert!(text.contains("start_is_idempotent: "), "{text}");
    }
}
