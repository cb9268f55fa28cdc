//! Live events.

use std::convert::Infallible;
use std::pin::Pin;

use axum::extract::State;
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive, KeepAliveStream};
use futures_util::Stream;

use super::extract::Path;
use super::parse::execution_id;
use crate::serve::events::{Signal, Topic};
use crate::serve::problem::Problem;
use crate::serve::state::App;

type Signals = Pin<Box<dyn Stream<Item = Result<Event, Infallible>> + Send>>;
type Events = Sse<KeepAliveStream<Signals>>;

/// Follow all executions: the event `changed` reports that a listing may be out of date.
#[utoipa::path(get, path = "/api/events", operation_id = "follow_all", tag = "events", responses(
    (status = 200, description = "Server-sent events without end.", body = String, content_type = "text/event-stream"),
    Problem
))]
pub(super) async fn all(State(app): State<App>) -> Result<Events, Problem> {
    stream(&app, Topic::All)
}

/// Follow one execution.
///
/// After `ready`, every change is an event: read the timeline then. `rows` carries rows of the timeline that are new or
/// have changed, `changed` reports a new state of the execution, and `reload` asks to read the timeline again.
#[utoipa::path(get, path = "/api/executions/{id}/events", operation_id = "follow_execution", tag = "events", params(("id" = String, Path, description = "Id of the execution")), responses(
    (status = 200, description = "Server-sent events without end.", body = String, content_type = "text/event-stream"),
    Problem
))]
pub(super) async fn one(State(app): State<App>, Path(id): Path<String>) -> Result<Events, Problem> {
    let id = execution_id(&id)?;
    app.client.describe(&id).await?;
    stream(&app, Topic::One(id))
}

fn stream(app: &App, topic: Topic) -> Result<Events, Problem> {
    let Some(watcher) = app.hub.watch(topic) else {
        let most = app.options.streams;
        return Err(Problem::busy(format!("{most} streams of events are open")));
    };
    let events = futures_util::stream::unfold(watcher, |mut watcher| async {
        let signal = watcher.next().await?;
        Some((Ok(event(&signal)), watcher))
    });
    let events: Signals = Box::pin(events);
    Ok(Sse::new(events).keep_alive(KeepAlive::default()))
}

fn event(signal: &Signal) -> Event {
    Event::default().event(signal.name).data(&*signal.data)
}
