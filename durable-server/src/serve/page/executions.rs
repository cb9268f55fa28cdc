//! The list of executions.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use std::collections::BTreeSet;

use super::show::{LabelLink, label_links};
use super::{Site, encoded, html};
use crate::serve::api::{ListQuery, Query, by_status};
use crate::serve::problem::Problem;
use crate::serve::state::App;
use crate::view::json::{Executions, Summary};

/// Executions of a page.
const PAGE: usize = 50;

#[derive(Template)]
#[template(path = "executions.html")]
struct Page {
    site: Site,
    query: ListQuery,
    filtered: bool,
    /// Status, how many, and the listing of them.
    counts: Vec<(&'static str, String, String)>,
    handlers: BTreeSet<String>,
    rows: Vec<Row>,
    first: Option<String>,
    next: Option<String>,
}

struct Row {
    href: String,
    id: String,
    handler: String,
    status: &'static str,
    paused: bool,
    due: Option<String>,
    created: String,
    updated: String,
    operations: u64,
    queue: String,
    queue_href: String,
    labels: Vec<LabelLink>,
}

pub(super) async fn page(
    site: Site,
    State(app): State<App>,
    Query(query): Query<ListQuery>,
) -> Result<Response, Problem> {
    let (filter, limit) = query.clone().filter(PAGE)?;
    let mut executions = app.client.list(filter).await?;
    let more = executions.len() > limit;
    executions.truncate(limit);
    let ids: Vec<_> = executions
        .iter()
        .map(|execution| execution.id.clone())
        .collect();
    let operations = app.client.operation_counts(&ids).await?;
    let listing = Executions::new(&executions, more);
    let counts = app.client.counts(app.options.counted).await?;
    let link = |query: &ListQuery| format!("{}?{}", site.home(), query.text());
    let without_page = ListQuery {
        after: None,
        ..query.clone()
    };
    let of = |status: &str| ListQuery {
        status: Some(status.to_owned()),
        ..without_page.clone()
    };
    let states = by_status(&counts).into_iter();
    let next = listing.executions.last().filter(|_| more).map(|last| {
        link(&ListQuery {
            after: Some(match query.order_text() {
                "newest" => format!("{}/{}", last.created_at, last.id),
                _ => last.id.clone(),
            }),
            ..query.clone()
        })
    });
    let page = Page {
        filtered: {
            let order = None;
            let filter = ListQuery {
                order,
                ..without_page.clone()
            };
            !filter.text().is_empty()
        },
        counts: states
            .map(|(status, count)| (status.as_str(), count, link(&of(status.as_str()))))
            .collect(),
        handlers: counts
            .counts
            .iter()
            .map(|count| count.handler.clone())
            .collect(),
        rows: listing
            .executions
            .iter()
            .zip(operations)
            .map(|(execution, operations)| Row::new(&site, execution, operations))
            .collect(),
        first: query.after.as_ref().map(|_| link(&without_page)),
        next,
        query,
        site: site.clone().at("executions"),
    };
    Ok(html(&page))
}

impl Row {
    fn new(site: &Site, execution: &Summary, operations: u64) -> Self {
        Self {
            operations,
            href: site.execution(&execution.id),
            id: execution.id.clone(),
            handler: execution.handler.clone(),
            status: execution.status,
            paused: execution.paused,
            due: execution.wake_at.clone(),
            created: execution.created_at.clone(),
            updated: execution.updated_at.clone(),
            queue_href: match &execution.queue {
                Some(queue) => format!("{}?queue={}", site.home(), encoded(queue)),
                None => String::new(),
            },
            queue: execution.queue.clone().unwrap_or_default(),
            labels: label_links(site, &execution.labels),
        }
    }
}

impl ListQuery {
    /// The query of a URL.
    fn text(&self) -> String {
        let paused = self.paused.map(|paused| paused.to_string());
        let limit = self.limit.map(|limit| limit.to_string());
        let all = [
            ("status", &self.status),
            ("handler", &self.handler),
            ("queue", &self.queue),
            ("prefix", &self.prefix),
            ("created_from", &self.created_from),
            ("created_before", &self.created_before),
            ("updated_before", &self.updated_before),
            ("labels", &self.labels),
            ("paused", &paused),
            ("order", &self.order),
            ("after", &self.after),
            ("limit", &limit),
        ];
        let given = all.into_iter().filter_map(|(name, value)| {
            let value = value.as_ref().filter(|value| !value.is_empty())?;
            Some(format!("{name}={}", encoded(value)))
        });
        given.collect::<Vec<_>>().join("&")
    }

    fn prefix_text(&self) -> &str {
        self.prefix.as_deref().unwrap_or_default()
    }

    fn handler_text(&self) -> &str {
        self.handler.as_deref().unwrap_or_default()
    }

    fn queue_text(&self) -> &str {
        self.queue.as_deref().unwrap_or_default()
    }

    fn order_text(&self) -> &str {
        self.order.as_deref().unwrap_or_default()
    }

    fn labels_text(&self) -> &str {
        self.labels.as_deref().unwrap_or_default()
    }

    fn status_text(&self) -> &str {
        self.status.as_deref().unwrap_or_default()
    }

    fn started_from_text(&self) -> &str {
        self.created_from.as_deref().unwrap_or_default()
    }

    fn started_before_text(&self) -> &str {
        self.created_before.as_deref().unwrap_or_default()
    }
}
