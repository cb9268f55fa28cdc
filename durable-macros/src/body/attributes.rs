//! Attributes of statements: `cfg` and `#[durable(allow(…))]`.

use std::mem;

use syn::{Attribute, Expr, Stmt};

use super::Lifter;
use crate::args::Args;
use crate::cfg::{self, Condition};
use crate::rules::Rule;

impl Lifter<'_> {
    /// Returns the conditions and allowed rules of a statement, and removes our own attributes.
    pub(super) fn take_attributes(
        &mut self,
        attributes: &mut Vec<Attribute>,
    ) -> (Vec<Condition>, Vec<Rule>) {
        let conditions = cfg::conditions(attributes);
        let (ours, others) = mem::take(attributes)
            .into_iter()
            .partition::<Vec<_>, _>(is_ours);
        *attributes = others;
        let allowed = ours
            .iter()
            .flat_map(|one| Args::of_statement(one, self.report).allowed)
            .collect();
        (conditions, allowed)
    }
}

/// The attributes before a statement. In `syn`, those before an expression belong to its leftmost part.
pub(super) fn of_stmt(stmt: &mut Stmt) -> Option<&mut Vec<Attribute>> {
    match stmt {
        Stmt::Local(one) => Some(&mut one.attrs),
        Stmt::Macro(one) => Some(&mut one.attrs),
        Stmt::Expr(expr, _) => of_expr(expr),
        Stmt::Item(_) => None,
    }
}

fn of_expr(expr: &mut Expr) -> Option<&mut Vec<Attribute>> {
    match expr {
        Expr::Assign(one) => of_expr(&mut one.left),
        Expr::Binary(one) => of_expr(&mut one.left),
        Expr::Async(one) => Some(&mut one.attrs),
        Expr::Await(one) => Some(&mut one.attrs),
        Expr::Block(one) => Some(&mut one.attrs),
        Expr::Call(one) => Some(&mut one.attrs),
        Expr::Closure(one) => Some(&mut one.attrs),
        Expr::Field(one) => Some(&mut one.attrs),
        Expr::ForLoop(one) => Some(&mut one.attrs),
        Expr::If(one) => Some(&mut one.attrs),
        Expr::Index(one) => Some(&mut one.attrs),
        Expr::Loop(one) => Some(&mut one.attrs),
        Expr::Macro(one) => Some(&mut one.attrs),
        Expr::Match(one) => Some(&mut one.attrs),
        Expr::MethodCall(one) => Some(&mut one.attrs),
        Expr::Path(one) => Some(&mut one.attrs),
        Expr::Return(one) => Some(&mut one.attrs),
        Expr::Try(one) => Some(&mut one.attrs),
        Expr::Unary(one) => Some(&mut one.attrs),
        Expr::While(one) => Some(&mut one.attrs),
        _ => None,
    }
}

/// Whether `attribute` is `#[durable]`.
pub(super) fn is_ours(attribute: &Attribute) -> bool {
    let path = attribute.path();
    path.is_ident("durable")
        || (path.segments.len() == 2 && path.segments.iter().all(|part| part.ident == "durable"))
}
