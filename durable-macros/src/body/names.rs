//! Names of locals: their scopes and bindings.

use syn::visit_mut::VisitMut;
use syn::{Expr, Ident, Local, Pat};

use super::Lifter;
use super::flow::Sources;
use super::locals::{Binding, Origin};
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

    /// Runs `visit` in a new scope of names.
    pub(super) fn scoped<R>(&mut self, visit: impl FnOnce(&mut Self) -> R) -> R {
        let depth = self.flow.depth();
        let result = visit(self);
        self.flow.leave_scope(depth);
        result
    }

    /// Declares the names that `pat` binds.
    pub(super) fn declare(&mut self, pat: &Pat, sources: &Sources) {
        self.flow
            .declare(pat, Binding::default(), sources, Origin::Body);
    }

    /// Adds the local `name`, if there is one, to the sources of the visited expression.
    pub(super) fn note_use(&mut self, name: &Ident) {
        if let Some(node) = self.flow.resolve(name) {
            self.gathered.merge(self.flow.sources_of(node));
        }
    }

    pub(super) fn visit_let(&mut self, local: &mut Local) {
        let before = self.judged_count;
        let mut sources = Sources::default();
        let mut guard_of = None;
        if let Some(init) = &mut local.init {
            guard_of = self.guarded_local(&init.expr);
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
        // A refused type usually repeats its value, which has been reported already.
        if self.judged_count == before {
            self.visit_pat_mut(&mut local.pat);
        }
        let value = local.init.as_ref().map(|init| &*init.expr);
        let bound = Binding {
            value,
            guard_of,
            ..Binding::default()
        };
        self.flow.declare(&local.pat, bound, &sources, Origin::Body);
        // The sources of a closure include those of its locals.
        if self.location.concurrent {
            self.gathered.merge(sources);
        }
    }

    /// Refuses a `let mut command = Command::new(program)`, which is a process to be configured.
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
