//! Operations in the order of their tree.

use std::collections::{HashMap, HashSet};

use durable_core::{OperationId, Record};

/// An operation and its place in the tree.
pub(crate) struct Node<'a> {
    pub(crate) record: &'a Record,
    /// The operation as written, with the scopes it is in: `files[a.csv]/parse`.
    pub(crate) path: String,
    /// How many bytes of the path name the scopes.
    pub(crate) scopes: usize,
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
    push_children(&mut open, &mut children, OperationId::ROOT, "", "");
    while let Some(next) = open.pop() {
        let node = next.into_node();
        let inner = format!("{}/", node.path);
        push_children(
            &mut open,
            &mut children,
            node.record.id,
            &inner,
            &node.below,
        );
        nodes.push(node);
    }
    nodes
}

struct Open<'a> {
    record: &'a Record,
    scopes: String,
    guide: String,
    last: bool,
}

fn push_children<'a>(
    open: &mut Vec<Open<'a>>,
    children: &mut HashMap<OperationId, Vec<&'a Record>>,
    parent: OperationId,
    scopes: &str,
    guide: &str,
) {
    let held = children.remove(&parent).unwrap_or_default();
    for (index, record) in held.into_iter().rev().enumerate() {
        open.push(Open {
            record,
            scopes: scopes.to_owned(),
            guide: guide.to_owned(),
            last: index == 0,
        });
    }
}

impl<'a> Open<'a> {
    fn into_node(self) -> Node<'a> {
        let top = self.scopes.is_empty();
        let (branch, past) = match (top, self.last) {
            (true, _) => ("", ""),
            (false, false) => ("├─ ", "│  "),
            (false, true) => ("└─ ", "   "),
        };
        Node {
            record: self.record,
            path: format!("{}{}", self.scopes, self.record.written()),
            scopes: self.scopes.len(),
            guide: format!("{}{branch}", self.guide),
            below: format!("{}{past}", self.guide),
        }
    }
}
