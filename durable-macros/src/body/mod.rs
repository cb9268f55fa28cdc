//! Takes the call sites out of the body.
//!
//! Input: `let rows = step!(read(&path).await).await?;`. Output: `let rows = __durable_site!(0).await?;` and a model of
//! site 0. Looks into everything that belongs to the function: nested blocks, loops, closures, async blocks, items,
//! and the arguments of other macros, as expressions where they parse as such and else token by token.

mod attributes;
mod awaits;
mod calls;
mod changes;
mod flow;
mod here;
mod holds;
mod inside;
mod macros;
mod names;
mod tokens;
mod verdicts;
mod visit;

use proc_macro2::{Ident, Literal, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::visit_mut::VisitMut;
use syn::{Attribute, Macro, Path};

use self::flow::{Flow, Sources};
use self::here::Here;
use crate::args::Args;
use crate::function::Function;
use crate::hazards::Hazard;
use crate::rules::{Report, Rule};
use crate::sites::{Call, Kind, Place, Refused, Site};

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
        flow: Flow::default(),
        sites: Vec::new(),
        here,
        gathered: Sources::default(),
        judged: 0,
        refused: 0,
        unit: false,
        report,
    };
    lifter.declare_parameters(function);
    lifter.visit_block_mut(&mut block);
    let Lifter {
        mut flow, sites, ..
    } = lifter;
    // A durable call in a nested item is the graver mistake, and what is awaited may be that item.
    if sites
        .iter()
        .any(|site| site.place.refused == Some(Refused::Item))
    {
        flow.forgive(0);
    }
    flow.finish(report);
    (block.into_token_stream(), sites)
}

struct Lifter<'a> {
    krate: Option<&'a Path>,
    flow: Flow,
    sites: Vec<Site>,
    here: Here,
    /// What the value of the expression being looked at is made from, so far.
    gathered: Sources,
    /// How many things were judged, refused or allowed.
    judged: usize,
    /// How many of them were refused.
    refused: usize,
    /// Whether nothing uses the value of the block that comes next.
    unit: bool,
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

    fn refuse(&mut self, rule: Rule, tokens: impl ToTokens, message: &str) {
        self.judged += 1;
        if !self.here.allowed.contains(&rule) {
            self.refused += 1;
            self.report.add(rule.error(tokens, message));
        }
    }

    fn refuse_hazard(&mut self, hazard: Option<Hazard>, tokens: impl ToTokens) {
        // A helper written inside the function is as much out of sight as one outside; bodies run once.
        let runs_on_replay = !matches!(self.here.refused, Some(Refused::Item | Refused::Body(_)));
        if let Some(hazard) = hazard.filter(|_| runs_on_replay) {
            self.gathered.durable |= hazard.covers_await();
            self.refuse(hazard.rule, tokens, hazard.advice);
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
        self.gather(|this| this.lift_inside(kind, index));
        self.gathered.durable |= kind.is_awaited();
        mac.path = Path::from(Ident::new(PLACEHOLDER, Span::mixed_site()));
        mac.tokens = TokenTree::from(Literal::usize_unsuffixed(index)).into();
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
}

const HASH_ADVICE: &str = "a hash table yields its items in another order on every run, and with it the durable calls: \
                           collect into a sorted `Vec` first, or use a `BTreeMap`";
