//! Backfilling a schedule: first the list of what would start, then the start.

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::forms::{Confirm, Field};
use super::{Site, encoded};
use crate::serve::api::{BackfillRange, Form, Path, backfill_schedule};
use crate::serve::state::App;

/// Ids that are listed one by one.
const MOST: usize = 20;

/// Range of the form.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Given {
    from: String,
    to: String,
    /// `list` or `start`.
    what: String,
}

pub(super) async fn ask(site: Site, Path(name): Path<String>) -> Response {
    confirm(site, &name, &Given::default(), Vec::new()).page()
}

pub(super) async fn act(
    site: Site,
    State(app): State<App>,
    Path(name): Path<String>,
    Form(mut given): Form<Given>,
) -> Response {
    let range = BackfillRange {
        from: given.from.clone(),
        to: given.to.clone(),
        limit: None,
        dry_run: given.what != "start",
    };
    match backfill_schedule(&app, &name, &range).await {
        Ok(done) if done.dry_run => {
            given.what = "start".to_owned();
            confirm(site, &name, &given, listed(&done.started)).page()
        }
        Ok(_) => {
            let prefix = encoded(&format!("{name}@"));
            Redirect::to(&format!("{}?prefix={prefix}", site.home())).into_response()
        }
        Err(problem) => confirm(site, &name, &given, Vec::new()).again(&problem),
    }
}

/// Lines that tell what would be started.
fn listed(ids: &[String]) -> Vec<String> {
    let count = match ids.len() {
        0 => return vec!["The schedule has no past times in this range.".to_owned()],
        1 => "This execution would start, unless it exists:".to_owned(),
        count => format!("These {count} executions would start, except those that exist:"),
    };
    let mut lines = vec![count];
    lines.extend(ids.iter().take(MOST).cloned());
    if let Some(more) = ids.len().checked_sub(MOST).filter(|more| *more > 0) {
        lines.push(format!("and {more} more"));
    }
    lines
}

fn confirm(site: Site, name: &str, given: &Given, listed: Vec<String>) -> Confirm {
    let base = site.base.clone();
    let action = format!("{base}/schedules/{}/backfill", encoded(name));
    let mut lines = vec![
        "An execution starts for each past time of the schedule in the range, unless it exists. All may run at once, as far \
         as their queue allows."
            .to_owned(),
    ];
    lines.extend(listed);
    Confirm {
        lines,
        fields: vec![
            Field::new("from", "From, such as 2026-11-25T03:00:00Z", &given.from).required(),
            Field::new("to", "Before, such as 2026-11-26T03:00:00Z", &given.to).required(),
            Field {
                choices: vec![("list", "list what would start"), ("start", "start it")],
                ..Field::new("what", "Do", &given.what)
            },
        ],
        button: "Continue",
        back: Some(format!("{base}/schedules")),
        ..Confirm::new(site.at("schedules"), format!("Backfill {name}?"), action)
    }
}
