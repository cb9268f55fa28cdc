//! Graphs as JSON.

use durable_core::Kind;
use serde::Serialize;

use super::{Drawing, Node};
use crate::view::json::FORMAT;

/// Graph of an execution.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct Graph {
    /// Number of the output format: [`FORMAT`].
    pub format: u32,
    /// `names` if the call sites of the handler are known, and also those ahead are listed; `history` if the graph is
    /// derived from the operations that have run.
    pub source: &'static str,
    /// Nodes at the top level.
    pub nodes: Vec<GraphNode>,
}

/// Call site with the state of its operations.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct GraphNode {
    /// `step`, `wait`, `scope` and so on.
    pub kind: &'static str,
    /// Name; ends with `[key]` or `[turn]` if it runs many times.
    pub name: String,
    /// `ahead`, `cancelled`, `succeeded`, `pending`, `started` or `failed`: the last one in this order among its operations.
    pub state: &'static str,
    /// Number of operations by status, or the status of the only one.
    pub note: String,
    /// Whether the nodes in it run concurrently, not one after the other.
    pub concurrent: bool,
    /// Nodes in it.
    #[cfg_attr(feature = "serve", schema(no_recursion))]
    pub nested: Vec<Self>,
}

impl Graph {
    /// Builds the JSON form of the graph of one execution. `names` says whether it was built from the names of the handler.
    pub fn new(drawing: &Drawing, names: bool) -> Self {
        let nodes = drawing.handlers.iter().flat_map(|handler| &handler.nested);
        Self {
            format: FORMAT,
            source: if names { "names" } else { "history" },
            nodes: nodes.map(GraphNode::new).collect(),
        }
    }
}

impl GraphNode {
    fn new(node: &Node) -> Self {
        Self {
            kind: node.kind.map_or("handler", Kind::as_str),
            name: node.title.clone(),
            state: node.state.word(),
            note: node.note.clone(),
            concurrent: node.concurrent,
            nested: node.nested.iter().map(Self::new).collect(),
        }
    }
}
