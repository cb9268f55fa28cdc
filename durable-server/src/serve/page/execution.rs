//! One execution.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use durable_core::store::{Execution, ExecutionStatus};
use durable_core::{Kind, Record, Timestamp};

use super::messages::Inbox;
use super::show::{Fact, LabelLink, ShownError, ShownValue, label_links};
use super::{Site, encoded, html};
use crate::serve::api::{Path, execution_id};
use crate::serve::problem::Problem;
use crate::serve::state::{App, Backend};
use crate::view::json::{ExecutionDetails, Published};
use crate::view::text;

#[derive(Template)]
#[template(path = "execution.html")]
struct Page {
    site: Site,
    href_api: String,
    id: String,
    encoded: String,
    status: &'static str,
    paused: bool,
    cancelling: bool,
    /// What can be done, and where that is confirmed.
    actions: Vec<(String, String)>,
    report: Option<String>,
    /// What to write at a call site so that it answers from the history, where the report says so.
    rename: Option<String>,
    /// What resumes a blocked execution, as a line for a shell.
    paste: String,
    error: Option<ShownError>,
    facts: Vec<Fact>,
    labels: Vec<LabelLink>,
    published: Vec<PublishedRow>,
    inbox: Option<Inbox>,
    values: Vec<ShownValue>,
}

pub(super) async fn page(
    site: Site,
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id = execution_id(&id)?;
    let execution = app.client.describe(&id).await?;
    let records = app.client.history(&id).await?;
    let whole = ExecutionDetails::new(&execution, &records, true);
    let inbox = Inbox::read(&app, id.as_str(), &records).await?;
    let page = Page {
        href_api: format!("{}/api/executions/{}", site.base, encoded(id.as_str())),
        encoded: encoded(id.as_str()),
        status: execution.status.as_str(),
        paused: execution.paused,
        cancelling: execution.cancel && !execution.status.is_terminal(),
        actions: [
            callbacks(&site, &execution, &records),
            actions(&site, &execution, app.backend, inbox.is_some()),
            start_again(&site, app.backend, &whole),
        ]
        .concat(),
        rename: whole.report.as_deref().and_then(rename),
        paste: format!("durable resume {}", quoted(id.as_str())),
        error: whole.error.as_ref().map(ShownError::new),
        facts: facts(&site, &execution, &whole),
        published: Published::of(&records, true)
            .iter()
            .map(PublishedRow::new)
            .collect(),
        inbox: inbox.filter(|inbox| !inbox.rows.is_empty()),
        labels: label_links(&site, &whole.summary.labels),
        values: values(&whole),
        id: id.to_string(),
        report: whole.report,
        site: site.clone().at("executions"),
    };
    Ok(html(&page))
}

/// Value that the execution has published.
struct PublishedRow {
    name: String,
    count: u32,
    at: String,
    /// The value, if it is short.
    short: Option<String>,
    value: ShownValue,
}

impl PublishedRow {
    fn new(published: &Published) -> Self {
        const LONGEST: usize = 120;
        let json = published.value.json.as_ref().map(ToString::to_string);
        Self {
            name: published.name.clone(),
            count: published.count,
            at: published.at.clone(),
            short: json.filter(|text| text.chars().count() <= LONGEST),
            value: ShownValue::new("Value", &published.value),
        }
    }
}

/// The option that a report proposes: ``write `was = "fetch"` at its new call site``.
fn rename(report: &str) -> Option<String> {
    let (_, option) = report.split_once("`was = \"")?;
    let (name, _) = option.split_once("\"`")?;
    Some(format!("was = \"{name}\""))
}

/// An id as one word of a shell.
fn quoted(id: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.:/@+=%,".contains(c);
    match id.chars().all(plain) && !id.starts_with('-') {
        true => id.to_owned(),
        false => format!("-- '{}'", id.replace('\'', r"'\''")),
    }
}

/// Callbacks that the execution waits for.
fn callbacks(site: &Site, execution: &Execution, records: &[Record]) -> Vec<(String, String)> {
    const MOST: usize = 5;
    let waits = |record: &&Record| record.kind == Kind::Callback && !record.status.is_terminal();
    let open = records.iter().filter(waits);
    let open = open.filter(|_| !execution.status.is_terminal());
    let action = |record: &Record| {
        let handle = record.handle.as_deref()?;
        let href = format!("{}/callback?id={}", site.base, encoded(handle));
        Some((format!("Complete {}", record.display_name()), href))
    };
    open.filter_map(action).take(MOST).collect()
}

/// The form that starts the function of a Lambda execution again, with its payload if that is short.
fn start_again(site: &Site, backend: Backend, whole: &ExecutionDetails) -> Vec<(String, String)> {
    const LONGEST: usize = 2000;
    if !backend.is_lambda() {
        return Vec::new();
    }
    let handler = encoded(&whole.summary.handler);
    let input = whole.input.json.as_ref().map(ToString::to_string);
    let input = input.filter(|input| input.len() <= LONGEST);
    let input = input.map_or_else(String::new, |input| format!("&input={}", encoded(&input)));
    let href = format!("{}/start?handler={handler}{input}", site.base);
    vec![("Start again".to_owned(), href)]
}

fn actions(
    site: &Site,
    execution: &Execution,
    backend: Backend,
    messages: bool,
) -> Vec<(String, String)> {
    let status = execution.status;
    let (ended, blocked) = (status.is_terminal(), status == ExecutionStatus::Blocked);
    let again = !backend.is_lambda();
    let all = [
        ("Resume", "resume", execution.paused || blocked),
        ("Pause", "pause", !ended && !execution.paused),
        ("Cancel", "cancel", !ended && !execution.cancel),
        (
            "Retry",
            "retry",
            again && (blocked || ended && status != ExecutionStatus::Continued),
        ),
        ("Fork", "fork", again),
        ("Send a message", "send", messages && !ended),
        ("Remove", "remove", ended),
    ];
    let possible = all.into_iter().filter(|(_, _, possible)| *possible);
    let page = site.execution(execution.id.as_str());
    possible
        .map(|(label, action, _)| (label.to_owned(), format!("{page}/{action}")))
        .collect()
}

fn facts(site: &Site, execution: &Execution, whole: &ExecutionDetails) -> Vec<Fact> {
    let summary = &whole.summary;
    let mut facts = vec![
        Fact::new("Handler", &summary.handler),
        Fact::at("Started", &summary.created_at),
        Fact::at("Updated", &summary.updated_at),
    ];
    if execution.status.is_terminal() {
        let took = execution.updated_at.since(execution.created_at);
        facts.push(Fact::new("Took", text::duration(took)));
    }
    let due = execution.due_at().filter(|due| *due > Timestamp::default());
    if let Some(due) = due.filter(|_| !execution.status.is_settled()) {
        facts.push(Fact::at("Due", &due.to_string()));
    }
    if let Some(queue) = &summary.queue {
        let href = format!("{}?queue={}", site.home(), encoded(queue));
        facts.push(Fact::link("Queue", queue, href));
    }
    if let Some(key) = &summary.key {
        facts.push(Fact::new("Key", key));
    }
    if let Some(priority) = summary.priority.filter(|priority| *priority != 0) {
        facts.push(Fact::new("Priority", priority.to_string()));
    }
    if let Some(parent) = &summary.parent {
        let href = site.execution(&parent.execution);
        facts.push(Fact::link("Started by", &parent.execution, href));
    }
    if let Some(origin) = &summary.forked_from {
        let taken = match origin.records {
            1 => "1 operation".to_owned(),
            count => format!("{count} operations"),
        };
        let text = format!("{}, {taken} taken over", origin.execution);
        let href = site.execution(&origin.execution);
        facts.push(Fact::link("Forked from", text, href));
    }
    if let Some(next) = &summary.next {
        facts.push(Fact::link("Continues as", next, site.execution(next)));
    }
    if let Some(name) = &whole.input_type {
        facts.push(Fact::new("Type of the input", name));
    }
    facts
}

fn values(whole: &ExecutionDetails) -> Vec<ShownValue> {
    let output = whole.output.as_ref();
    let output = output.map(|output| ShownValue::new("Output", output));
    let input = ShownValue::new("Input", &whole.input);
    std::iter::once(input).chain(output).collect()
}
