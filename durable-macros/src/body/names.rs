//! Names: where they come into reach, and what they are bound to.

use syn::visit_mut::VisitMut;
use syn::{Expr, Ident, Local, Pat};

use super::Lifter;
use super::flow::{Binding, Origin, Sources};
use crate::function::{Function, is_reference};
use crate::hazards;

impl Lifter<'_> {
    pub(super) fn declare_parameters(&mut self, function: &Function) {
        for param in function.params() {
            let origin = if is_reference(param) {
                Origin::State
            } else {
                Origin::Input
            };
            let ty = Some(&*param.ty);
            let bound = Binding {
                ty,
                ..Binding::default()
            };
            self.flow
                .declare(&param.pat, bound, &Sources::default(), origin);
        }
    }

    /// Runs `visit`, and forgets the names that it brings into reach.
    pub(super) fn scoped<R>(&mut self, visit: impl FnOnce(&mut Self) -> R) -> R {
        let reach = self.flow.reach();
        let result = visit(self);
        self.flow.leave(reach);
        result
    }

    /// Brings what `pat` binds into reach.
    pub(super) fn declare(&mut self, pat: &Pat, sources: &Sources) {
        self.flow
            .declare(pat, Binding::default(), sources, Origin::Inside);
    }

    /// Notes that a value is made from the local `name`, if it is one.
    pub(super) fn mention(&mut self, name: &Ident) {
        if let Some(node) = self.flow.resolve(name) {
            self.gathered.merge(self.flow.mention(node));
        }
    }

    pub(super) fn visit_let(&mut self, local: &mut Local) {
        let before = self.judged;
        let mut sources = Sources::default();
        let mut guards = None;
        if let Some(init) = &mut local.init {
            guards = self.guarded_by(&init.expr);
            sources = self.gather(|this| match (&local.pat, &mut *init.expr) {
                (Pat::Wild(_), Expr::Macro(one)) => this.visit_site(&mut one.mac, true),
                (pat, value) => {
                    this.visit_expr_mut(value);
                    this.refuse_command(pat, value);
                }
            });
            if let Some((_, otherwise)) = &mut init.diverge {
                self.visit_expr_mut(otherwise);
            }
        }
        // A type that says again what its value is has been refused with that.
        if self.judged == before {
            self.visit_pat_mut(&mut local.pat);
        }
        let value = local.init.as_ref().map(|init| &*init.expr);
        let bound = Binding {
            value,
            guards,
            ..Binding::default()
        };
        self.flow
            .declare(&local.pat, bound, &sources, Origin::Inside);
        // A closure is made from all that is in it.
        if self.here.concurrent {
            self.gathered.merge(sources);
        }
    }

    /// A command of a process that is put together piece by piece.
    fn refuse_command(&mut self, pat: &Pat, value: &Expr) {
        let is_changed = matches!(pat, Pat::Ident(one) if one.mutability.is_some());
        if let Expr::Call(call) = value
            && is_changed
            && !matches!(call.args.first(), Some(Expr::Lit(_)))
        {
            self.refuse_hazard(hazards::of_command(call), &call.func);
        }
    }
}
