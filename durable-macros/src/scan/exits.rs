//! The ways out of a body: `?`, jumps, and the expressions that it ends with.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::visit::{self, Visit};
use syn::{Expr, ExprAsync, ExprClosure, Item, Lifetime, Macro};

use super::visit_arguments;

/// Whether a `?` in `body` leaves it. Ignores closures, async blocks and items, which `?` leaves instead.
pub(crate) fn uses_try(body: &Expr) -> bool {
    #[derive(Default)]
    struct Finder(bool);
    impl<'ast> Visit<'ast> for Finder {
        fn visit_expr_try(&mut self, _: &'ast syn::ExprTry) {
            self.0 = true;
        }
        fn visit_expr_closure(&mut self, _: &'ast ExprClosure) {}
        fn visit_expr_async(&mut self, _: &'ast ExprAsync) {}
        fn visit_item(&mut self, _: &'ast Item) {}
        fn visit_macro(&mut self, mac: &'ast Macro) {
            visit_arguments(self, mac);
        }
    }
    let mut finder = Finder::default();
    finder.visit_expr(body);
    finder.0
}

/// The expressions that `body` evaluates to: operands of `return`, and the last expression of each branch.
pub(crate) fn exit_expressions(body: &Expr) -> Vec<&Expr> {
    #[derive(Default)]
    struct Returns<'ast>(Vec<&'ast Expr>);
    impl<'ast> Visit<'ast> for Returns<'ast> {
        fn visit_expr_return(&mut self, one: &'ast syn::ExprReturn) {
            if let Some(expr) = &one.expr {
                collect_exits(expr, &mut self.0);
            }
            visit::visit_expr_return(self, one);
        }
        fn visit_expr_closure(&mut self, _: &'ast ExprClosure) {}
        fn visit_expr_async(&mut self, _: &'ast ExprAsync) {}
        fn visit_item(&mut self, _: &'ast Item) {}
    }
    let mut returns = Returns::default();
    returns.visit_expr(body);
    collect_exits(body, &mut returns.0);
    returns.0
}

fn collect_exits<'ast>(expr: &'ast Expr, found: &mut Vec<&'ast Expr>) {
    let mut block = |block: &'ast syn::Block| {
        if let Some(syn::Stmt::Expr(last, None)) = block.stmts.last() {
            collect_exits(last, found);
        }
    };
    match expr {
        Expr::Paren(one) => collect_exits(&one.expr, found),
        Expr::Group(one) => collect_exits(&one.expr, found),
        Expr::Block(one) => block(&one.block),
        Expr::Unsafe(one) => block(&one.block),
        Expr::If(one) => {
            block(&one.then_branch);
            if let Some((_, otherwise)) = &one.else_branch {
                collect_exits(otherwise, found);
            }
        }
        Expr::Match(one) => one
            .arms
            .iter()
            .for_each(|arm| collect_exits(&arm.body, found)),
        other => found.push(other),
    }
}

/// Whether `body` names its error type, with `Ok::<_, Error>(…)`, `Err::<_, Error>(…)` or `Result::<_, Error>::Ok(…)`
/// at one of its exits.
pub(crate) fn names_error(body: &Expr) -> bool {
    let names = |function: &syn::ExprPath| {
        function.path.segments.iter().any(|part| {
            let is_result = ["Ok", "Err", "Result"]
                .iter()
                .any(|name| part.ident == name);
            match &part.arguments {
                syn::PathArguments::AngleBracketed(types) if is_result => {
                    types.args.get(1).is_some_and(|error| {
                        !matches!(error, syn::GenericArgument::Type(syn::Type::Infer(_)))
                    })
                }
                _ => false,
            }
        })
    };
    exit_expressions(body).into_iter().any(|end| match end {
        Expr::Call(call) => matches!(&*call.func, Expr::Path(function) if names(function)),
        _ => false,
    })
}

/// Whether every exit of `body` is `Ok(…)`, so that nothing in it determines the error type.
pub(crate) fn always_ends_with_ok(body: &Expr) -> bool {
    fn ends_with_ok(expr: &Expr) -> bool {
        match expr {
            Expr::Call(one) => {
                matches!(&*one.func, Expr::Path(function) if function.path.is_ident("Ok"))
            }
            Expr::Paren(one) => ends_with_ok(&one.expr),
            Expr::Group(one) => ends_with_ok(&one.expr),
            Expr::Block(one) => one.label.is_none() && block_ends_with_ok(&one.block),
            Expr::Unsafe(one) => block_ends_with_ok(&one.block),
            Expr::If(one) => {
                let otherwise = one.else_branch.as_ref();
                block_ends_with_ok(&one.then_branch)
                    && otherwise.is_some_and(|(_, other)| ends_with_ok(other))
            }
            Expr::Match(one) => {
                !one.arms.is_empty() && one.arms.iter().all(|arm| ends_with_ok(&arm.body))
            }
            _ => false,
        }
    }
    fn block_ends_with_ok(block: &syn::Block) -> bool {
        matches!(block.stmts.last(), Some(syn::Stmt::Expr(last, None)) if ends_with_ok(last))
    }
    struct Returns(bool);
    impl<'ast> Visit<'ast> for Returns {
        fn visit_expr_return(&mut self, _: &'ast syn::ExprReturn) {
            self.0 = true;
        }
        fn visit_expr_closure(&mut self, _: &'ast ExprClosure) {}
        fn visit_expr_async(&mut self, _: &'ast ExprAsync) {}
        fn visit_item(&mut self, _: &'ast Item) {}
    }
    let mut returns = Returns(false);
    returns.visit_expr(body);
    ends_with_ok(body) && !returns.0
}

/// Every `break` and `continue` in `body` that targets a loop or block outside of it.
pub(crate) fn outward_jumps(body: &Expr) -> Vec<TokenStream> {
    let mut finder = Jumps::default();
    finder.visit_expr(body);
    finder.found
}

#[derive(Default)]
struct Jumps {
    loops: usize,
    labels: Vec<Lifetime>,
    found: Vec<TokenStream>,
}

impl Jumps {
    fn jump(&mut self, label: Option<&Lifetime>, keyword: impl ToTokens) {
        let stays = label.map_or(self.loops > 0, |label| self.labels.contains(label));
        if !stays {
            let mut tokens = keyword.into_token_stream();
            label.to_tokens(&mut tokens);
            self.found.push(tokens);
        }
    }

    fn nested(&mut self, label: Option<&syn::Label>, is_loop: bool, visit: impl FnOnce(&mut Self)) {
        let known = self.labels.len();
        self.labels.extend(label.map(|label| label.name.clone()));
        self.loops += usize::from(is_loop);
        visit(self);
        self.loops -= usize::from(is_loop);
        self.labels.truncate(known);
    }
}

impl<'ast> Visit<'ast> for Jumps {
    fn visit_expr_break(&mut self, one: &'ast syn::ExprBreak) {
        self.jump(one.label.as_ref(), one.break_token);
        visit::visit_expr_break(self, one);
    }
    fn visit_expr_continue(&mut self, one: &'ast syn::ExprContinue) {
        self.jump(one.label.as_ref(), one.continue_token);
    }
    fn visit_expr_for_loop(&mut self, one: &'ast syn::ExprForLoop) {
        self.visit_expr(&one.expr);
        self.nested(one.label.as_ref(), true, |this| this.visit_block(&one.body));
    }
    fn visit_expr_while(&mut self, one: &'ast syn::ExprWhile) {
        self.nested(one.label.as_ref(), true, |this| {
            visit::visit_expr_while(this, one)
        });
    }
    fn visit_expr_loop(&mut self, one: &'ast syn::ExprLoop) {
        self.nested(one.label.as_ref(), true, |this| {
            visit::visit_expr_loop(this, one)
        });
    }
    fn visit_expr_block(&mut self, one: &'ast syn::ExprBlock) {
        self.nested(one.label.as_ref(), false, |this| {
            visit::visit_expr_block(this, one)
        });
    }
    fn visit_expr_closure(&mut self, _: &'ast ExprClosure) {}
    fn visit_expr_async(&mut self, _: &'ast ExprAsync) {}
    fn visit_item(&mut self, _: &'ast Item) {}
    fn visit_macro(&mut self, mac: &'ast Macro) {
        visit_arguments(self, mac);
    }
}
