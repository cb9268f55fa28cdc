//! Awaits of futures that are not durable calls. Collects the sources of each awaited value for a verdict.

use std::mem;

use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::ToTokens;
use syn::{Expr, ExprAwait, ExprGroup, parse_quote_spanned, token};

use super::changes::ValueUse;
use super::flow::Sources;
use super::{AWAITED, Lifter};
use crate::name;
use crate::rules::Rule;
use crate::sites::{Forbidden, Kind};

/// Length limit of an expression that a message quotes.
const MAX_QUOTED: usize = 50;

impl Lifter<'_> {
    pub(super) fn visit_await(&mut self, one: &mut ExprAwait) {
        self.visit_awaited(&mut one.base, ".await", |this, operand| {
            this.visit_used(operand, ValueUse::Awaited);
        });
    }

    /// Visits the operand of an await: of `.await`, or of a macro such as `join!`, for which `by` is empty.
    pub(super) fn visit_awaited(
        &mut self,
        operand: &mut Expr,
        by: &str,
        visit: impl FnOnce(&mut Self, &mut Expr),
    ) {
        let source = operand.clone();
        let sources = self.gather(|this| visit(this, operand));
        if let Some(number) = self.judge_await(sources, &source, by)
            && may_be_invalid(operand)
        {
            mark(operand, number);
        }
    }

    /// Registers an await of `awaited`. Its output is a plain value, which contains no durable call. Returns the number of
    /// the await, or `None` if it cannot be refused.
    pub(super) fn judge_await(
        &mut self,
        sources: Sources,
        awaited: &Expr,
        by: &str,
    ) -> Option<usize> {
        let is_replayed = !matches!(
            self.location.forbidden,
            Some(Forbidden::Item | Forbidden::Body(_) | Forbidden::Spawned)
        );
        if !is_replayed {
            return None;
        }
        let is_allowed = self.location.allowed.contains(&Rule::ForeignAwait);
        let error =
            (!is_allowed).then(|| Rule::ForeignAwait.error(awaited, self.in_step(awaited, by)));
        let number = self.flow.judge_await(sources, error);
        self.gathered.awaits.insert(number);
        (!is_allowed).then_some(number)
    }

    /// The message that advises to await `awaited` in a step.
    fn in_step(&self, awaited: &Expr, by: &str) -> String {
        let text = source_text(awaited);
        if let Expr::Macro(one) = awaited
            && let Some(kind) = Kind::of_path(&one.mac.path, self.krate)
            && !kind.is_awaited()
        {
            return format!("`{}!` is not awaited: remove `.await`", kind.name());
        }
        let name = match name::callee(awaited) {
            Some(_) => "",
            None => "\"name\", ",
        };
        let key = match self.location.repeat {
            Some(_) => "key = …, ",
            None => "",
        };
        let durable = match awaited {
            Expr::Call(_) => format!("; if it is a durable function, write `call!({text}){by}`"),
            Expr::Macro(_) => {
                "; if it is a renamed macro of `durable`, use its original name, such as `step!`"
                    .to_owned()
            }
            _ => String::new(),
        };
        format!(
            "`{text}` is not a durable call: every replay awaits it again and may get another result; await it in a step, \
             `step!({name}{key}{text}.await){by}`, or in `record!` if it cannot fail{durable}"
        )
    }
}

/// Whether rustc may report further errors in a refused operand: a direct call of a durable function is not a future, and
/// a renamed macro of ours does not compile. Other operands stay, because their types are known.
fn may_be_invalid(operand: &Expr) -> bool {
    match operand {
        Expr::Paren(one) => may_be_invalid(&one.expr),
        Expr::Group(one) => may_be_invalid(&one.expr),
        Expr::Call(call) => matches!(&*call.func, Expr::Path(_)),
        Expr::Macro(_) => true,
        _ => false,
    }
}

/// Marks `operand` as that of the await with this number, so that an error can be printed in its place. The mark is on a
/// group without delimiters, through which later rules still see the operand.
fn mark(operand: &mut Expr, number: usize) {
    let span = first_span(&*operand);
    let name = Ident::new(AWAITED, Span::mixed_site());
    let number = Literal::usize_unsuffixed(number);
    let group = |attrs, expr| {
        Expr::Group(ExprGroup {
            attrs,
            group_token: token::Group { span },
            expr: Box::new(expr),
        })
    };
    let inner = mem::replace(operand, Expr::Verbatim(TokenStream::new()));
    let marked = group(vec![parse_quote_spanned!(span=> #[#name(#number)])], inner);
    *operand = group(Vec::new(), marked);
}

fn first_span(expr: &Expr) -> Span {
    let first = expr.to_token_stream().into_iter().next();
    first.map_or_else(Span::mixed_site, |tree| tree.span())
}

/// The source text of `expr`. Shortened to its last call if it is long or contains a macro, such as another step.
fn source_text(expr: &Expr) -> String {
    let tokens = expr.to_token_stream().to_string();
    let text = tokens.split_whitespace().collect::<Vec<_>>().join(" ");
    let spaced = [("(& ", "(&"), (", & ", ", &"), ("! (", "!(")];
    let text = spaced
        .into_iter()
        .fold(text, |text, (spaced, tight)| text.replace(spaced, tight));
    match name::callee(expr) {
        Some(callee) if text.chars().count() > MAX_QUOTED || text.contains('!') => {
            format!("{callee}(…)")
        }
        _ => text,
    }
}
