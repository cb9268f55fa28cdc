//! Read-only looks at a piece of the body: what it binds, changes, jumps out of and propagates.

mod exits;

use std::collections::HashSet;

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::visit::{self, Visit};
use syn::{Expr, Item, Local, Macro, Pat, PatIdent, Type};

use crate::args::Expressions;
use crate::function::{Function, simple_name};

pub(crate) use exits::{jumps_out, only_ends_well, uses_try};

/// Visits the arguments of a macro where they are expressions. What it expands to is out of sight.
fn visit_arguments<'ast>(visitor: &mut impl for<'a> Visit<'a>, mac: &'ast Macro) {
    if let Ok(arguments) = mac.parse_body::<Expressions>() {
        arguments.items.iter().for_each(|expr| match expr {
            // `name = value` is an argument's name here, not an assignment.
            Expr::Assign(named) => visitor.visit_expr(&named.right),
            other => visitor.visit_expr(other),
        });
    }
}

/// The function that `call` calls; none when it builds a variant such as `Ok(…)`.
pub(crate) fn called_function(call: &syn::ExprCall) -> Option<&syn::Ident> {
    let Expr::Path(function) = &*call.func else {
        return None;
    };
    let name = &function.path.segments.last()?.ident;
    (!name.to_string().starts_with(char::is_uppercase)).then_some(name)
}

/// Names that patterns bind, shadowing ignored.
#[derive(Default)]
struct Bound(HashSet<String>);

impl<'ast> Visit<'ast> for Bound {
    fn visit_pat_ident(&mut self, one: &'ast PatIdent) {
        self.0.insert(one.ident.to_string());
        visit::visit_pat_ident(self, one);
    }
    fn visit_item(&mut self, _: &'ast Item) {}
    fn visit_macro(&mut self, mac: &'ast Macro) {
        visit_arguments(self, mac);
    }
}

/// The locals of a function, as far as rules care.
pub(crate) struct Locals {
    bound: HashSet<String>,
    hashed: HashSet<String>,
}

impl Locals {
    pub(crate) fn of(function: &Function) -> Self {
        let mut bound = Bound::default();
        let mut hashed = Hashed::default();
        for param in function.params() {
            bound.visit_pat(&param.pat);
            hashed.note(&param.pat, names_hash_type(&param.ty));
        }
        bound.visit_block(&function.block);
        hashed.visit_block(&function.block);
        Self {
            bound: bound.0,
            hashed: hashed.0,
        }
    }

    /// Places in `body` that change a local bound outside of it: tokens, and the local's name.
    pub(crate) fn changed_in(&self, body: &Expr) -> Vec<(TokenStream, String)> {
        let mut inner = Bound::default();
        inner.visit_expr(body);
        let mut changes = Changes::default();
        changes.visit_expr(body);
        let outer = |(_, name): &(TokenStream, String)| {
            self.bound.contains(name) && !inner.0.contains(name)
        };
        changes.0.into_iter().filter(outer).collect()
    }

    /// Whether `expr` yields the items of a hash table in the table's order.
    pub(crate) fn in_hash_order(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Reference(one) => self.in_hash_order(&one.expr),
            Expr::Paren(one) => self.in_hash_order(&one.expr),
            Expr::Group(one) => self.in_hash_order(&one.expr),
            Expr::MethodCall(one) => {
                KEEP_ORDER.iter().any(|name| one.method == name)
                    && self.in_hash_order(&one.receiver)
            }
            Expr::Path(one) => one
                .path
                .get_ident()
                .is_some_and(|name| self.hashed.contains(&name.to_string())),
            Expr::Call(one) => builds_hash_type(one),
            _ => false,
        }
    }

    pub(crate) fn contains(&self, name: &syn::Ident) -> bool {
        self.bound.contains(&name.to_string())
    }
}

const KEEP_ORDER: [&str; 19] = [
    "iter",
    "iter_mut",
    "into_iter",
    "keys",
    "values",
    "values_mut",
    "into_keys",
    "into_values",
    "drain",
    "clone",
    "map",
    "filter",
    "filter_map",
    "enumerate",
    "take",
    "skip",
    "zip",
    "cloned",
    "copied",
];
const HASH_TYPES: [&str; 2] = ["HashMap", "HashSet"];

fn is_hash_path(path: &syn::Path) -> bool {
    path.segments
        .iter()
        .any(|segment| HASH_TYPES.iter().any(|name| segment.ident == name))
}

fn names_hash_type(ty: &Type) -> bool {
    match ty {
        Type::Path(one) => one
            .path
            .segments
            .last()
            .is_some_and(|last| HASH_TYPES.iter().any(|name| last.ident == name)),
        Type::Reference(one) => names_hash_type(&one.elem),
        _ => false,
    }
}

fn builds_hash_type(call: &syn::ExprCall) -> bool {
    matches!(&*call.func, Expr::Path(function) if is_hash_path(&function.path))
}

fn collects_hash_type(call: &syn::ExprMethodCall) -> bool {
    call.turbofish.as_ref().is_some_and(|types| {
        types
            .args
            .iter()
            .any(|ty| matches!(ty, syn::GenericArgument::Type(ty) if names_hash_type(ty)))
    })
}

/// Names of locals spelled as hash tables, by type or constructor.
#[derive(Default)]
struct Hashed(HashSet<String>);

impl Hashed {
    fn note(&mut self, pat: &Pat, hashed: bool) {
        if let Some(name) = simple_name(pat).filter(|_| hashed) {
            self.0.insert(name.to_string());
        }
    }
}

impl<'ast> Visit<'ast> for Hashed {
    fn visit_local(&mut self, local: &'ast Local) {
        let by_type = matches!(&local.pat, Pat::Type(one) if names_hash_type(&one.ty));
        let by_value = local.init.as_ref().is_some_and(|init| match &*init.expr {
            Expr::Call(call) => builds_hash_type(call),
            Expr::MethodCall(call) => collects_hash_type(call),
            _ => false,
        });
        self.note(&local.pat, by_type || by_value);
        visit::visit_local(self, local);
    }
    fn visit_item(&mut self, _: &'ast Item) {}
}

/// Assignments and `&mut` borrows, with the local at their root.
#[derive(Default)]
struct Changes(Vec<(TokenStream, String)>);

impl Changes {
    fn note(&mut self, place: &Expr, tokens: impl ToTokens) {
        if let Some(root) = root(place) {
            self.0.push((tokens.into_token_stream(), root.to_string()));
        }
    }
}

impl<'ast> Visit<'ast> for Changes {
    fn visit_expr_assign(&mut self, one: &'ast syn::ExprAssign) {
        self.note(&one.left, &one.left);
        visit::visit_expr_assign(self, one);
    }
    fn visit_expr_binary(&mut self, one: &'ast syn::ExprBinary) {
        use syn::BinOp;
        if matches!(
            one.op,
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
        ) {
            self.note(&one.left, &one.left);
        }
        visit::visit_expr_binary(self, one);
    }
    fn visit_expr_reference(&mut self, one: &'ast syn::ExprReference) {
        if one.mutability.is_some() {
            self.note(&one.expr, one);
        }
        visit::visit_expr_reference(self, one);
    }
    fn visit_item(&mut self, _: &'ast Item) {}
    fn visit_macro(&mut self, mac: &'ast Macro) {
        visit_arguments(self, mac);
    }
}

/// The local that the place `expr` is part of.
fn root(expr: &Expr) -> Option<&syn::Ident> {
    match expr {
        Expr::Path(one) => one.path.get_ident(),
        Expr::Field(one) => root(&one.base),
        Expr::Index(one) => root(&one.expr),
        Expr::Paren(one) => root(&one.expr),
        Expr::Group(one) => root(&one.expr),
        Expr::Unary(one) if matches!(one.op, syn::UnOp::Deref(_)) => root(&one.expr),
        _ => None,
    }
}
