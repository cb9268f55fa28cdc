//! Converts the errors at all exits of a body with `?` to the error type of the body.

use quote::quote_spanned;
use syn::visit_mut::{self, VisitMut};
use syn::{Block, Expr, ExprAsync, ExprCall, ExprClosure, ExprReturn, Item, Stmt};

use super::{hidden, located};
use crate::scan;

/// Converts the error at each exit of `body` as `?` converts errors: `{ a()?; b().await }` becomes
/// `{ a()?; Ok(b().await?) }`, and `Err(error)` becomes `Err(error.into())`.
pub(super) fn converted(body: &Expr) -> Expr {
    let mut body = body.clone();
    Returns.visit_expr_mut(&mut body);
    convert(&mut body);
    body
}

struct Returns;

impl VisitMut for Returns {
    fn visit_expr_return_mut(&mut self, one: &mut ExprReturn) {
        visit_mut::visit_expr_return_mut(self, one);
        if let Some(expr) = &mut one.expr {
            convert(expr);
        }
    }
    fn visit_expr_closure_mut(&mut self, _: &mut ExprClosure) {}
    fn visit_expr_async_mut(&mut self, _: &mut ExprAsync) {}
    fn visit_item_mut(&mut self, _: &mut Item) {}
}

fn convert(expr: &mut Expr) {
    match expr {
        Expr::Paren(one) => convert(&mut one.expr),
        Expr::Group(one) => convert(&mut one.expr),
        Expr::Block(one) => convert_block(&mut one.block),
        Expr::Unsafe(one) => convert_block(&mut one.block),
        Expr::If(one) => {
            convert_block(&mut one.then_branch);
            if let Some((_, otherwise)) = &mut one.else_branch {
                convert(otherwise);
            }
        }
        Expr::Match(one) => one.arms.iter_mut().for_each(|arm| convert(&mut arm.body)),
        Expr::Call(call) if is_error(call) => {
            if let Some(error) = call.args.first_mut().filter(|error| has_known_type(error)) {
                let tokens = quote_spanned!(located(&*error)=> __p::body_error(#error));
                *error = Expr::Verbatim(tokens);
            }
        }
        Expr::Await(_) => *expr = with_question_mark(expr),
        Expr::Call(call) if scan::called_function(call).is_some() => {
            *expr = with_question_mark(expr)
        }
        _ => {}
    }
}

fn convert_block(block: &mut Block) {
    if let Some(Stmt::Expr(last, None)) = block.stmts.last_mut() {
        convert(last);
    }
}

fn with_question_mark(expr: &Expr) -> Expr {
    let tried = quote_spanned!(located(expr)=> #expr?);
    Expr::Verbatim(quote_spanned!(hidden()=> ::core::result::Result::Ok(#tried)))
}

fn is_error(call: &ExprCall) -> bool {
    call.args.len() == 1
        && matches!(&*call.func, Expr::Path(function) if function.path.is_ident("Err"))
}

/// Whether the type of `error` is independent of its context, unlike that of `error.into()`.
fn has_known_type(error: &Expr) -> bool {
    match error {
        Expr::MethodCall(one) => one.method != "into",
        Expr::Call(one) => match &*one.func {
            Expr::Path(function) => !scan::is_conversion(&function.path),
            _ => true,
        },
        Expr::Field(_) | Expr::Lit(_) | Expr::Macro(_) => true,
        Expr::Path(_) | Expr::Reference(_) | Expr::Struct(_) => true,
        _ => false,
    }
}
