//! Macros of other crates: visits their arguments, and treats some macros by name.

use std::mem;

use quote::ToTokens;
use syn::visit_mut::VisitMut;
use syn::{Expr, Macro};

use super::Lifter;
use super::changes::ValueUse;
use crate::expressions::Expressions;
use crate::hazards;

impl Lifter<'_> {
    pub(super) fn visit_foreign_macro(&mut self, mac: &mut Macro) {
        self.refuse_hazard(hazards::of_macro(&mac.path), &mac.path);
        let Ok(mut arguments) = mac.parse_body::<Expressions>() else {
            mac.tokens = self.lift_tokens(mem::take(&mut mac.tokens));
            return;
        };
        let before = (self.sites.len(), self.flow.verdict_count());
        self.visit_arguments_of_macro(mac, &mut arguments);
        if (self.sites.len(), self.flow.verdict_count()) != before {
            mac.tokens = arguments.into_token_stream();
        }
    }

    fn visit_arguments_of_macro(&mut self, mac: &Macro, arguments: &mut Expressions) {
        let name = mac.path.segments.last().map(|last| last.ident.clone());
        let is = |names: &[&str]| {
            name.as_ref()
                .is_some_and(|name| names.iter().any(|known| name == known))
        };
        // Other macros with the name `join` concatenate strings.
        let of_futures = !arguments
            .items
            .iter()
            .any(|expr| matches!(expr, Expr::Lit(_)));
        if is(&["join", "try_join"]) && of_futures {
            for expr in &mut arguments.items {
                self.visit_awaited(expr, "", |this, operand| {
                    this.visit_used(operand, ValueUse::Awaited);
                });
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
                // In a macro, `name = value` is a named argument, not an assignment.
                Expr::Assign(named) if matches!(&*named.left, Expr::Path(_)) => {
                    self.visit_expr_mut(&mut named.right);
                }
                other => self.visit_expr_mut(other),
            }
        }
    }
}
