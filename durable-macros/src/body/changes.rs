//! Changes of the handler's locals in bodies that a replay skips: by assignment, through `&mut`, or by a method.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{BinOp, Expr, ExprMethodCall, Ident, UnOp};

use super::Lifter;
use super::changing_methods::{
    ADVANCE, CHANGE, CHANGE_AS_STATEMENT, CHANGE_CELL, CHANGE_ONLY, OPEN_CELL, SELECT_PART, UNWRAP,
};
use super::flow::Node;
use super::locals::{Local, Origin};
use crate::rules::Rule;

/// Place expression in a local.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) node: Node,
    /// Whether it is the local itself or the content of its lock, not just a part.
    is_whole: bool,
    /// Whether it is reached through a lock or cell.
    through_lock: bool,
}

/// Use of the value of an expression.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ValueUse {
    Value,
    Awaited,
    /// The expression is a statement.
    Dropped,
}

pub(super) fn is_compound(op: &BinOp) -> bool {
    matches!(
        op,
        BinOp::AddAssign(_)
            | BinOp::SubAssign(_)
            | BinOp::MulAssign(_)
            | BinOp::DivAssign(_)
            | BinOp::RemAssign(_)
            | BinOp::BitXorAssign(_)
            | BinOp::BitAndAssign(_)
            | BinOp::BitOrAssign(_)
            | BinOp::ShlAssign(_)
            | BinOp::ShrAssign(_)
    )
}

impl Lifter<'_> {
    /// The place that `expr` denotes, if it is in a local.
    pub(super) fn place(&self, expr: &Expr) -> Option<Place> {
        let part = |expr| {
            let place = self.place(expr)?;
            let is_whole = false;
            Some(Place { is_whole, ..place })
        };
        match expr {
            Expr::Path(one) => {
                let node = self.flow.resolve(one.path.get_ident()?)?;
                let guard_of = self.flow.local(node).guard_of;
                Some(Place {
                    node: guard_of.unwrap_or(node),
                    is_whole: true,
                    through_lock: guard_of.is_some(),
                })
            }
            Expr::Field(one) => part(&one.base),
            Expr::Index(one) => part(&one.expr),
            Expr::Paren(one) => self.place(&one.expr),
            Expr::Group(one) => self.place(&one.expr),
            Expr::Try(one) => self.place(&one.expr),
            Expr::Await(one) => self.place(&one.base),
            Expr::Unary(one) if matches!(one.op, UnOp::Deref(_)) => self.place(&one.expr),
            Expr::MethodCall(one) => self.place_behind(one),
            _ => None,
        }
    }

    /// The place that a method gives access to.
    fn place_behind(&self, call: &ExprMethodCall) -> Option<Place> {
        let method = call.method.to_string();
        let one_of = |list: &[&str]| list.contains(&method.as_str());
        let place = self.place(&call.receiver)?;
        if one_of(OPEN_CELL) {
            let is_cell = self.flow.local(place.node).contents.cell;
            let through_lock = true;
            (is_cell && place.is_whole).then_some(Place {
                through_lock,
                ..place
            })
        } else if one_of(UNWRAP) {
            Some(place)
        } else {
            let is_whole = false;
            one_of(SELECT_PART).then_some(Place { is_whole, ..place })
        }
    }

    /// The local whose lock guard `value` is.
    pub(super) fn guarded_local(&self, value: &Expr) -> Option<Node> {
        self.place(value)
            .filter(|place| place.through_lock && place.is_whole)
            .map(|place| place.node)
    }

    /// The local of `place`, if it is declared outside of an enclosing body that a replay skips.
    fn changed(&self, place: Place) -> Option<&Local> {
        let (_, since) = self.location.skipped?;
        let local = self.flow.local(place.node);
        (place.node < since && local.origin != Origin::Item).then_some(local)
    }

    /// Refuses an assignment to `expr` or an exclusive borrow of it.
    pub(super) fn refuse_change(&mut self, expr: &Expr, tokens: impl ToTokens) {
        let changed = self.place(expr).and_then(|place| self.changed(place));
        let Some((name, (kind, _))) = changed
            .map(|local| local.name.clone())
            .zip(self.location.skipped)
        else {
            return;
        };
        let message = format!(
            "a replay skips this body, so `{name}` would keep its old value: return the new value from `{}!` and \
             assign it outside",
            kind.name()
        );
        self.refuse(Rule::Mutation, tokens, &message);
    }

    /// Refuses a method that changes a local of the handler.
    pub(super) fn refuse_change_by_method(&mut self, call: &ExprMethodCall, usage: ValueUse) {
        let Some(place) = self.place(&call.receiver) else {
            return;
        };
        let changes = |local: &&Local| {
            usage != ValueUse::Awaited
                && local.origin != Origin::State
                && changes(local, place, call, usage)
        };
        let Some(name) = self
            .changed(place)
            .filter(changes)
            .map(|local| local.name.clone())
        else {
            return;
        };
        let (receiver, dot, method) = (&call.receiver, call.dot_token, &call.method);
        self.refuse_mutating_call(&name, quote!(#receiver #dot #method), method);
    }

    /// Refuses `write!(text, …)` to a `String` of the handler.
    pub(super) fn refuse_write(&mut self, macro_name: &Ident, target: &Expr) {
        let Some(place) = self.place(target).filter(|place| place.is_whole) else {
            return;
        };
        let is_text = |local: &&Local| local.contents.container;
        let changed = self.changed(place).filter(is_text);
        if let Some(name) = changed.map(|local| local.name.clone()) {
            self.refuse_mutating_call(&name, target.to_token_stream(), macro_name);
        }
    }

    fn refuse_mutating_call(&mut self, name: &str, tokens: TokenStream, by: &Ident) {
        let Some((kind, _)) = self.location.skipped else {
            return;
        };
        let message = format!(
            "a replay skips this body, so `{name}` would miss this `{by}`: return the value from `{}!` and change \
             `{name}` outside",
            kind.name()
        );
        self.refuse(Rule::Mutation, tokens, &message);
    }
}

/// Whether `call` changes `local` at `place`.
fn changes(local: &Local, place: Place, call: &ExprMethodCall, usage: ValueUse) -> bool {
    let method = call.method.to_string();
    let one_of = |list: &[&str]| list.contains(&method.as_str());
    // `take` and `replace` of an `Option` or cell. Those of iterators and strings take more arguments.
    let exchanges =
        method == "take" && call.args.is_empty() || method == "replace" && call.args.len() == 1;
    let contents = local.contents;
    let closed = contents.cell && !place.through_lock;
    if place.is_whole && closed && (one_of(CHANGE_CELL) || exchanges) {
        return true;
    }
    if place.is_whole && contents.container && !closed {
        return one_of(CHANGE) || one_of(CHANGE_ONLY) || exchanges;
    }
    if place.is_whole && contents.iterator {
        return one_of(ADVANCE);
    }
    (local.mutable || place.through_lock)
        && (one_of(CHANGE_ONLY) || usage == ValueUse::Dropped && one_of(CHANGE_AS_STATEMENT))
}
