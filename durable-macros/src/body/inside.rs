//! What stands inside of a call site: items, options, bodies, branches and arms.

use std::mem;

use syn::visit_mut::VisitMut;
use syn::{Expr, Pat};

use super::Lifter;
use super::flow::Sources;
use super::here::Here;
use crate::sites::{Arm, Call, Kind, Place, Site};

impl Lifter<'_> {
    /// Looks into everything that site `index` was given.
    pub(super) fn lift_inside(&mut self, kind: Kind, index: usize) {
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
        let over = self.gather(|this| items.iter_mut().for_each(|expr| this.visit_expr_mut(expr)));
        self.sites[index].call.options = options;
        for (part, name, given) in parts {
            match given {
                Some(Ok((pat, body))) => {
                    if part == Kind::Submit {
                        self.add_part(Kind::Answer, "callback", index, None);
                    }
                    self.part(part, name, index, Some(pat), body, &Sources::default());
                }
                Some(Err(error)) => self.sites[index].call.wrong.push(error),
                None => {}
            }
        }
        match kind {
            Kind::Map => {
                let binder = self.sites[index].call.binder.take();
                if let Some(body) = body.take() {
                    self.part(Kind::Branch, "item", index, binder, body, &over);
                }
            }
            Kind::Parallel => {
                for body in arms.iter_mut().filter_map(|arm| arm.body.take()) {
                    self.part(Kind::Branch, "branch", index, None, body, &over);
                }
            }
            _ => {
                arms.iter_mut()
                    .for_each(|arm| self.visit_arm(kind, index, arm));
                if let Some(body) = &mut body {
                    let binder = self.sites[index].call.binder.clone();
                    self.visit_body(kind, index, (binder.as_ref(), &over), body);
                }
            }
        }
        let call = &mut self.sites[index].call;
        (call.items, call.body, call.arms) = (items, body, arms);
    }

    /// An arm of a `race!`, which awaits its future.
    fn visit_arm(&mut self, kind: Kind, index: usize, arm: &mut Arm) {
        if let Some(future) = &mut arm.body {
            let (written, is_whole) = (future.clone(), self.sites[index].call.broken.is_none());
            let no_binder = (None, &Sources::default());
            let sources = self.gather(|this| this.visit_body(kind, index, no_binder, future));
            if is_whole {
                self.judge_await(sources, &written, "");
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

    /// The body of site `index`, which binds `binder` to what is made from these sources.
    fn visit_body(
        &mut self,
        kind: Kind,
        index: usize,
        (binder, sources): (Option<&Pat>, &Sources),
        body: &mut Expr,
    ) {
        let (since, awaits, sites) = (self.flow.next(), self.flow.awaits(), self.sites.len());
        let change = |here: &mut Here| here.enter(kind, index, since);
        self.inside(change, |this| {
            this.scoped(|this| {
                if let Some(binder) = binder {
                    this.declare(binder, sources);
                }
                this.visit_expr_mut(body);
            });
        });
        if kind.is_scope() && self.is_recorded_whole(index) && !self.has_calls_since(sites) {
            self.flow.forgive(awaits);
        }
    }

    /// Whether the outcome of the body of site `index` is recorded.
    fn is_recorded_whole(&self, index: usize) -> bool {
        let call = &self.sites[index].call;
        let is_flat = |whole: usize| self.sites[whole].call.options.flag("flat");
        call.kind.skips_body() && !call.part_of.is_some_and(is_flat)
    }

    fn has_calls_since(&self, sites: usize) -> bool {
        self.sites[sites..]
            .iter()
            .any(|site| site.call.kind.is_awaited())
    }

    /// A call site that site `whole` brings along, with its body.
    fn part(
        &mut self,
        kind: Kind,
        name: &str,
        whole: usize,
        binder: Option<Pat>,
        body: Expr,
        over: &Sources,
    ) {
        let index = self.add_part(kind, name, whole, binder.clone());
        let mut body = body;
        self.visit_body(kind, index, (binder.as_ref(), over), &mut body);
        self.sites[index].call.body = Some(body);
    }

    fn add_part(&mut self, kind: Kind, name: &str, whole: usize, binder: Option<Pat>) -> usize {
        let index = self.sites.len();
        let around = &self.sites[whole];
        let mut call = Call::part(kind, name, &around.call, whole);
        call.binder = binder;
        let place = Place {
            scope: Some(whole),
            concurrent: kind == Kind::Branch,
            refused: around.place.refused,
            cfgs: around.place.cfgs.clone(),
            ..Place::default()
        };
        self.sites.push(Site { call, place });
        self.sites[whole].call.parts.push(index);
        index
    }
}
