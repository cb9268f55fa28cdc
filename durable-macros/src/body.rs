//! Takes the call sites out of the body.
//!
//! Input: `let rows = step!(read(&path).await).await?;`. Output: `let rows = __durable_site!(0).await?;` and a model of
//! site 0. Looks into everything that belongs to the function: nested blocks, loops, closures, async blocks, items,
//! and the arguments of other macros, as expressions where they parse as such and else token by token.

use std::mem;

use proc_macro2::{Group, Ident, Literal, Punct, Spacing, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::visit_mut::{self, VisitMut};
use syn::{Attribute, Expr, ExprCall, ExprMacro, ExprMethodCall, Macro, Pat, Path, Stmt};

use crate::args::{Args, Expressions};
use crate::cfg::{self, Condition};
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

/// What surrounds the code being looked at.
#[derive(Clone, Default)]
struct Here {
    scope: Option<usize>,
    repeat: Option<Repeat>,
    concurrent: bool,
    refused: Option<Refused>,
    cfgs: Vec<Condition>,
    allowed: Vec<Rule>,
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
        let runs_on_replay = !matches!(
            self.here.refused,
            Some(Refused::Item | Refused::Body(Kind::Step | Kind::Record))
        );
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
            unawaited: unawaited && kind.is_recorded(),
        };
        let mut call = Call::parse(kind, mac);
        let mut body = call.body.take();
        let mut options = mem::take(&mut call.options);
        self.sites.push(Site { call, place });
        options
            .exprs_mut()
            .for_each(|expr| self.visit_expr_mut(expr));
        if let Some(body) = &mut body {
            self.inside(
                |here| enter_body(here, kind, index),
                |this| this.visit_expr_mut(body),
            );
            self.refuse_changes(kind, body);
        }
        let site = &mut self.sites[index].call;
        site.options = options;
        site.body = body;
        mac.path = Path::from(Ident::new(PLACEHOLDER, Span::mixed_site()));
        mac.tokens = TokenTree::from(Literal::usize_unsuffixed(index)).into();
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

    /// The conditions and permissions that attributes of a statement give; the permissions are taken off.
    fn take_attributes(&mut self, attributes: &mut Vec<Attribute>) -> (Vec<Condition>, Vec<Rule>) {
        let conditions = cfg::conditions(attributes);
        let is_ours = |one: &Attribute| {
            let path = one.path();
            path.is_ident("durable")
                || (path.segments.len() == 2 && path.segments.iter().all(|s| s.ident == "durable"))
        };
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

    /// Call sites in tokens that are no expressions: `step ! ( … )` wherever it stands.
    fn lift_tokens(&mut self, tokens: TokenStream) -> TokenStream {
        let mut output: Vec<TokenTree> = Vec::new();
        let mut rest = tokens.into_iter().peekable();
        while let Some(tree) = rest.next() {
            let is_bang = |next: &TokenTree| matches!(next, TokenTree::Punct(punct) if punct.as_char() == '!');
            match tree {
                TokenTree::Group(group) => {
                    let content = self.lift_tokens(group.stream());
                    let mut lifted = Group::new(group.delimiter(), content);
                    lifted.set_span(group.span());
                    output.push(lifted.into());
                }
                TokenTree::Ident(name) if rest.peek().is_some_and(is_bang) => {
                    let start = path_start(&output);
                    let path: TokenStream = output[start..]
                        .iter()
                        .cloned()
                        .chain([TokenTree::Ident(name.clone())])
                        .collect();
                    let bang = rest.next();
                    match (self.kind_of(path.clone()), rest.next()) {
                        (Some(kind), Some(TokenTree::Group(group))) => {
                            output.truncate(start);
                            output.extend(self.lift_group(kind, path, group));
                        }
                        (_, next) => {
                            output.push(name.into());
                            output.extend(bang);
                            let next = next.map(TokenStream::from).unwrap_or_default();
                            output.extend(self.lift_tokens(next));
                        }
                    }
                }
                other => output.push(other),
            }
        }
        output.into_iter().collect()
    }

    fn kind_of(&self, path: TokenStream) -> Option<Kind> {
        Kind::of_path(&syn::parse2(path).ok()?, self.krate)
    }

    fn lift_group(&mut self, kind: Kind, path: TokenStream, group: Group) -> TokenStream {
        let bang = Punct::new('!', Spacing::Alone);
        let tokens = path
            .into_iter()
            .chain([bang.into(), TokenTree::Group(group)])
            .collect();
        let Ok(mut mac) = syn::parse2::<Macro>(tokens) else {
            return TokenStream::new();
        };
        self.lift(kind, &mut mac, false);
        mac.into_token_stream()
    }
}

/// How what is around changes on entering the body of site `index`.
fn enter_body(here: &mut Here, kind: Kind, index: usize) {
    match kind {
        Kind::Step | Kind::Record => here.refused = Some(Refused::Body(kind)),
        Kind::Scope => {
            here.scope = Some(index);
            here.repeat = None;
            here.concurrent = false;
        }
        Kind::Wait | Kind::Call | Kind::Execution => {}
    }
}

/// Where the path that ends `tokens` with `::` begins.
fn path_start(tokens: &[TokenTree]) -> usize {
    let is_colon =
        |tree: &TokenTree| matches!(tree, TokenTree::Punct(punct) if punct.as_char() == ':');
    let mut start = tokens.len();
    while start >= 2 && is_colon(&tokens[start - 1]) && is_colon(&tokens[start - 2]) {
        start -= 2;
        if start >= 1 && matches!(tokens[start - 1], TokenTree::Ident(_)) {
            start -= 1;
        }
    }
    start
}

impl VisitMut for Lifter<'_> {
    fn visit_stmt_mut(&mut self, stmt: &mut Stmt) {
        let mut stmt_attributes = attributes_of_stmt(stmt).map(mem::take);
        self.under(stmt_attributes.as_mut(), |this| match &mut *stmt {
            Stmt::Macro(one) => match Kind::of_path(&one.mac.path, this.krate) {
                Some(kind) => this.lift(kind, &mut one.mac, true),
                None => this.visit_macro_mut(&mut one.mac),
            },
            Stmt::Expr(Expr::Macro(one), Some(_)) => this.visit_unawaited(one),
            Stmt::Local(local) => match (&local.pat, &mut local.init) {
                (Pat::Wild(_), Some(init)) if matches!(&*init.expr, Expr::Macro(_)) => {
                    match &mut *init.expr {
                        Expr::Macro(one) => this.visit_unawaited(one),
                        other => this.visit_expr_mut(other),
                    }
                }
                _ => visit_mut::visit_local_mut(this, local),
            },
            other => visit_mut::visit_stmt_mut(this, other),
        });
        if let (Some(kept), Some(attributes)) = (stmt_attributes, attributes_of_stmt(stmt)) {
            *attributes = kept;
        }
    }

    fn visit_expr_mut(&mut self, expr: &mut Expr) {
        match expr {
            Expr::Macro(one) => match Kind::of_path(&one.mac.path, self.krate) {
                Some(kind) => self.lift(kind, &mut one.mac, false),
                None => self.visit_macro_mut(&mut one.mac),
            },
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

impl Lifter<'_> {
    fn visit_unawaited(&mut self, one: &mut ExprMacro) {
        match Kind::of_path(&one.mac.path, self.krate) {
            Some(kind) => self.lift(kind, &mut one.mac, true),
            None => self.visit_macro_mut(&mut one.mac),
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

/// The attributes that stand before a statement. Before an expression they belong to its leftmost part.
fn attributes_of_stmt(stmt: &mut Stmt) -> Option<&mut Vec<Attribute>> {
    match stmt {
        Stmt::Local(one) => Some(&mut one.attrs),
        Stmt::Macro(one) => Some(&mut one.attrs),
        Stmt::Expr(expr, _) => attributes_of_expr(expr),
        Stmt::Item(_) => None,
    }
}

fn attributes_of_expr(expr: &mut Expr) -> Option<&mut Vec<Attribute>> {
    match expr {
        Expr::Assign(one) => attributes_of_expr(&mut one.left),
        Expr::Binary(one) => attributes_of_expr(&mut one.left),
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
