//! The graph of an execution as its history tells it, for a handler whose names are not known.

use std::collections::HashMap;

use durable_core::store::Execution;
use durable_core::{Kind, Occurrence, OperationId, Record};

use super::model::counted;
use super::{Drawing, Node, State};
use crate::view::tree::by_scope;

/// Deepest nesting that is drawn.
const DEEPEST: usize = 16;
/// Most nodes that are drawn.
const MOST: usize = 500;

type Children<'a> = HashMap<OperationId, Vec<&'a Record>>;

impl Drawing {
    /// Builds the graph of what an execution has done, from its history alone: an operation in the order of its first run
    /// for each name, with the operations in it. Operations that ran many times, as in a loop, are one node with their
    /// number. What the execution has not reached is not part of it.
    pub fn of_history(execution: &Execution, records: &[Record]) -> Self {
        let mut children = by_scope(records);
        let top = children.remove(&OperationId::ROOT).unwrap_or_default();
        let mut left = MOST;
        let handler = Node {
            kind: None,
            title: format!("{} ({})", execution.id, execution.handler),
            note: execution.status.as_str().to_owned(),
            state: State::Unknown,
            nested: nodes(&children, &top, 0, &mut left),
            concurrent: false,
        };
        Self {
            handlers: vec![handler],
            is_overlaid: true,
        }
    }
}

/// Builds a node for each name among the records, which are in scopes of the same name.
fn nodes(
    children: &Children<'_>,
    records: &[&Record],
    depth: usize,
    left: &mut usize,
) -> Vec<Node> {
    let mut groups: Vec<Vec<&Record>> = Vec::new();
    let mut places: HashMap<(Kind, &str), usize> = HashMap::new();
    for record in records.iter().copied() {
        let place = *places
            .entry((record.kind, &record.name))
            .or_insert(groups.len());
        match groups.get_mut(place) {
            Some(group) => group.push(record),
            None => groups.push(vec![record]),
        }
    }
    let mut nodes = Vec::new();
    for group in groups {
        let Some(less) = left.checked_sub(1) else {
            break;
        };
        *left = less;
        nodes.extend(node(children, &group, depth, left));
    }
    nodes
}

fn node(
    children: &Children<'_>,
    group: &[&Record],
    depth: usize,
    left: &mut usize,
) -> Option<Node> {
    let first = *group.first()?;
    let suffix = match first.occurrence {
        Occurrence::Once => "",
        Occurrence::Ordered(_) => "[turn]",
        Occurrence::Keyed(_) => "[key]",
    };
    let inner = group.iter().filter_map(|record| children.get(&record.id));
    let inner: Vec<&Record> = inner.flatten().copied().collect();
    let nested = match depth < DEEPEST {
        true => nodes(children, &inner, depth + 1, left),
        false => Vec::new(),
    };
    Some(Node {
        kind: Some(first.kind),
        title: format!("{}{suffix}", first.name),
        note: counted(group),
        state: group
            .iter()
            .map(|record| State::of(record))
            .max()
            .unwrap_or(State::Unknown),
        nested,
        concurrent: matches!(first.kind, Kind::Parallel | Kind::Race),
    })
}

#[cfg(test)]
#[path = "history/tests.rs"]
mod tests;
