//! Messages to an execution: the list, and sending one.

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use durable_core::Record;
use durable_core::store::{StoreError, StoreErrorKind};
use serde::Deserialize;

use super::Site;
use super::actions::json;
use super::forms::{Confirm, Field};
use super::show::ShownValue;
use crate::serve::api::{Form, NewMessage, Path, execution_id, send_message};
use crate::serve::problem::Problem;
use crate::serve::state::App;
use crate::view::json::Messages;

/// Messages of the list; the API gives all.
const MOST: usize = 100;

/// Messages to an execution.
pub(super) struct Inbox {
    pub(super) rows: Vec<Row>,
    pub(super) waiting: usize,
    pub(super) received: usize,
    /// Number of earlier messages that are left out.
    pub(super) earlier: usize,
}

pub(super) struct Row {
    pub(super) name: String,
    pub(super) id: String,
    pub(super) sent_at: String,
    /// Name of the operation that received it, or none while it waits.
    pub(super) received_by: Option<String>,
    pub(super) value: ShownValue,
}

impl Inbox {
    /// Reads the messages; none from a store that keeps none.
    pub(super) async fn read(
        app: &App,
        id: &str,
        records: &[Record],
    ) -> Result<Option<Self>, StoreError> {
        match app.client.messages(id).await {
            Ok(messages) => Ok(Some(Self::new(
                Messages::new(&messages, records, true),
                records,
            ))),
            Err(error) if error.kind() == StoreErrorKind::Unsupported => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn new(messages: Messages, records: &[Record]) -> Self {
        let all = messages.messages;
        let received = all.iter().filter(|message| message.received_by.is_some());
        let (received, earlier) = (received.count(), all.len().saturating_sub(MOST));
        let receiver = |seq: u64| {
            let record = records.iter().find(|record| record.seq == seq);
            record.map_or_else(|| format!("operation {seq}"), Record::display_name)
        };
        Self {
            waiting: all.len() - received,
            received,
            earlier,
            rows: all
                .into_iter()
                .skip(earlier)
                .map(|message| Row {
                    value: ShownValue::new("Value", &message.value),
                    name: message.name,
                    id: message.id,
                    sent_at: message.sent_at,
                    received_by: message.received_by.map(receiver),
                })
                .collect(),
        }
    }
}

/// Message of the form.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Given {
    name: String,
    value: String,
    id: String,
}

pub(super) async fn ask(
    site: Site,
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    // A store without messages refuses.
    app.client.messages(execution_id(&id)?.as_str()).await?;
    let given = Given {
        id: format!("page@{}", app.now()),
        ..Given::default()
    };
    Ok(confirm(site, &id, &given).page())
}

pub(super) async fn act(
    site: Site,
    State(app): State<App>,
    Path(id): Path<String>,
    Form(given): Form<Given>,
) -> Response {
    match send(&app, &id, &given).await {
        Ok(()) => Redirect::to(&site.execution(&id)).into_response(),
        Err(problem) => confirm(site, &id, &given).again(&problem),
    }
}

async fn send(app: &App, to: &str, given: &Given) -> Result<(), Problem> {
    let message = NewMessage {
        name: given.name.clone(),
        value: Some(json(&given.value)?),
        id: (!given.id.is_empty()).then(|| given.id.clone()),
    };
    send_message(app, to, message).await
}

fn confirm(site: Site, to: &str, given: &Given) -> Confirm {
    let page = site.execution(to);
    Confirm {
        lines: vec![
            "The next `receive!` of this name receives it. It waits until then, also if the execution has not run yet."
                .to_owned(),
        ],
        fields: vec![
            Field::new("name", "Name of the receive!", &given.name).required(),
            Field::new("value", "Value as JSON; null if empty", &given.value).long(),
            Field::new("id", "Id: an execution takes each id once", &given.id),
        ],
        button: "Send the message",
        back: Some(page.clone()),
        ..Confirm::new(
            site.at("executions"),
            format!("Send a message to {to}?"),
            format!("{page}/send"),
        )
    }
}
