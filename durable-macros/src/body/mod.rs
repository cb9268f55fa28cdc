//! Takes the call sites out of the body.
//!
//! Input: `let rows = step!(read(&path).await).await?;`. Output: `let rows = __durable_site!(0).await?;` and a model of
//! site 0. Looks into everything that belongs to the function: nested blocks, loops, closures, async blocks, items,
//! and the arguments of other macros, as expressions where they parse as such and else token by token.

mod attributes;
mod here;
mod inside;
mod tokens;

use std::mem;

use proc_macro2::{Ident, Literal, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::visit_mut::{self, VisitMut};
use syn::{Attribute, Expr, ExprCall, ExprMethodCall, Macro, Pat, Path, Stmt, parse_quote_spanned};

use self::here::Here;
use crate::args::{Args, Expressions};
use crate::function::Function;
use crate::hazards::{self, Hazard};
use crate::rules::{Report, Rule};
use crate::scan::Locals;
use crate::sites::{Call, Kind, Place, Refused, Repeat, Site};

/// Stands for a call site until it is printed.
pub(crate) const PLACEHOLDER: &str = "__durable_site";

/// The function's body without its call sites, and those, numbered as the placeholders are.
pub(crate) fn lift(
    function: &Function,
    args: &Args,
    report: &mut Report,
) -> (TokenStream, Vec<Site>) {
    let mut block = function.block.clone();
    let here = Here {
        allowed: args.allowed.clone(),
        ..Here::default()
    };
    let mut lifter = Lifter {
        krate: args.krate.as_ref(),
        locals: Locals::of(function),
        sites: Vec::new(),
        here,
        report,
    };
    lifter.visit_block_mut(&mut block);
    (block.into_token_stream(), lifter.sites)
}

struct Lifter<'a> {
    krate: Option<&'a Path>,
    locals: Locals,
    sites: Vec<Site>,
    here: Here,
    report: &'a mut Report,
}

impl Lifter<'_> {
    fn inside<R>(
        &mut self,
        change: impl FnOnce(&mut Here),
        visit: impl FnOnce(&mut Self) -> R,
    ) -> R {
        let around = self.here.clone();
        change(&mut self.here);
        let result = visit(self);
        self.here = around;
        result
    }

    /// Whether `visit` came across call sites.
    fn finds_sites(&mut self, visit: impl FnOnce(&mut Self)) -> bool {
        let before = self.sites.len();
        visit(self);
        self.sites.len() > before
    }

    fn refuse(&mut self, rule: Rule, tokens: impl ToTokens, message: &str) {
        if !self.here.allowed.contains(&rule) {
            self.report.add(rule.error(tokens, message));
        }
    }

    fn refuse_hazard(&mut self, hazard: Option<Hazard>, tokens: impl ToTokens) {
        // A helper written inside the function is as much out of sight as one outside; bodies run once.
        let runs_on_replay = !matches!(self.here.refused, Some(Refused::Item | Refused::Body(_)));
        if let Some(Hazard { rule, advice }) = hazard.filter(|_| runs_on_replay) {
            self.refuse(rule, tokens, advice);
        }
    }

    /// Replaces a call site by its placeholder and keeps its model.
    fn lift(&mut self, kind: Kind, mac: &mut Macro, unawaited: bool) {
        let index = self.sites.len();
        let place = Place {
            scope: self.here.scope,
            repeat: self.here.repeat,
            concurrent: self.here.concurrent,
            refused: self.here.refused,
            cfgs: self.here.cfgs.clone(),
            unawaited: unawaited && kind.is_awaited(),
        };
        let call = Call::parse(kind, mac);
        let kind = call.kind;
        self.sites.push(Site { call, place });
        self.lift_inside(kind, index);
        mac.path = Path::from(Ident::new(PLACEHOLDER, Span::mixed_site()));
        mac.tokens = TokenTree::from(Literal::usize_unsuffixed(index)).into();
    }

    fn visit_body(&mut self, kind: Kind, index: usize, body: &mut Expr) {
        self.inside(
            |here| here.enter(kind, index),
            |this| this.visit_expr_mut(body),
        );
        self.refuse_changes(kind, body);
    }

    fn refuse_changes(&mut self, kind: Kind, body: &Expr) {
        if !kind.skips_body() {
            return;
        }
        for (tokens, name) in self.locals.changed_in(body) {
            let message = format!(
                "a replay does not run this body, so `{name}` would keep its old value: return the new value from \
                 `{}!` and assign it outside",
                kind.name()
            );
            self.refuse(Rule::Mutation, tokens, &message);
        }
    }

    fn under(&mut self, attributes: Option<&mut Vec<Attribute>>, visit: impl FnOnce(&mut Self)) {
        let Some(attributes) = attributes.filter(|attributes| !attributes.is_empty()) else {
            return visit(self);
        };
        let (conditions, allowed) = self.take_attributes(attributes);
        let change = |here: &mut Here| {
            here.cfgs.extend(conditions);
            here.allowed.extend(allowed);
        };
        self.inside(change, visit);
    }

    fn visit_site(&mut self, mac: &mut Macro, unawaited: bool) {
        match Kind::of_path(&mac.path, self.krate) {
            Some(kind) => self.lift(kind, mac, unawaited),
            None => self.visit_macro_mut(mac),
        }
    }

    fn visit_arguments_of(
        &mut self,
        spawns: bool,
        arguments: &mut syn::punctuated::Punctuated<Expr, syn::Token![,]>,
    ) -> bool {
        let change = |here: &mut Here| {
            if spawns && here.refused.is_none() {
                here.refused = Some(Refused::Spawned);
            }
        };
        self.finds_sites(|this| {
            this.inside(change, |this| {
                arguments
                    .iter_mut()
                    .for_each(|expr| this.visit_expr_mut(expr))
            });
        })
    }
}

impl VisitMut for Lifter<'_> {
    fn visit_stmt_mut(&mut self, stmt: &mut Stmt) {
        let mut stmt_attributes = attributes::of_stmt(stmt).map(mem::take);
        self.under(stmt_attributes.as_mut(), |this| match &mut *stmt {
            Stmt::Macro(one) => this.visit_site(&mut one.mac, true),
            Stmt::Expr(Expr::Macro(one), Some(_)) => this.visit_site(&mut one.mac, true),
            Stmt::Local(local) => match (&local.pat, &mut local.init) {
                (Pat::Wild(_), Some(init)) if matches!(&*init.expr, Expr::Macro(_)) => {
                    match &mut *init.expr {
                        Expr::Macro(one) => this.visit_site(&mut one.mac, true),
                        other => this.visit_expr_mut(other),
                    }
                }
                _ => visit_mut::visit_local_mut(this, local),
            },
            other => visit_mut::visit_stmt_mut(this, other),
        });
        if let (Some(kept), Some(attributes)) = (stmt_attributes, attributes::of_stmt(stmt)) {
            *attributes = kept;
        }
    }

    fn visit_expr_mut(&mut self, expr: &mut Expr) {
        match expr {
            Expr::Macro(one) => self.visit_site(&mut one.mac, false),
            // The easiest slip. Awaited all the same, or rustc adds that an async block is no `Try`.
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
            Expr::Path(one) => self.refuse_hazard(hazards::of_path(&one.path), &one.path),
            Expr::Async(_) => {
                self.inside(
                    |here| here.concurrent = true,
                    |this| visit_mut::visit_expr_mut(this, expr),
                );
            }
            Expr::Closure(_) => {
                let change = |here: &mut Here| {
                    here.concurrent = true;
                    here.repeat = Some(Repeat::Closure);
                };
                self.inside(change, |this| visit_mut::visit_expr_mut(this, expr));
            }
            other => visit_mut::visit_expr_mut(self, other),
        }
    }

    fn visit_expr_for_loop_mut(&mut self, one: &mut syn::ExprForLoop) {
        self.visit_expr_mut(&mut one.expr);
        let body = &mut one.body;
        let durable = self.finds_sites(|this| {
            this.inside(
                |here| here.repeat = Some(Repeat::Loop),
                |this| this.visit_block_mut(body),
            );
        });
        if durable && self.locals.in_hash_order(&one.expr) {
            self.refuse(Rule::HashOrder, &one.expr, HASH_ADVICE);
        }
    }

    fn visit_expr_while_mut(&mut self, one: &mut syn::ExprWhile) {
        self.inside(
            |here| here.repeat = Some(Repeat::Loop),
            |this| {
                this.visit_expr_mut(&mut one.cond);
                this.visit_block_mut(&mut one.body);
            },
        );
    }

    fn visit_expr_loop_mut(&mut self, one: &mut syn::ExprLoop) {
        self.inside(
            |here| here.repeat = Some(Repeat::Loop),
            |this| this.visit_block_mut(&mut one.body),
        );
    }

    fn visit_expr_call_mut(&mut self, one: &mut ExprCall) {
        let spawns = hazards::spawns(&one.func);
        let spawned = self.visit_arguments_of(spawns, &mut one.args);
        // A durable call in what is spawned is the graver mistake: one report is enough.
        if spawns && spawned {
            return;
        }
        if let Some((path, hazard)) = hazards::of_call(&one.func)
            && path
                .get_ident()
                .is_some_and(|name| !self.locals.contains(name))
        {
            self.refuse_hazard(Some(hazard), path);
        }
        self.visit_expr_mut(&mut one.func);
    }

    fn visit_expr_method_call_mut(&mut self, one: &mut ExprMethodCall) {
        self.visit_expr_mut(&mut one.receiver);
        self.refuse_hazard(hazards::of_method(&one.method), &one.method);
        let durable = self.visit_arguments_of(hazards::spawns_by_name(&one.method), &mut one.args);
        if durable && self.locals.in_hash_order(&one.receiver) {
            self.refuse(Rule::HashOrder, &one.receiver, HASH_ADVICE);
        }
    }

    fn visit_arm_mut(&mut self, arm: &mut syn::Arm) {
        let mut attributes = mem::take(&mut arm.attrs);
        self.under(Some(&mut attributes), |this| {
            visit_mut::visit_arm_mut(this, arm)
        });
        arm.attrs = attributes;
    }

    fn visit_item_mut(&mut self, item: &mut syn::Item) {
        // A durable function written inside this one has an attribute of its own.
        if matches!(item, syn::Item::Fn(function) if function.attrs.iter().any(attributes::is_ours))
        {
            return;
        }
        self.inside(
            |here| here.refused = Some(Refused::Item),
            |this| visit_mut::visit_item_mut(this, item),
        );
    }

    fn visit_item_macro_mut(&mut self, _: &mut syn::ItemMacro) {}

    fn visit_macro_mut(&mut self, mac: &mut Macro) {
        self.refuse_hazard(hazards::of_macro(&mac.path), &mac.path);
        let Ok(mut arguments) = mac.parse_body::<Expressions>() else {
            mac.tokens = self.lift_tokens(mem::take(&mut mac.tokens));
            return;
        };
        let durable = self.finds_sites(|this| {
            arguments
                .items
                .iter_mut()
                .for_each(|expr| this.visit_expr_mut(expr));
            if let Some((_, count)) = &mut arguments.count {
                this.visit_expr_mut(count);
            }
        });
        if durable {
            mac.tokens = arguments.into_token_stream();
        }
    }
}

const HASH_ADVICE: &str = "a hash table yields its items in another order on every run, and with it the durable calls: \
                           collect into a sorted `Vec` first, or use a `BTreeMap`";
