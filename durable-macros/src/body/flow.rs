//! Which locals may hold a durable call, and how far a name reaches.
//!
//! `let f = step!(…); let all = vec![f]; join_all(all).await` awaits a durable call by way of two locals. Every local is
//! a node, and every place where the value of one may end up in another is an edge. Verdicts wait for the end of the
//! function, since a loop uses what a later line puts into a list. Where a local might hold a durable call it counts as
//! one that does: a rule that misses something is better than one that refuses what is right.

use std::collections::{BTreeSet, HashMap};

use syn::{Expr, Ident, Pat, PatIdent, Type, visit::Visit};

use super::holds::Holds;
use super::verdicts::Verdict;

/// A local, or what the parameters of a closure may be given.
pub(super) type Node = usize;

/// What the value of an expression may be made from.
#[derive(Clone, Default)]
pub(super) struct Sources {
    /// A durable call, or something that another rule has already judged.
    pub(super) durable: bool,
    /// Whether it may be an exclusive borrow, through which its locals change.
    pub(super) lends: bool,
    pub(super) locals: BTreeSet<Node>,
    /// The parameters of the closures in it.
    pub(super) closures: BTreeSet<Node>,
    /// The awaits in it, by number.
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

    /// What is left of it in a value that none of it is in.
    pub(super) fn only_awaits(self) -> Self {
        Self {
            awaits: self.awaits,
            ..Self::default()
        }
    }
}

/// Where a name comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// The shared state, which others change too.
    State,
    /// The input.
    Input,
    /// A binding in the function, or a closure's parameter.
    Inside,
    /// A function written inside this one.
    Item,
}

pub(super) struct Local {
    pub(super) name: String,
    pub(super) origin: Origin,
    pub(super) mutable: bool,
    pub(super) holds: Holds,
    /// The local whose lock this is the guard of.
    pub(super) guards: Option<Node>,
    pub(super) is_closure: bool,
    closures: BTreeSet<Node>,
}

impl Local {
    fn new(name: String, origin: Origin) -> Self {
        Self {
            name,
            origin,
            mutable: false,
            holds: Holds::default(),
            guards: None,
            is_closure: false,
            closures: BTreeSet::new(),
        }
    }
}

/// What a name is bound to.
#[derive(Clone, Copy, Default)]
pub(super) struct Binding<'a> {
    pub(super) ty: Option<&'a Type>,
    pub(super) value: Option<&'a Expr>,
    pub(super) guards: Option<Node>,
}

#[derive(Default)]
pub(super) struct Flow {
    /// Names in reach, the innermost last.
    names: Vec<(String, Node)>,
    locals: Vec<Local>,
    pub(super) edges: HashMap<Node, Vec<Node>>,
    pub(super) durable: BTreeSet<Node>,
    pub(super) verdicts: Vec<Verdict>,
}

impl Flow {
    /// The node that the next name gets.
    pub(super) fn next(&self) -> Node {
        self.locals.len()
    }

    pub(super) fn reach(&self) -> usize {
        self.names.len()
    }

    /// Forgets the names that came into reach since `reach`.
    pub(super) fn leave(&mut self, reach: usize) {
        self.names.truncate(reach);
    }

    /// Hides every name, as an item does from what is inside of it.
    pub(super) fn hide(&mut self) -> Vec<(String, Node)> {
        std::mem::take(&mut self.names)
    }

    pub(super) fn unhide(&mut self, names: Vec<(String, Node)>) {
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

    /// The sources of an expression that is the local `node`.
    pub(super) fn mention(&self, node: Node) -> Sources {
        Sources {
            locals: BTreeSet::from([node]),
            closures: self.locals[node].closures.clone(),
            ..Sources::default()
        }
    }

    /// A node for the parameters of a closure, and the sources that the closure is.
    pub(super) fn closure(&mut self) -> (Sources, Sources) {
        let node = self.add(Local::new(String::new(), Origin::Inside));
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

    /// Brings what `pat` binds into reach.
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
        // `None` in a pattern is no name.
        if name.starts_with(char::is_uppercase) {
            return;
        }
        let closures = sources.closures.clone();
        let node = self.add(Local {
            mutable: one.mutability.is_some() || sources.lends,
            holds: self.holds(bound),
            guards: bound.guards,
            is_closure: matches!(bound.value, Some(Expr::Closure(_))),
            closures,
            ..Local::new(name.clone(), origin)
        });
        self.names.push((name, node));
        self.connect(sources, node);
        if sources.lends || one.by_ref.is_some() {
            self.connect_all(&self.mention(node), sources);
        }
    }

    fn holds(&self, bound: Binding<'_>) -> Holds {
        let by_type = bound.ty.map(Holds::of_type).unwrap_or_default();
        let of_local = |name: &Ident| Some(self.locals[self.resolve(name)?].holds);
        let by_value = bound
            .value
            .map(|value| Holds::of_value(value, &of_local))
            .unwrap_or_default();
        by_type.or(by_value)
    }

    /// Whether `expr` yields the items of a hash table in the table's order.
    pub(super) fn in_hash_order(&self, expr: &Expr) -> bool {
        let of_local = |name: &Ident| Some(self.locals[self.resolve(name)?].holds);
        Holds::in_hash_order(expr, &of_local)
    }

    fn add(&mut self, local: Local) -> Node {
        self.locals.push(local);
        self.locals.len() - 1
    }

    /// Notes that what `sources` stands for may end up in `to`.
    fn connect(&mut self, sources: &Sources, to: Node) {
        // Neither the shared state nor a stored input can hold a future of this run.
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

    /// The same for every local of `to`.
    pub(super) fn connect_all(&mut self, sources: &Sources, to: &Sources) {
        for node in &to.locals {
            self.connect(sources, *node);
        }
    }

    /// Notes that a call brings `parts` together: each closure may be given what the others are.
    pub(super) fn call(&mut self, parts: &[Sources]) {
        for (at, part) in parts.iter().enumerate() {
            let others = parts.iter().enumerate().filter(|(other, _)| *other != at);
            for (_, other) in others {
                for closure in part.closures.clone() {
                    self.connect(other, closure);
                    if other.lends {
                        self.connect_all(&self.mention(closure), other);
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
