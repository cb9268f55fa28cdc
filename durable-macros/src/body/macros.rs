//! Macros that are not ours: their arguments, where they are expressions, and what is known by name.

use std::mem;

use quote::ToTokens;
use syn::visit_mut::VisitMut;
use syn::{Expr, Macro};

use super::Lifter;
use super::changes::Use;
use crate::args::Expressions;
use crate::hazards;

impl Lifter<'_> {
    pub(super) fn visit_foreign_macro(&mut self, mac: &mut Macro) {
        self.refuse_hazard(hazards::of_macro(&mac.path), &mac.path);
        let Ok(mut arguments) = mac.parse_body::<Expressions>() else {
            mac.tokens = self.lift_tokens(mem::take(&mut mac.tokens));
            return;
        };
        let before = self.sites.len();
        self.visit_arguments_of_macro(mac, &mut arguments);
        if self.sites.len() > before {
            mac.tokens = arguments.into_token_stream();
        }
    }

    fn visit_arguments_of_macro(&mut self, mac: &Macro, arguments: &mut Expressions) {
        let name = mac.path.segments.last().map(|last| last.ident.clone());
        let is = |names: &[&str]| {
            name.as_ref()
                .is_some_and(|name| names.iter().any(|known| name == known))
        };
        // Others that are called `join` put texts together.
        let of_futures = !arguments
            .items
            .iter()
            .any(|expr| matches!(expr, Expr::Lit(_)));
        if is(&["join", "try_join"]) && of_futures {
            for expr in &mut arguments.items {
                let written = expr.clone();
                let sources = self.gather(|this| this.visit_used(expr, Use::Awaited));
                self.judge_await(sources, &written, "");
            }
            return;
        }
        if let Some(name) = name.as_ref().filter(|_| is(&["write", "writeln"]))
            && let Some(target) = arguments.items.first()
        {
            self.refuse_write(name, target);
        }
        let exprs = arguments.items.iter_mut();
        for expr in exprs.chain(arguments.count.as_mut().map(|(_, count)| count)) {
            match expr {
                // `name = value` is an argument's name here, not an assignment.
                Expr::Assign(named) if matches!(&*named.left, Expr::Path(_)) => {
                    self.visit_expr_mut(&mut named.right);
                }
                other => self.visit_expr_mut(other),
            }
        }
    }
}
