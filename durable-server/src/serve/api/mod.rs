//! The API for programs.

mod backfill;
mod callbacks;
mod changes;
mod counts;
mod document;
mod executions;
mod extract;
mod fork;
mod graph;
mod labels;
mod live;
mod messages;
mod operations;
mod parse;
mod published;
mod queues;
mod schedules;

use axum::Router;
use axum::routing::get;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::state::App;

pub(crate) use backfill::{BackfillRange, backfill_schedule};
pub(crate) use changes::Action;
pub(crate) use counts::by_status;
pub(crate) use executions::{ListQuery, NewStart, Place, start_execution};
pub(crate) use extract::{Form, Path, Query};
pub(crate) use fork::{NewFork, fork_execution};
pub(crate) use graph::{Drawn, draw};
pub(crate) use labels::{labels_text, parse_labels};
pub(crate) use messages::{NewMessage, send_message};
pub(crate) use operations::one_operation;
pub(crate) use parse::execution_id;
pub(crate) use schedules::fire_now;

/// Routes of the API, its description among them.
pub(crate) fn router() -> Router<App> {
    let (router, document) = OpenApiRouter::with_openapi(document::head())
        .routes(routes!(executions::list, executions::start))
        .routes(routes!(executions::get, executions::remove))
        .routes(routes!(operations::list))
        .routes(routes!(operations::get))
        .routes(routes!(operations::timeline))
        .routes(routes!(operations::compare))
        .routes(routes!(graph::graph))
        .routes(routes!(changes::cancel))
        .routes(routes!(changes::pause))
        .routes(routes!(changes::resume))
        .routes(routes!(changes::retry))
        .routes(routes!(changes::bulk))
        .routes(routes!(fork::fork))
        .routes(routes!(messages::list, messages::send))
        .routes(routes!(published::list))
        .routes(routes!(callbacks::complete))
        .routes(routes!(callbacks::fail))
        .routes(routes!(callbacks::heartbeat))
        .routes(routes!(queues::list))
        .routes(routes!(queues::set, queues::remove))
        .routes(routes!(queues::pause))
        .routes(routes!(queues::resume))
        .routes(routes!(schedules::list))
        .routes(routes!(schedules::set, schedules::remove))
        .routes(routes!(schedules::pause))
        .routes(routes!(schedules::resume))
        .routes(routes!(schedules::fire))
        .routes(routes!(backfill::backfill))
        .routes(routes!(counts::counts))
        .routes(routes!(counts::metrics))
        .routes(routes!(counts::health))
        .routes(routes!(live::all))
        .routes(routes!(live::one))
        .split_for_parts();
    router.route("/api/openapi.json", get(document::serve(document)))
}
