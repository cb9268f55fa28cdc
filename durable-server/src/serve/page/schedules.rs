//! Schedules.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};

use super::forms::Confirm;
use super::queues::pauses;
use super::{Site, encoded, html};
use crate::serve::api::{Path, fire_now};
use crate::serve::problem::Problem;
use crate::serve::state::App;
use crate::view::json::{Schedule, Schedules};

#[derive(Template)]
#[template(path = "schedules.html")]
struct Page {
    site: Site,
    schedules: Vec<Row>,
}

struct Row {
    name: String,
    handler: String,
    fires: String,
    next: Option<String>,
    last: Option<(String, String)>,
    paused: bool,
    action: String,
    fire: String,
    backfill: String,
}

pub(super) async fn page(site: Site, State(app): State<App>) -> Result<Response, Problem> {
    let all = Schedules::new(&app.client.schedules().await?).schedules;
    let schedules = all
        .into_iter()
        .map(|entry| Row::new(&site, entry))
        .collect();
    let site = site.at("schedules");
    Ok(html(&Page { site, schedules }))
}

impl Row {
    fn new(site: &Site, entry: Schedule) -> Self {
        let page = format!("{}/schedules/{}", site.base, encoded(&entry.name));
        let verb = if entry.paused { "resume" } else { "pause" };
        Self {
            action: format!("{page}/{verb}"),
            fire: format!("{page}/fire"),
            backfill: format!("{page}/backfill"),
            last: entry.last.map(|last| {
                let href = site.execution(&last);
                (last, href)
            }),
            fires: entry
                .fires
                .unwrap_or_else(|| "as a newer release says".to_owned()),
            next: entry.next_at.filter(|_| !entry.paused),
            name: entry.name,
            handler: entry.handler,
            paused: entry.paused,
        }
    }
}

/// Whether the action pauses or resumes; it fires otherwise.
fn change(action: &str) -> Result<Option<bool>, Problem> {
    match action {
        "fire" => Ok(None),
        action => pauses(action).map(Some),
    }
}

pub(super) async fn ask(
    site: Site,
    Path((name, action)): Path<(String, String)>,
) -> Result<Response, Problem> {
    Ok(confirm(site, &name, change(&action)?).page())
}

pub(super) async fn act(
    site: Site,
    State(app): State<App>,
    Path((name, action)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let change = change(&action)?;
    let done = match change {
        Some(paused) => {
            let done = app.client.pause_schedule(&name, paused).await;
            done.map(|()| format!("{}/schedules", site.base))
                .map_err(Problem::from)
        }
        None => fire_now(&app, &name)
            .await
            .map(|began| site.execution(&began.id)),
    };
    Ok(match done {
        Ok(target) => Redirect::to(&target).into_response(),
        Err(problem) => confirm(site, &name, change).again(&problem),
    })
}

fn confirm(site: Site, name: &str, change: Option<bool>) -> Confirm {
    let (title, line, verb, button) = match change {
        Some(true) => (
            format!("Pause the schedule {name}?"),
            "It misses its firings until it is resumed; they are not made up for.",
            "pause",
            "Pause the schedule",
        ),
        Some(false) => (
            format!("Resume the schedule {name}?"),
            "It fires again from now on.",
            "resume",
            "Resume the schedule",
        ),
        None => (
            format!("Fire the schedule {name} now?"),
            "An execution starts as if it were time. When the schedule fires next stays.",
            "fire",
            "Start an execution",
        ),
    };
    let base = site.base.clone();
    let action = format!("{base}/schedules/{}/{verb}", encoded(name));
    Confirm {
        lines: vec![line.to_owned()],
        button,
        back: Some(format!("{base}/schedules")),
        ..Confirm::new(site.at("schedules"), title, action)
    }
}
