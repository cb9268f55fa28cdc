//! Durable functions for AWS's conformance suite: one for each requirement, by the requirement's id.

mod callback;
mod child;
mod codecs;
mod condition;
mod invoke;
mod map;
mod parallel;
mod projection;
mod step;
mod wait;
mod wait_for_callback;

use std::path::PathBuf;

use durable::BoxError;
use durable::lambda::log::Log;

/// State shared by the handlers.
pub(crate) struct App {
    /// Name or ARN of the function to invoke.
    target: String,
    /// Name or ARN of the second function to invoke.
    second_target: String,
    /// Folder for files that persist across processes.
    scratch: PathBuf,
}

impl App {
    fn from_env() -> Self {
        let text = |name: &str| std::env::var(name).unwrap_or_default();
        let scratch = std::env::var_os("DURABLE_CONFORMANCE_SCRATCH").map(PathBuf::from);
        Self {
            target: text("TARGET_FUNCTION_NAME"),
            second_target: text("SECOND_TARGET_FUNCTION_NAME"),
            scratch: scratch.unwrap_or_else(std::env::temp_dir),
        }
    }
}

/// Returns the log settings. Some requirements expect the lines of replayed code as well.
fn log() -> Log {
    Log::from_env().replayed(std::env::var_os("REPLAYED_LINES").is_some())
}

/// Runs the handler with the given id on Lambda.
macro_rules! handlers {
    ($id:expr, $app:expr, { $($known:literal => $handler:path,)* }) => {
        match $id {
            $($known => durable::lambda::function($handler).state($app).log(log()).run().await,)*
            other => Err(format!("unknown requirement HANDLER={other:?}").into()),
        }
    };
}

/// Runs the function of a requirement, or a function that requirements invoke.
pub(crate) async fn run(id: &str) -> Result<(), BoxError> {
    let app = App::from_env();
    handlers!(id, app, {
        "1-1" => step::greets,
        "1-2" => step::named,
        "1-3" => step::in_sequence,
        "1-4" => step::objects,
        "1-5" => step::null,
        "1-6" => step::encoded,
        "1-7" => step::logs,
        "1-8" => step::before_a_wait,
        "1-9" => step::replayed,
        "1-10" => step::failure_replayed,
        "1-11" => step::retried,
        "1-12" => step::retries_exhausted,
        "1-13" => step::retried_by_default,
        "1-14" => step::retried_with_backoff,
        "1-15" => step::retried_by_type,
        "1-16" => step::not_retried_by_type,
        "1-17" => step::at_most_once,
        "1-18" => step::at_most_once_retried,
        "1-19" => step::fails,
        "1-20" => step::failure_caught,
        "2-1" => wait::waits,
        "2-2" => wait::named,
        "2-3" => wait::twice,
        "2-4" => wait::minute,
        "2-5" => wait::hour,
        "3-1" => child::one_step,
        "3-2" => child::named_at_run_time,
        "3-3" => child::two_steps,
        "3-4" => child::step_fails,
        "3-5" => child::failure_caught,
        "3-6" => child::nested,
        "3-7" => child::step_retried,
        "3-8" => child::step_retries_exhausted,
        "3-9" => child::before_a_wait,
        "3-10" => child::waits_inside,
        "3-11" => child::large,
        "3-12" => child::interrupted,
        "3-13" => child::only_waits,
        "3-14" => child::encoded,
        "3-15" => child::fails,
        "3-16" => child::null,
        "3-17" => child::only_logs,
        "3-18" => child::mixed,
        "4-1" => callback::awaited,
        "4-2" => callback::named,
        "4-3" => callback::timed_out,
        "4-4" => callback::without_heartbeat,
        "4-5" => callback::with_heartbeat,
        "4-6" => callback::failed,
        "4-7" => callback::failed_after_a_step,
        "4-8" => callback::timed_out_after_a_step,
        "4-9" => callback::completed_during_a_wait,
        "4-10" => callback::failed_during_a_wait,
        "4-11" => callback::timed_out_during_a_wait,
        "4-12" => callback::before_a_wait,
        "4-13" => callback::failure_caught,
        "4-14" => callback::timeout_caught,
        "4-15" => callback::decoded,
        "4-16" => callback::number,
        "4-17" => callback::one_after_the_other,
        "4-18" => callback::two_in_order,
        "4-19" => callback::two_in_reverse,
        "5-1" => invoke::echoes,
        "5-2" => invoke::named_at_run_time,
        "5-3" => invoke::object,
        "5-4" => invoke::null,
        "5-5" => invoke::fails,
        "5-6" => invoke::failure_caught,
        "5-7" => invoke::large,
        "5-8" => invoke::for_a_tenant,
        "5-9" => invoke::before_a_wait,
        "5-10" => invoke::failure_replayed,
        "5-11" => invoke::after_a_step,
        "5-12" => invoke::before_a_step,
        "5-13" => invoke::in_a_child,
        "5-14" => invoke::twice,
        "5-15" => invoke::input_encoded,
        "5-16" => invoke::result_decoded,
        "6-1" => condition::counts,
        "6-2" => condition::at_once,
        "6-3" => condition::named,
        "6-4" => condition::from_a_state,
        "6-5" => condition::with_a_fixed_delay,
        "6-6" => condition::never_satisfied,
        "6-7" => condition::fails,
        "6-8" => condition::failure_caught,
        "6-9" => condition::object,
        "6-10" => condition::null,
        "6-11" => condition::encoded,
        "6-12" => condition::before_a_step,
        "6-13" => condition::twice,
        "7-1" => wait_for_callback::awaited,
        "7-2" => wait_for_callback::named,
        "7-3" => wait_for_callback::unnamed,
        "7-4" => wait_for_callback::failed,
        "7-5" => wait_for_callback::timed_out,
        "7-6" => wait_for_callback::failure_caught,
        "7-7" => wait_for_callback::not_submitted,
        "7-8" => wait_for_callback::in_a_child,
        "7-9" => wait_for_callback::twice,
        "7-10" => wait_for_callback::after_others,
        "7-11" => wait_for_callback::object,
        "7-12" => wait_for_callback::without_heartbeat,
        "7-13" => wait_for_callback::with_heartbeat,
        "7-14" => wait_for_callback::timeout_caught,
        "7-15" => wait_for_callback::nothing,
        "8-1" => parallel::steps,
        "8-2" => parallel::unnamed,
        "8-3" => parallel::named_branches,
        "8-4" => parallel::of_many_types,
        "8-5" => parallel::empty,
        "8-6" => parallel::fail_fast,
        "8-7" => parallel::error_propagated,
        "8-8" => parallel::min_successful,
        "8-9" => parallel::tolerated,
        "8-10" => parallel::tolerance_exceeded,
        "8-11" => parallel::concurrent,
        "8-12" => parallel::flat,
        "8-13" => parallel::tolerated_share,
        "8-14" => parallel::replayed,
        "8-15" => parallel::encoded,
        "8-16" => parallel::all_fail,
        "8-17" => parallel::min_not_reached,
        "8-18" => parallel::combined,
        "8-19" => parallel::bad_concurrency,
        "8-20" => parallel::accessors,
        "8-21" => parallel::nested,
        "8-22" => parallel::share_not_exceeded,
        "9-1" => map::steps,
        "9-2" => map::unnamed,
        "9-3" => map::indexed,
        "9-4" => map::empty,
        "9-5" => map::fail_fast,
        "9-6" => map::error_propagated,
        "9-7" => map::min_successful,
        "9-8" => map::tolerated,
        "9-9" => map::tolerance_exceeded,
        "9-10" => map::tolerated_share,
        "9-11" => map::concurrent,
        "9-12" => map::flat,
        "9-13" => map::named_items,
        "9-14" => map::items_encoded,
        "9-15" => map::suspends,
        "9-16" => map::large,
        "9-17" => map::before_a_wait,
        "9-18" => map::failure_before_a_wait,
        "9-19" => map::result_encoded,
        "9-20" => map::result_decoded,
        "echo" => invoke::echo,
        "error" => invoke::error,
    })
}
