//! Tree of operations, in the order in which it is shown.

use std::collections::{HashMap, HashSet};

use durable_core::{OperationId, Record};

use super::text;

/// Maximum columns of one name in a short path, and of all its scopes together.
const MAX_NAME: usize = 40;
const MAX_SCOPES: usize = 60;

/// Operation and its position in the tree.
pub struct Node<'a> {
    /// The operation.
    pub record: &'a Record,
    /// Display name, after those of its scopes: `files[a.csv]/parse`.
    pub path: String,
    /// Length of the scopes in `path`, in bytes.
    pub scopes: usize,
    /// Scopes and name as tables show them, with long keys and labels shortened.
    pub short: (String, String),
    /// Lines of the tree in front of this operation.
    pub guide: String,
    /// Lines of the tree in front of the rows below this operation.
    pub below: String,
}

impl Node<'_> {
    /// Number of scopes it is in.
    pub fn depth(&self) -> usize {
        // Three columns for each.
        self.guide.chars().count() / 3
    }
}

/// Returns the operations of the code: all records but those of published values.
pub fn operations(records: &[Record]) -> impl Iterator<Item = &Record> {
    let is_operation = |record: &&Record| record.published_name().is_none();
    records.iter().filter(is_operation)
}

/// Returns the operations by the scope they are in. One whose scope is not in the history is at the top level.
pub(super) fn by_scope(records: &[Record]) -> HashMap<OperationId, Vec<&Record>> {
    let known: HashSet<OperationId> = records.iter().map(|record| record.id).collect();
    let mut children: HashMap<OperationId, Vec<&Record>> = HashMap::new();
    for record in operations(records) {
        let parent = match known.contains(&record.parent) {
            true => record.parent,
            false => OperationId::ROOT,
        };
        children.entry(parent).or_default().push(record);
    }
    children
}

/// Returns all operations as a tree: each scope is followed by its operations, in the order in which they
/// were first recorded.
pub fn tree(records: &[Record]) -> Vec<Node<'_>> {
    let mut children = by_scope(records);
    let mut nodes = Vec::with_capacity(records.len());
    // Stack of operations that are not in `nodes` yet.
    let mut stack: Vec<Unvisited<'_>> = Vec::new();
    push_children(
        &mut stack,
        &mut children,
        OperationId::ROOT,
        &Scope::default(),
    );
    while let Some(next) = stack.pop() {
        let mut short_names = next.scope.short_names.clone();
        let node = next.into_node();
        short_names.push(node.short.1.clone());
        let scope = Scope {
            path: format!("{}/", node.path),
            short_names,
            guide: node.below.clone(),
        };
        push_children(&mut stack, &mut children, node.record.id, &scope);
        nodes.push(node);
    }
    nodes
}

/// Scope around operations of the tree.
#[derive(Clone, Default)]
struct Scope {
    /// Path of the scope with a slash at its end; empty at the top level.
    path: String,
    short_names: Vec<String>,
    guide: String,
}

/// Operation that is yet to be visited.
struct Unvisited<'a> {
    record: &'a Record,
    scope: Scope,
    is_last: bool,
}

fn push_children<'a>(
    stack: &mut Vec<Unvisited<'a>>,
    children: &mut HashMap<OperationId, Vec<&'a Record>>,
    parent: OperationId,
    scope: &Scope,
) {
    let nested = children.remove(&parent).unwrap_or_default();
    for (index, record) in nested.into_iter().rev().enumerate() {
        stack.push(Unvisited {
            record,
            scope: scope.clone(),
            is_last: index == 0,
        });
    }
}

impl<'a> Unvisited<'a> {
    fn into_node(self) -> Node<'a> {
        let Scope {
            path,
            short_names,
            guide,
        } = self.scope;
        let (branch, past) = match (path.is_empty(), self.is_last) {
            (true, _) => ("", ""),
            (false, false) => ("├─ ", "│  "),
            (false, true) => ("└─ ", "   "),
        };
        let display_name = self.record.display_name();
        let name = text::short_name(&text::one_line(&display_name), MAX_NAME);
        Node {
            record: self.record,
            path: format!("{path}{display_name}"),
            scopes: path.len(),
            short: (short_path(&short_names), name),
            guide: format!("{guide}{branch}"),
            below: format!("{guide}{past}"),
        }
    }
}

/// Joins the innermost scopes that fit. An ellipsis replaces the others, which the tree shows.
fn short_path(scopes: &[String]) -> String {
    let mut columns = 0;
    let fit = scopes.iter().rev().take_while(|name| {
        columns += text::width(name) + 1;
        columns <= MAX_SCOPES
    });
    let fit = fit.count();
    let left_out = if fit < scopes.len() { "…/" } else { "" };
    let names = scopes[scopes.len() - fit..].iter();
    names.fold(left_out.to_owned(), |path, name| path + name + "/")
}
