//! The visitor of the function's body.

use std::mem;

use proc_macro2::Span;
use syn::visit_mut::{self, VisitMut};
use syn::{Block, Expr, ExprCall, ExprMethodCall, Item, Macro, Stmt, parse_quote_spanned};

use super::changes::{ValueUse, is_compound};
use super::location::Location;
use super::{HASH_ADVICE, Lifter, attributes};
use crate::hazards;
use crate::rules::Rule;
use crate::sites::{Forbidden, Kind, Repeat};

impl VisitMut for Lifter<'_> {
    fn visit_block_mut(&mut self, block: &mut Block) {
        let discards_value = mem::take(&mut self.discards_value);
        self.scoped(|this| {
            for stmt in &block.stmts {
                if let Stmt::Item(Item::Fn(function)) = stmt {
                    this.flow.declare_item(&function.sig.ident);
                }
            }
            let last = block.stmts.len();
            for (at, stmt) in block.stmts.iter_mut().enumerate() {
                this.discards_value = discards_value && at + 1 == last;
                this.visit_stmt_mut(stmt);
            }
            this.discards_value = false;
        });
    }

    fn visit_stmt_mut(&mut self, stmt: &mut Stmt) {
        let discards_value = mem::take(&mut self.discards_value);
        let mut stmt_attributes = attributes::of_stmt(stmt).map(mem::take);
        self.with_attributes(stmt_attributes.as_mut(), |this| match &mut *stmt {
            Stmt::Macro(one) => this.visit_site(&mut one.mac, true),
            Stmt::Expr(Expr::Macro(one), Some(_)) => this.visit_site(&mut one.mac, true),
            Stmt::Expr(expr, semicolon) if semicolon.is_some() || discards_value => {
                this.visit_used(expr, ValueUse::Dropped);
            }
            Stmt::Local(local) => this.visit_let(local),
            other => visit_mut::visit_stmt_mut(this, other),
        });
        if let (Some(kept), Some(attributes)) = (stmt_attributes, attributes::of_stmt(stmt)) {
            *attributes = kept;
        }
    }

    fn visit_expr_mut(&mut self, expr: &mut Expr) {
        match expr {
            Expr::Macro(one) => self.visit_site(&mut one.mac, false),
            // A missing `.await` is a common mistake. Add it, so that rustc does not also report that the block is not `Try`.
            Expr::Try(one) if matches!(&*one.expr, Expr::Macro(_)) => {
                let Expr::Macro(site) = &mut *one.expr else {
                    return;
                };
                let is_awaited =
                    Kind::of_path(&site.mac.path, self.krate).is_some_and(Kind::is_awaited);
                self.visit_site(&mut site.mac, true);
                if is_awaited {
                    *one.expr = parse_quote_spanned!(Span::mixed_site()=> #site.await);
                }
            }
            Expr::Path(one) => {
                if let Some(name) = one.path.get_ident() {
                    self.note_use(name);
                }
                self.refuse_hazard(hazards::of_path(&one.path), &one.path);
            }
            Expr::Await(one) => self.visit_await(one),
            other => visit_mut::visit_expr_mut(self, other),
        }
    }

    fn visit_expr_async_mut(&mut self, one: &mut syn::ExprAsync) {
        let inside = self.gather(|this| {
            this.with_location(
                |location| location.concurrent = true,
                |this| this.visit_block_mut(&mut one.block),
            );
        });
        self.gathered.merge(inside);
        // The awaits in the block have been checked where they are.
        self.gathered.durable = true;
    }

    fn visit_expr_closure_mut(&mut self, one: &mut syn::ExprClosure) {
        let (given, itself) = self.flow.add_closure();
        self.gathered.merge(itself);
        self.gathered.durable |= one.asyncness.is_some();
        let change = |location: &mut Location| {
            location.concurrent = true;
            location.repeat = Some(Repeat::Closure);
        };
        self.with_location(change, |this| {
            this.scoped(|this| {
                one.inputs.iter().for_each(|pat| this.declare(pat, &given));
                this.visit_expr_mut(&mut one.body);
            });
        });
    }

    fn visit_expr_let_mut(&mut self, one: &mut syn::ExprLet) {
        let sources = self.gather(|this| this.visit_expr_mut(&mut one.expr));
        self.declare(&one.pat, &sources);
    }

    fn visit_expr_if_mut(&mut self, one: &mut syn::ExprIf) {
        self.scoped(|this| {
            this.visit_expr_mut(&mut one.cond);
            this.discards_value = one.else_branch.is_none();
            this.visit_block_mut(&mut one.then_branch);
        });
        if let Some((_, otherwise)) = &mut one.else_branch {
            self.visit_expr_mut(otherwise);
        }
    }

    fn visit_expr_match_mut(&mut self, one: &mut syn::ExprMatch) {
        let sources = self.gather(|this| this.visit_expr_mut(&mut one.expr));
        for arm in &mut one.arms {
            let mut attributes = mem::take(&mut arm.attrs);
            self.with_attributes(Some(&mut attributes), |this| {
                this.scoped(|this| {
                    this.declare(&arm.pat, &sources);
                    if let Some((_, guard)) = &mut arm.guard {
                        this.visit_expr_mut(guard);
                    }
                    this.visit_expr_mut(&mut arm.body);
                });
            });
            arm.attrs = attributes;
        }
    }

    fn visit_expr_for_loop_mut(&mut self, one: &mut syn::ExprForLoop) {
        let sources = self.gather(|this| this.visit_expr_mut(&mut one.expr));
        let before = self.sites.len();
        self.with_location(
            |location| location.repeat = Some(Repeat::Loop),
            |this| {
                this.scoped(|this| {
                    this.declare(&one.pat, &sources);
                    this.discards_value = true;
                    this.visit_block_mut(&mut one.body);
                });
            },
        );
        if self.sites.len() > before && self.flow.in_hash_order(&one.expr) {
            self.refuse(Rule::HashOrder, &one.expr, HASH_ADVICE);
        }
    }

    fn visit_expr_while_mut(&mut self, one: &mut syn::ExprWhile) {
        self.with_location(
            |location| location.repeat = Some(Repeat::Loop),
            |this| {
                this.scoped(|this| {
                    this.visit_expr_mut(&mut one.cond);
                    this.discards_value = true;
                    this.visit_block_mut(&mut one.body);
                });
            },
        );
    }

    fn visit_expr_loop_mut(&mut self, one: &mut syn::ExprLoop) {
        self.with_location(
            |location| location.repeat = Some(Repeat::Loop),
            |this| {
                this.discards_value = true;
                this.visit_block_mut(&mut one.body);
            },
        );
    }

    fn visit_expr_assign_mut(&mut self, one: &mut syn::ExprAssign) {
        let before = self.judged_count;
        let place = self.gather(|this| this.visit_expr_mut(&mut one.left));
        if self.judged_count == before {
            self.refuse_change(&one.left, &one.left);
        }
        let value = self.gather(|this| this.visit_expr_mut(&mut one.right));
        self.flow.connect_all(&value, &place);
    }

    fn visit_expr_binary_mut(&mut self, one: &mut syn::ExprBinary) {
        let before = self.judged_count;
        self.visit_expr_mut(&mut one.left);
        if is_compound(&one.op) && self.judged_count == before {
            self.refuse_change(&one.left, &one.left);
        }
        self.visit_expr_mut(&mut one.right);
    }

    fn visit_expr_reference_mut(&mut self, one: &mut syn::ExprReference) {
        if one.mutability.is_some() {
            self.refuse_change(&one.expr, &*one);
            self.gathered.lends = true;
        }
        self.visit_expr_mut(&mut one.expr);
    }

    fn visit_expr_call_mut(&mut self, one: &mut ExprCall) {
        self.visit_call(one);
    }

    fn visit_expr_method_call_mut(&mut self, one: &mut ExprMethodCall) {
        self.visit_method(one, ValueUse::Value);
    }

    fn visit_type_path_mut(&mut self, one: &mut syn::TypePath) {
        self.refuse_hazard(hazards::of_type(&one.path), &one.path);
        visit_mut::visit_type_path_mut(self, one);
    }

    fn visit_item_mut(&mut self, item: &mut Item) {
        // A nested durable function is expanded by its own attribute.
        if matches!(item, Item::Fn(function) if function.attrs.iter().any(attributes::is_ours)) {
            return;
        }
        let names = self.flow.hide_names();
        self.gather(|this| {
            this.with_location(
                |location| location.forbidden = Some(Forbidden::Item),
                |this| visit_mut::visit_item_mut(this, item),
            );
        });
        self.flow.restore_names(names);
    }

    fn visit_item_macro_mut(&mut self, _: &mut syn::ItemMacro) {}

    fn visit_macro_mut(&mut self, mac: &mut Macro) {
        self.visit_foreign_macro(mac);
    }
}
