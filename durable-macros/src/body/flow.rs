//! Data flow: tracks which locals may contain a durable call.
//!
//! `let f = step!(…); let all = vec![f]; join_all(all).await` awaits a durable call through two locals. Every local is a
//! node. An edge says that the value of one local may end up in another. Verdicts are deferred until the end of the
//! function, because a loop may use a value that a later line puts into a list. A local that may contain a durable call
//! counts as one that does: missing a mistake is better than refusing correct code.

use std::collections::{BTreeSet, HashMap};

use syn::{Expr, Ident, Pat, PatIdent, visit::Visit};

use super::contents::Contents;
use super::locals::{Binding, Local, Origin};
use super::verdicts::Verdict;

/// Index of a local, or of the parameters of a closure taken together.
pub(super) type Node = usize;

/// Sources of the value of an expression: everything it may be made from.
#[derive(Clone, Default)]
pub(super) struct Sources {
    /// Whether they include a durable call, or code that another rule has already refused.
    pub(super) durable: bool,
    /// Whether the value may be an exclusive borrow of its locals.
    pub(super) lends: bool,
    pub(super) locals: BTreeSet<Node>,
    /// The parameters of closures among them.
    pub(super) closures: BTreeSet<Node>,
    /// Numbers of the awaits among them.
    pub(super) awaits: BTreeSet<usize>,
}

impl Sources {
    pub(super) fn merge(&mut self, other: Self) {
        self.durable |= other.durable;
        self.lends |= other.lends;
        self.locals.extend(other.locals);
        self.closures.extend(other.closures);
        self.awaits.extend(other.awaits);
    }

    /// The sources of a value that is computed from these, but contains none of them.
    pub(super) fn only_awaits(self) -> Self {
        Self {
            awaits: self.awaits,
            ..Self::default()
        }
    }
}

#[derive(Default)]
pub(super) struct Flow {
    /// Names in scope, innermost last.
    names: Vec<(String, Node)>,
    locals: Vec<Local>,
    pub(super) edges: HashMap<Node, Vec<Node>>,
    pub(super) durable: BTreeSet<Node>,
    pub(super) verdicts: Vec<Verdict>,
}

impl Flow {
    /// The node of the next local.
    pub(super) fn next_node(&self) -> Node {
        self.locals.len()
    }

    pub(super) fn depth(&self) -> usize {
        self.names.len()
    }

    /// Removes the names declared since `depth`.
    pub(super) fn leave_scope(&mut self, depth: usize) {
        self.names.truncate(depth);
    }

    /// Hides all names, which are not visible inside a nested item.
    pub(super) fn hide_names(&mut self) -> Vec<(String, Node)> {
        std::mem::take(&mut self.names)
    }

    pub(super) fn restore_names(&mut self, names: Vec<(String, Node)>) {
        self.names = names;
    }

    pub(super) fn local(&self, node: Node) -> &Local {
        &self.locals[node]
    }

    pub(super) fn resolve(&self, name: &Ident) -> Option<Node> {
        let name = name.to_string();
        let found = self.names.iter().rev().find(|(known, _)| *known == name);
        found.map(|(_, node)| *node)
    }

    /// The sources of an expression that is just the local `node`.
    pub(super) fn sources_of(&self, node: Node) -> Sources {
        Sources {
            locals: BTreeSet::from([node]),
            closures: self.locals[node].closures.clone(),
            ..Sources::default()
        }
    }

    /// Adds a node for the parameters of a closure. Returns the sources of the parameters and of the closure.
    pub(super) fn add_closure(&mut self) -> (Sources, Sources) {
        let node = self.add(Local::new(String::new(), Origin::Body));
        let given = Sources {
            locals: BTreeSet::from([node]),
            lends: true,
            ..Sources::default()
        };
        let itself = Sources {
            closures: BTreeSet::from([node]),
            ..Sources::default()
        };
        (given, itself)
    }

    pub(super) fn declare_item(&mut self, name: &Ident) {
        let node = self.add(Local::new(name.to_string(), Origin::Item));
        self.names.push((name.to_string(), node));
    }

    /// Declares the names that `pat` binds.
    pub(super) fn declare(
        &mut self,
        pat: &Pat,
        bound: Binding<'_>,
        sources: &Sources,
        origin: Origin,
    ) {
        match (pat, bound.value) {
            (Pat::Type(one), value) => {
                let ty = Some(&*one.ty);
                self.declare(&one.pat, Binding { ty, value, ..bound }, sources, origin);
            }
            (Pat::Tuple(pats), Some(Expr::Tuple(values)))
                if pats.elems.len() == values.elems.len() =>
            {
                for (pat, value) in pats.elems.iter().zip(&values.elems) {
                    let value = Some(value);
                    self.declare(
                        pat,
                        Binding {
                            ty: None,
                            value,
                            ..bound
                        },
                        sources,
                        origin,
                    );
                }
            }
            (Pat::Ident(one), _) if one.subpat.is_none() => {
                self.bind(one, bound, sources, origin);
            }
            _ => {
                let mut names = Idents::default();
                names.visit_pat(pat);
                for one in names.0 {
                    self.bind(one, Binding::default(), sources, origin);
                }
            }
        }
    }

    fn bind(&mut self, one: &PatIdent, bound: Binding<'_>, sources: &Sources, origin: Origin) {
        let name = one.ident.to_string();
        // `None` in a pattern is a variant.
        if name.starts_with(char::is_uppercase) {
            return;
        }
        let closures = sources.closures.clone();
        let node = self.add(Local {
            mutable: one.mutability.is_some() || sources.lends,
            contents: self.contents(bound),
            guard_of: bound.guard_of,
            is_closure: matches!(bound.value, Some(Expr::Closure(_))),
            closures,
            ..Local::new(name.clone(), origin)
        });
        self.names.push((name, node));
        self.connect(sources, node);
        if sources.lends || one.by_ref.is_some() {
            self.connect_all(&self.sources_of(node), sources);
        }
    }

    fn contents(&self, bound: Binding<'_>) -> Contents {
        let by_type = bound.ty.map(Contents::of_type).unwrap_or_default();
        let of_local = |name: &Ident| Some(self.locals[self.resolve(name)?].contents);
        let by_value = bound
            .value
            .map(|value| Contents::of_value(value, &of_local))
            .unwrap_or_default();
        by_type.or(by_value)
    }

    /// Whether `expr` yields the items of a hash table in the table's order.
    pub(super) fn in_hash_order(&self, expr: &Expr) -> bool {
        let of_local = |name: &Ident| Some(self.locals[self.resolve(name)?].contents);
        Contents::in_hash_order(expr, &of_local)
    }

    fn add(&mut self, local: Local) -> Node {
        self.locals.push(local);
        self.locals.len() - 1
    }

    /// Adds edges: a value with these sources may end up in `to`.
    fn connect(&mut self, sources: &Sources, to: Node) {
        // Neither the shared state nor a stored input can contain a future of this run.
        if matches!(self.locals[to].origin, Origin::State | Origin::Input) {
            return;
        }
        if sources.durable {
            self.durable.insert(to);
        }
        for from in &sources.locals {
            self.edges.entry(*from).or_default().push(to);
        }
    }

    /// Adds edges to every local of `to`.
    pub(super) fn connect_all(&mut self, sources: &Sources, to: &Sources) {
        for node in &to.locals {
            self.connect(sources, *node);
        }
    }

    /// Adds the edges of a call with these arguments: each closure may be called with any of the others.
    pub(super) fn connect_arguments(&mut self, parts: &[Sources]) {
        for (at, part) in parts.iter().enumerate() {
            let others = parts.iter().enumerate().filter(|(other, _)| *other != at);
            for (_, other) in others {
                for closure in part.closures.clone() {
                    self.connect(other, closure);
                    if other.lends {
                        self.connect_all(&self.sources_of(closure), other);
                    }
                }
            }
        }
    }
}

/// The names that a pattern binds.
#[derive(Default)]
struct Idents<'ast>(Vec<&'ast PatIdent>);

impl<'ast> Visit<'ast> for Idents<'ast> {
    fn visit_pat_ident(&mut self, one: &'ast PatIdent) {
        self.0.push(one);
        syn::visit::visit_pat_ident(self, one);
    }
}
