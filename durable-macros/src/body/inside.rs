//! What stands inside of a call site: items, options, bodies, branches and arms.

use std::mem;

use syn::visit_mut::VisitMut;
use syn::{Expr, Pat};

use super::Lifter;
use crate::sites::{Call, Kind, Place, Site};

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
            .chain(&mut items)
            .for_each(|expr| self.visit_expr_mut(expr));
        self.sites[index].call.options = options;
        for (part, name, given) in parts {
            match given {
                Some(Ok((pat, body))) => {
                    if part == Kind::Submit {
                        self.add_part(Kind::Answer, "callback", index, None);
                    }
                    self.part(part, name, index, Some(pat), body);
                }
                Some(Err(error)) => self.sites[index].call.wrong.push(error),
                None => {}
            }
        }
        match kind {
            Kind::Map => {
                let binder = self.sites[index].call.binder.take();
                if let Some(body) = body.take() {
                    self.part(Kind::Branch, "item", index, binder, body);
                }
            }
            Kind::Parallel => {
                for body in arms.iter_mut().filter_map(|arm| arm.body.take()) {
                    self.part(Kind::Branch, "branch", index, None, body);
                }
            }
            _ => {
                for arm in &mut arms {
                    if let Some(future) = &mut arm.body {
                        self.visit_body(kind, index, future);
                    }
                    if let Some(then) = &mut arm.then {
                        self.visit_expr_mut(then);
                    }
                }
                if let Some(body) = &mut body {
                    self.visit_body(kind, index, body);
                }
            }
        }
        let call = &mut self.sites[index].call;
        (call.items, call.body, call.arms) = (items, body, arms);
    }

    /// A call site that site `whole` brings along, with its body.
    fn part(&mut self, kind: Kind, name: &str, whole: usize, binder: Option<Pat>, body: Expr) {
        let index = self.add_part(kind, name, whole, binder);
        let mut body = body;
        self.visit_body(kind, index, &mut body);
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
