//! Queues.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use durable_core::store::QueueState;

use super::forms::Confirm;
use super::{Site, encoded, html};
use crate::serve::api::Path;
use crate::serve::problem::Problem;
use crate::serve::state::App;
use crate::view::text;

#[derive(Template)]
#[template(path = "queues.html")]
struct Page {
    site: Site,
    queues: Vec<Row>,
}

struct Row {
    name: String,
    href: String,
    waiting: u64,
    running: u64,
    limits: String,
    paused: bool,
    action: String,
}

pub(super) async fn page(site: Site, State(app): State<App>) -> Result<Response, Problem> {
    let queues = app.client.queues().await?;
    let queues = queues.iter().map(|state| Row::new(&site, state)).collect();
    let site = site.at("queues");
    Ok(html(&Page { site, queues }))
}

impl Row {
    fn new(site: &Site, state: &QueueState) -> Self {
        let queue = &state.queue;
        let name = encoded(&queue.name);
        let verb = if queue.paused { "resume" } else { "pause" };
        Self {
            href: format!("{}?queue={name}", site.home()),
            action: format!("{}/queues/{name}/{verb}", site.base),
            name: queue.name.clone(),
            waiting: state.waiting,
            running: state.running,
            limits: limits(state),
            paused: queue.paused,
        }
    }
}

fn limits(state: &QueueState) -> String {
    let queue = &state.queue;
    let all = queue.concurrency.map(|n| format!("{n} at a time"));
    let key = queue
        .concurrency_per_key
        .map(|n| format!("{n} for each key"));
    let rate = queue
        .rate
        .map(|rate| format!("{} starts in {}", rate.starts, text::duration(rate.per)));
    let limits: Vec<_> = [all, key, rate].into_iter().flatten().collect();
    match limits.is_empty() {
        true => "none".to_owned(),
        false => limits.join(", "),
    }
}

pub(super) async fn ask(
    site: Site,
    Path((name, action)): Path<(String, String)>,
) -> Result<Response, Problem> {
    Ok(confirm(site, &name, pauses(&action)?).page())
}

pub(super) async fn act(
    site: Site,
    State(app): State<App>,
    Path((name, action)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let paused = pauses(&action)?;
    match app.client.pause_queue(&name, paused).await {
        Ok(()) => Ok(Redirect::to(&format!("{}/queues", site.base)).into_response()),
        Err(error) => Ok(confirm(site, &name, paused).again(&error.into())),
    }
}

/// Whether the action pauses; it resumes otherwise.
pub(super) fn pauses(action: &str) -> Result<bool, Problem> {
    match action {
        "pause" => Ok(true),
        "resume" => Ok(false),
        _ => Err(Problem::not_found(format!("there is no action {action:?}"))),
    }
}

fn confirm(site: Site, name: &str, pause: bool) -> Confirm {
    let (title, line, verb) = match pause {
        true => (
            format!("Pause the queue {name}?"),
            "Nothing leaves it until it is resumed. What has left it keeps running.",
            "pause",
        ),
        false => (
            format!("Resume the queue {name}?"),
            "Executions leave it again, as its limits allow.",
            "resume",
        ),
    };
    let base = site.base.clone();
    let action = format!("{base}/queues/{}/{verb}", encoded(name));
    Confirm {
        lines: vec![line.to_owned()],
        button: if pause {
            "Pause the queue"
        } else {
            "Resume the queue"
        },
        back: Some(format!("{base}/queues")),
        ..Confirm::new(site.at("queues"), title, action)
    }
}
