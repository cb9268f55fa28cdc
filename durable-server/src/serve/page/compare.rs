//! Two executions side by side.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::{Site, encoded, html};
use crate::serve::api::{Query, execution_id};
use crate::serve::problem::Problem;
use crate::serve::state::App;
use crate::view::text::{duration, truncated};
use crate::view::{Comparison, Pair, Side};

/// Operations of the table; the API gives all.
const MOST: usize = 2000;
/// Columns of a value.
const VALUE: usize = 120;

/// Which executions.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Given {
    left: String,
    right: String,
}

#[derive(Template)]
#[template(path = "compare.html")]
struct Page {
    site: Site,
    left: String,
    right: String,
    problem: Option<String>,
    pairs: Option<Vec<Row>>,
    summary: String,
    more: usize,
    all: String,
}

struct Row {
    verdict: &'static str,
    mark: &'static str,
    depth: usize,
    path: String,
    left: String,
    right: String,
}

pub(super) async fn page(
    site: Site,
    State(app): State<App>,
    Query(given): Query<Given>,
) -> Response {
    let mut page = Page {
        all: format!(
            "{}/api/compare?left={}&right={}",
            site.base,
            encoded(&given.left),
            encoded(&given.right)
        ),
        site: site.at("compare"),
        left: given.left.trim().to_owned(),
        right: given.right.trim().to_owned(),
        problem: None,
        pairs: None,
        summary: String::new(),
        more: 0,
    };
    if !page.left.is_empty() && !page.right.is_empty() {
        match compare(&app, &page.left, &page.right).await {
            Ok(comparison) => page.show(&comparison.pairs),
            Err(problem) => page.problem = Some(problem.detail),
        }
    }
    html(&page)
}

async fn compare(app: &App, left: &str, right: &str) -> Result<Comparison, Problem> {
    let left = app.client.history(&execution_id(left)?).await?;
    let right = app.client.history(&execution_id(right)?).await?;
    Ok(Comparison::new(&left, &right))
}

impl Page {
    fn show(&mut self, pairs: &[Pair]) {
        let count = |verdict| pairs.iter().filter(|pair| pair.verdict == verdict).count();
        self.summary = format!(
            "{} the same, {} different, {} only left, {} only right",
            count("same"),
            count("differs"),
            count("left"),
            count("right")
        );
        self.more = pairs.len().saturating_sub(MOST);
        self.pairs = Some(pairs.iter().take(MOST).map(Row::new).collect());
    }
}

impl Row {
    fn new(pair: &Pair) -> Self {
        Self {
            verdict: pair.verdict,
            mark: match pair.verdict {
                "same" => "=",
                "differs" => "≠",
                "left" => "−",
                _ => "+",
            },
            depth: pair.depth.min(6),
            path: pair.path.clone(),
            left: pair.left.as_ref().map(side).unwrap_or_default(),
            right: pair.right.as_ref().map(side).unwrap_or_default(),
        }
    }
}

fn side(side: &Side) -> String {
    let mut text = side.status.to_owned();
    if side.attempts > 1 {
        text += &format!(", {} attempts", side.attempts);
    }
    if let Some(millis) = side.duration_ms {
        text += &format!(", {}", duration(std::time::Duration::from_millis(millis)));
    }
    let value = side
        .value
        .as_ref()
        .map(|value| match (&value.json, value.hidden) {
            (Some(json), _) => json.to_string(),
            (None, hidden) => format!("({})", hidden.unwrap_or("hidden").replace('_', " ")),
        });
    if let Some(value) = side.error.clone().or(value) {
        text += &format!(": {}", truncated(&value, Some(VALUE)));
    }
    text
}
