//! Changes of the handler's locals in bodies that a replay skips: by assignment, by `&mut`, and by a method.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{BinOp, Expr, ExprMethodCall, Ident, UnOp};

use super::Lifter;
use super::flow::{Local, Node, Origin};
use crate::rules::Rule;

/// Methods that change a container.
const CHANGE: &[&str] = &[
    "push",
    "pop",
    "insert",
    "remove",
    "clear",
    "append",
    "extend",
    "resize",
    "swap",
    "set",
    "fill",
    "reverse",
    "split_off",
    "entry",
    "get_mut",
    "get_or_insert",
    "get_or_insert_with",
    "as_mut",
    "as_deref_mut",
    "put_slice",
    "write_fmt",
    "write_str",
];
/// Methods that change a container, and hardly anything else.
const CHANGE_ONLY: &[&str] = &[
    "push_str",
    "push_back",
    "push_front",
    "pop_back",
    "pop_front",
    "pop_first",
    "pop_last",
    "insert_str",
    "extend_from_slice",
    "resize_with",
    "retain",
    "retain_mut",
    "truncate",
    "dedup",
    "dedup_by",
    "dedup_by_key",
    "drain",
    "swap_remove",
    "sort",
    "sort_by",
    "sort_by_key",
    "sort_by_cached_key",
    "sort_unstable",
    "sort_unstable_by",
    "sort_unstable_by_key",
    "rotate_left",
    "rotate_right",
    "make_ascii_lowercase",
    "make_ascii_uppercase",
    "or_insert",
    "or_insert_with",
    "or_default",
    "and_modify",
    "iter_mut",
    "values_mut",
    "chunks_mut",
    "first_mut",
    "last_mut",
    "split_at_mut",
    "as_mut_slice",
];
/// Those of `CHANGE` that as statements, their result unused, are a container's.
const CHANGE_AS_STATEMENT: &[&str] = &[
    "push", "pop", "insert", "remove", "clear", "append", "extend", "resize", "reverse",
];
/// Methods that change a cell or an atomic.
const CHANGE_CELL: &[&str] = &[
    "set",
    "swap",
    "update",
    "store",
    "compare_exchange",
    "compare_exchange_weak",
    "fetch_add",
    "fetch_sub",
    "fetch_and",
    "fetch_or",
    "fetch_xor",
    "fetch_nand",
    "fetch_max",
    "fetch_min",
    "fetch_update",
    "get_mut",
];
const ADVANCE: &[&str] = &["next", "next_back", "nth", "by_ref", "next_if"];
/// Methods that lead into a cell.
const OPEN: &[&str] = &[
    "lock",
    "try_lock",
    "blocking_lock",
    "write",
    "try_write",
    "borrow_mut",
    "try_borrow_mut",
];
/// Methods that lead to the content of a lock or a `Result`.
const UNWRAP: &[&str] = &["unwrap", "expect", "deref_mut"];
/// Methods that lead to a part of a container.
const PICK: &[&str] = &["as_mut", "get_mut"];

/// The local that a place is part of, and the way to it.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) node: Node,
    /// Whether it is the local itself, or what is behind its lock, and no part of that.
    whole: bool,
    /// Whether the way goes through a lock.
    opened: bool,
}

/// What becomes of the result of a method.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    Value,
    Awaited,
    /// The call is a statement.
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
    /// The local that `expr` is a place in.
    pub(super) fn place(&self, expr: &Expr) -> Option<Place> {
        let part = |expr| {
            let place = self.place(expr)?;
            let whole = false;
            Some(Place { whole, ..place })
        };
        match expr {
            Expr::Path(one) => {
                let node = self.flow.resolve(one.path.get_ident()?)?;
                let guards = self.flow.local(node).guards;
                Some(Place {
                    node: guards.unwrap_or(node),
                    whole: true,
                    opened: guards.is_some(),
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

    /// The same for what a method gives access to.
    fn place_behind(&self, call: &ExprMethodCall) -> Option<Place> {
        let method = call.method.to_string();
        let one_of = |list: &[&str]| list.contains(&method.as_str());
        let place = self.place(&call.receiver)?;
        if one_of(OPEN) {
            let is_cell = self.flow.local(place.node).holds.cell;
            let opened = true;
            (is_cell && place.whole).then_some(Place { opened, ..place })
        } else if one_of(UNWRAP) {
            Some(place)
        } else {
            let whole = false;
            one_of(PICK).then_some(Place { whole, ..place })
        }
    }

    /// The local whose lock `value` holds.
    pub(super) fn guarded_by(&self, value: &Expr) -> Option<Node> {
        self.place(value)
            .filter(|place| place.opened && place.whole)
            .map(|place| place.node)
    }

    /// The local changed at `place`, if the body around is skipped on replay and the local is not its own.
    fn changed(&self, place: Place) -> Option<&Local> {
        let (_, since) = self.here.skipped?;
        let local = self.flow.local(place.node);
        (place.node < since && local.origin != Origin::Item).then_some(local)
    }

    /// Refuses an assignment to `expr` or an exclusive borrow of it.
    pub(super) fn refuse_change(&mut self, expr: &Expr, tokens: impl ToTokens) {
        let changed = self.place(expr).and_then(|place| self.changed(place));
        let Some((name, (kind, _))) = changed
            .map(|local| local.name.clone())
            .zip(self.here.skipped)
        else {
            return;
        };
        let message = format!(
            "a replay does not run this body, so `{name}` would keep its old value: return the new value from \
             `{}!` and assign it outside",
            kind.name()
        );
        self.refuse(Rule::Mutation, tokens, &message);
    }

    /// Refuses a method that changes a local of the handler.
    pub(super) fn refuse_change_by_method(&mut self, call: &ExprMethodCall, usage: Use) {
        let Some(place) = self.place(&call.receiver) else {
            return;
        };
        let changes = |local: &&Local| {
            usage != Use::Awaited
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
        self.refuse_call(&name, quote!(#receiver #dot #method), method);
    }

    /// Refuses `write!(text, …)` to a text of the handler's.
    pub(super) fn refuse_write(&mut self, macro_name: &Ident, target: &Expr) {
        let Some(place) = self.place(target).filter(|place| place.whole) else {
            return;
        };
        let is_text = |local: &&Local| local.holds.container;
        let changed = self.changed(place).filter(is_text);
        if let Some(name) = changed.map(|local| local.name.clone()) {
            self.refuse_call(&name, target.to_token_stream(), macro_name);
        }
    }

    fn refuse_call(&mut self, name: &str, tokens: TokenStream, by: &Ident) {
        let Some((kind, _)) = self.here.skipped else {
            return;
        };
        let message = format!(
            "a replay does not run this body, so `{name}` would miss this `{by}`: return the value from `{}!` and change \
             `{name}` outside",
            kind.name()
        );
        self.refuse(Rule::Mutation, tokens, &message);
    }
}

/// Whether `call` changes `local`, which `place` is part of.
fn changes(local: &Local, place: Place, call: &ExprMethodCall, usage: Use) -> bool {
    let method = call.method.to_string();
    let one_of = |list: &[&str]| list.contains(&method.as_str());
    // `take` and `replace` of an `Option` or a cell; those of iterators and texts take more.
    let exchanges =
        method == "take" && call.args.is_empty() || method == "replace" && call.args.len() == 1;
    let holds = local.holds;
    let closed = holds.cell && !place.opened;
    if place.whole && closed && (one_of(CHANGE_CELL) || exchanges) {
        return true;
    }
    if place.whole && holds.container && !closed {
        return one_of(CHANGE) || one_of(CHANGE_ONLY) || exchanges;
    }
    if place.whole && holds.iterator {
        return one_of(ADVANCE);
    }
    (local.mutable || place.opened)
        && (one_of(CHANGE_ONLY) || usage == Use::Dropped && one_of(CHANGE_AS_STATEMENT))
}
