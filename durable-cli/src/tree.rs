//! Operations in the order of their tree.

use std::collections::{HashMap, HashSet};

use durable_core::{OperationId, Record};

use crate::text;

/// Columns of one name in a short path, and of the scopes in it.
const NAME: usize = 40;
const SCOPES: usize = 60;

/// An operation and its place in the tree.
pub(crate) struct Node<'a> {
    pub(crate) record: &'a Record,
    /// The operation as written, with the scopes it is in: `files[a.csv]/parse`.
    pub(crate) path: String,
    /// How many bytes of the path name the scopes.
    pub(crate) scopes: usize,
    /// The same as a table shows it, where long keys and labels are cut: scopes and name.
    pub(crate) short: (String, String),
    /// The lines that lead to it from the operations above.
    pub(crate) guide: String,
    /// The lines that lead past it to the operations below.
    pub(crate) below: String,
}

/// All records, each scope followed by what it holds, siblings in the order they were first written.
pub(crate) fn tree(records: &[Record]) -> Vec<Node<'_>> {
    let known: HashSet<OperationId> = records.iter().map(|record| record.id).collect();
    let mut children: HashMap<OperationId, Vec<&Record>> = HashMap::new();
    for record in records {
        // An operation whose scope is not in the history is shown at the top rather than not at all.
        let parent = match known.contains(&record.parent) {
            true => record.parent,
            false => OperationId::ROOT,
        };
        children.entry(parent).or_default().push(record);
    }
    let mut nodes = Vec::with_capacity(records.len());
    // What is still to be shown, the next one last: operation, path and guide of what it is in.
    let mut open: Vec<Open<'_>> = Vec::new();
    push_children(
        &mut open,
        &mut children,
        OperationId::ROOT,
        &Inside::default(),
    );
    while let Some(next) = open.pop() {
        let mut short_scopes = next.inside.short_scopes.clone();
        let node = next.into_node();
        short_scopes.push(node.short.1.clone());
        let inside = Inside {
            scopes: format!("{}/", node.path),
            short_scopes,
            guide: node.below.clone(),
        };
        push_children(&mut open, &mut children, node.record.id, &inside);
        nodes.push(node);
    }
    nodes
}

/// What is the same for everything in one scope.
#[derive(Clone, Default)]
struct Inside {
    scopes: String,
    short_scopes: Vec<String>,
    guide: String,
}

struct Open<'a> {
    record: &'a Record,
    inside: Inside,
    last: bool,
}

fn push_children<'a>(
    open: &mut Vec<Open<'a>>,
    children: &mut HashMap<OperationId, Vec<&'a Record>>,
    parent: OperationId,
    inside: &Inside,
) {
    let held = children.remove(&parent).unwrap_or_default();
    for (index, record) in held.into_iter().rev().enumerate() {
        open.push(Open {
            record,
            inside: inside.clone(),
            last: index == 0,
        });
    }
}

impl<'a> Open<'a> {
    fn into_node(self) -> Node<'a> {
        let Inside {
            scopes,
            short_scopes,
            guide,
        } = self.inside;
        let (branch, past) = match (scopes.is_empty(), self.last) {
            (true, _) => ("", ""),
            (false, false) => ("├─ ", "│  "),
            (false, true) => ("└─ ", "   "),
        };
        let written = self.record.display_name();
        let name = text::short_name(&text::one_line(&written), NAME);
        Node {
            record: self.record,
            path: format!("{scopes}{written}"),
            scopes: scopes.len(),
            short: (short(&short_scopes), name),
            guide: format!("{guide}{branch}"),
            below: format!("{guide}{past}"),
        }
    }
}

/// The innermost of the scopes that fit, with an ellipsis for those around: the tree shows them.
fn short(scopes: &[String]) -> String {
    let mut columns = 0;
    let fit = scopes.iter().rev().take_while(|name| {
        columns += text::width(name) + 1;
        columns <= SCOPES
    });
    let fit = fit.count();
    let left_out = if fit < scopes.len() { "…/" } else { "" };
    let names = scopes[scopes.len() - fit..].iter();
    names.fold(left_out.to_owned(), |path, name| path + name + "/")
}
