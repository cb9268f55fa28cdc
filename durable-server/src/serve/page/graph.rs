//! The graph of an execution: an image, and the same as a list.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use durable_core::Kind;

use super::{Site, encoded, html};
use crate::serve::api::{Drawn, Path, draw};
use crate::serve::problem::Problem;
use crate::serve::state::App;
use crate::view::graph::Node;

#[derive(Template)]
#[template(path = "graph.html")]
struct Page {
    site: Site,
    href: String,
    href_api: String,
    id: String,
    handler: String,
    status: &'static str,
    names: bool,
    svg: String,
    lines: Vec<Line>,
}

/// Node in the order of the tree.
struct Line {
    depth: usize,
    kind: &'static str,
    name: String,
    state: &'static str,
    note: String,
}

pub(super) async fn page(
    site: Site,
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let Drawn {
        execution,
        drawing,
        names,
    } = draw(&app, &id).await?;
    let mut lines = Vec::new();
    let nodes = drawing.handlers.iter().flat_map(|handler| &handler.nested);
    nodes.for_each(|node| list(node, 0, &mut lines));
    let id = execution.id.to_string();
    let page = Page {
        href: site.execution(&id),
        href_api: format!("{}/api/executions/{}", site.base, encoded(&id)),
        id,
        status: execution.status.as_str(),
        handler: execution.handler,
        names,
        svg: drawing.inline_svg(),
        lines,
        site: site.at("executions"),
    };
    Ok(html(&page))
}

fn list(node: &Node, depth: usize, lines: &mut Vec<Line>) {
    lines.push(Line {
        depth: depth.min(6),
        kind: node.kind.map_or("handler", Kind::as_str),
        name: node.title.clone(),
        state: node.state.word(),
        note: node.note.clone(),
    });
    for inner in &node.nested {
        list(inner, depth + 1, lines);
    }
}
