//! Code nested in a call site: items, options, bodies, branches and arms.

use std::mem;

use syn::visit_mut::VisitMut;
use syn::{Expr, Pat};

use super::Lifter;
use super::flow::Sources;
use super::location::Location;
use crate::sites::{Arm, Call, Kind, Place, Site};

impl Lifter<'_> {
    /// Lifts the call sites out of the arguments of site `index`.
    pub(super) fn lift_nested(&mut self, kind: Kind, index: usize) {
        let call = &mut self.sites[index].call;
        let mut items = call.items.take();
        let mut body = call.body.take();
        let mut arms = mem::take(&mut call.arms);
        let mut options = mem::take(&mut call.options);
        let parts = [("undo", Kind::Undo), ("submit", Kind::Submit)]
            .map(|(name, kind)| (kind, name, options.take_body(name)));
        options
            .exprs_mut()
            .for_each(|expr| self.visit_expr_mut(expr));
        let item_sources =
            self.gather(|this| items.iter_mut().for_each(|expr| this.visit_expr_mut(expr)));
        self.sites[index].call.options = options;
        for (part, name, given) in parts {
            match given {
                Some(Ok((pat, body))) => {
                    if part == Kind::Submit {
                        self.add_part(Kind::InnerCallback, "callback", index, None);
                    }
                    self.part(part, name, index, Some(pat), body, &Sources::default());
                }
                Some(Err(error)) => self.sites[index].call.errors.push(error),
                None => {}
            }
        }
        match kind {
            Kind::Map => {
                let binder = self.sites[index].call.binder.take();
                if let Some(body) = body.take() {
                    self.part(Kind::Branch, "item", index, binder, body, &item_sources);
                }
            }
            Kind::Parallel => {
                for body in arms.iter_mut().filter_map(|arm| arm.body.take()) {
                    self.part(Kind::Branch, "branch", index, None, body, &item_sources);
                }
            }
            _ => {
                arms.iter_mut()
                    .for_each(|arm| self.visit_arm(kind, index, arm));
                if let Some(body) = &mut body {
                    let binder = self.sites[index].call.binder.clone();
                    self.visit_body(kind, index, (binder.as_ref(), &item_sources), body);
                }
            }
        }
        let call = &mut self.sites[index].call;
        (call.items, call.body, call.arms) = (items, body, arms);
    }

    /// Visits an arm of a `race!`, which awaits its future.
    fn visit_arm(&mut self, kind: Kind, index: usize, arm: &mut Arm) {
        if let Some(future) = &mut arm.body {
            let visit = |this: &mut Self, future: &mut Expr| {
                this.visit_body(kind, index, (None, &Sources::default()), future);
            };
            if self.sites[index].call.broken.is_none() {
                self.visit_awaited(future, "", visit);
            } else {
                self.gather(|this| visit(this, future));
            }
        }
        self.scoped(|this| {
            if let Some(pat) = &arm.pat {
                this.declare(pat, &Sources::default());
            }
            if let Some(then) = &mut arm.then {
                this.visit_expr_mut(then);
            }
        });
    }

    /// Visits the body of site `index`, which binds `binder` to a value with these sources.
    fn visit_body(
        &mut self,
        kind: Kind,
        index: usize,
        (binder, sources): (Option<&Pat>, &Sources),
        body: &mut Expr,
    ) {
        let (first_local, awaits, sites) = (
            self.flow.next_node(),
            self.flow.verdict_count(),
            self.sites.len(),
        );
        let change = |location: &mut Location| location.enter(kind, index, first_local);
        self.with_location(change, |this| {
            this.scoped(|this| {
                if let Some(binder) = binder {
                    this.declare(binder, sources);
                }
                this.visit_expr_mut(body);
            });
        });
        if kind.is_scope() && self.is_recorded_whole(index) && !self.has_calls_since(sites) {
            self.flow.accept_awaits_since(awaits);
        }
    }

    /// Whether the outcome of the body of site `index` is recorded.
    fn is_recorded_whole(&self, index: usize) -> bool {
        let call = &self.sites[index].call;
        let is_flat = |parent: usize| self.sites[parent].call.options.flag("flat");
        call.kind.skips_body() && !call.parent.is_some_and(is_flat)
    }

    fn has_calls_since(&self, sites: usize) -> bool {
        self.sites[sites..]
            .iter()
            .any(|site| site.call.kind.is_awaited())
    }

    /// Adds a call site that belongs to `parent`, and visits its body.
    fn part(
        &mut self,
        kind: Kind,
        name: &str,
        parent: usize,
        binder: Option<Pat>,
        body: Expr,
        item_sources: &Sources,
    ) {
        let index = self.add_part(kind, name, parent, binder.clone());
        let mut body = body;
        self.visit_body(kind, index, (binder.as_ref(), item_sources), &mut body);
        self.sites[index].call.body = Some(body);
    }

    fn add_part(&mut self, kind: Kind, name: &str, parent: usize, binder: Option<Pat>) -> usize {
        let index = self.sites.len();
        let outer = &self.sites[parent];
        let mut call = Call::part(kind, name, &outer.call, parent);
        call.binder = binder;
        let place = Place {
            scope: Some(parent),
            concurrent: kind == Kind::Branch,
            forbidden: outer.place.forbidden,
            cfgs: outer.place.cfgs.clone(),
            ..Place::default()
        };
        self.sites.push(Site { call, place });
        self.sites[parent].call.parts.push(index);
        index
    }
}
