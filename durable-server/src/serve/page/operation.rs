//! One operation, as a part of the page that is fetched when it is opened.

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use super::show::{Fact, ShownError, ShownValue};
use super::{Site, encoded, html};
use crate::serve::api::{Path, one_operation};
use crate::serve::problem::Problem;
use crate::serve::state::App;
use crate::view::json::Operation;
use crate::view::text;

#[derive(Template)]
#[template(path = "operation.html")]
struct Fragment {
    path: String,
    kind: &'static str,
    status: &'static str,
    secret: bool,
    error: Option<ShownError>,
    facts: Vec<Fact>,
    value: Option<ShownValue>,
    actions: Vec<(&'static str, String)>,
}

pub(super) async fn fragment(
    site: Site,
    State(app): State<App>,
    Path((id, seq)): Path<(String, u64)>,
) -> Result<Response, Problem> {
    let operation = one_operation(&app, &id, seq).await?;
    let open = matches!(operation.status, "started" | "pending");
    let path = encoded(&operation.path);
    let page = site.execution(&id);
    let mut actions = vec![
        ("Retry from here", format!("{page}/retry?operation={path}")),
        ("Fork from here", format!("{page}/fork?operation={path}")),
    ];
    if app.backend.is_lambda() {
        actions.clear();
    }
    let callback = operation.handle.as_deref();
    let callback = callback.filter(|_| open && operation.kind == "callback");
    if let Some(handle) = callback {
        let href = format!("{}/callback?id={}", site.base, encoded(handle));
        actions.insert(0, ("Complete", href));
    }
    let name = if open { "State" } else { "Value" };
    let fragment = Fragment {
        facts: facts(&site, &operation),
        path: operation.path,
        kind: operation.kind,
        status: operation.status,
        secret: operation.secret,
        error: operation.error.as_ref().map(ShownError::new),
        value: operation.value.map(|value| ShownValue::new(name, &value)),
        actions,
    };
    Ok(html(&fragment))
}

fn facts(site: &Site, operation: &Operation) -> Vec<Fact> {
    let mut facts = Vec::new();
    if !operation.source.is_empty() {
        facts.push(Fact::new("Source", &operation.source));
    }
    facts.push(Fact::at("Started", &operation.started_at));
    if let Some(ended) = &operation.ended_at {
        facts.push(Fact::at("Ended", ended));
    }
    if let Some(millis) = operation.duration_ms {
        let took = std::time::Duration::from_millis(millis);
        facts.push(Fact::new("Took", text::duration(took)));
    }
    if let Some(due) = &operation.due_at {
        let attempted = operation.status == "pending" && operation.attempts > 0;
        let name = if attempted { "Next attempt" } else { "Due" };
        facts.push(Fact::at(name, due));
    }
    if let Some(deadline) = &operation.deadline {
        facts.push(Fact::at("Deadline", deadline));
    }
    if operation.attempts > 0 {
        let attempts = match operation.attempts {
            1 => "1".to_owned(),
            many => format!("{many}, of which only the last error is recorded"),
        };
        facts.push(Fact::new("Attempts", attempts));
    }
    if operation.interruptions > 0 {
        let times = operation.interruptions.to_string();
        facts.push(Fact::new("Interruptions", times));
    }
    if let Some(name) = &operation.value_type {
        facts.push(Fact::new("Type", name));
    }
    match &operation.handle {
        Some(child) if operation.kind == "invoke" => {
            facts.push(Fact::link("Execution", child, site.execution(child)));
        }
        Some(callback) if operation.kind == "callback" => {
            facts.push(Fact::new("Callback", callback));
        }
        _ => {}
    }
    facts
}
