//! Takes the call sites out of the function's body.
//!
//! Input: `let rows = step!(read(&path).await).await?;`. Output: `let rows = __durable_site!(0).await?;` and a model of
//! site 0. Visits everything in the function: blocks, loops, closures, async blocks, items, and the arguments of other
//! macros, as expressions if they parse as such, otherwise token by token.

mod attributes;
mod awaits;
mod calls;
mod changes;
mod changing_methods;
mod contents;
mod flow;
mod foreign_macros;
mod locals;
mod location;
mod names;
mod nested;
mod tokens;
mod verdicts;
mod visit;

use proc_macro2::{Ident, Literal, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::visit_mut::VisitMut;
use syn::{Attribute, Macro, Path};

use self::flow::{Flow, Sources};
use self::location::Location;
use crate::args::Args;
use crate::function::Function;
use crate::hazards::Hazard;
use crate::rules::{Report, Rule};
use crate::sites::{Call, Forbidden, Kind, Place, Site};

/// Macro that is the placeholder of a call site until it is printed.
pub(crate) const PLACEHOLDER: &str = "__durable_site";

/// Attribute that marks the operand of an await until it is printed.
pub(crate) const AWAITED: &str = "__durable_awaited";

/// Returns the function's body with placeholders for its call sites, and the call sites in the order of their numbers.
pub(crate) fn lift(
    function: &Function,
    args: &Args,
    report: &mut Report,
) -> (TokenStream, Vec<Site>) {
    let mut block = function.block.clone();
    let location = Location {
        allowed: args.allowed.clone(),
        ..Location::default()
    };
    let mut lifter = Lifter {
        krate: args.krate.as_ref(),
        flow: Flow::default(),
        sites: Vec::new(),
        location,
        gathered: Sources::default(),
        judged_count: 0,
        refused_count: 0,
        discards_value: false,
        report,
    };
    lifter.declare_parameters(function);
    lifter.visit_block_mut(&mut block);
    let Lifter {
        mut flow, sites, ..
    } = lifter;
    // A durable call in a nested item is the more serious mistake, and the awaited function may be that item.
    if sites
        .iter()
        .any(|site| site.place.forbidden == Some(Forbidden::Item))
    {
        flow.accept_awaits_since(0);
    }
    flow.report(report);
    (block.into_token_stream(), sites)
}

struct Lifter<'a> {
    krate: Option<&'a Path>,
    flow: Flow,
    sites: Vec<Site>,
    location: Location,
    /// Sources of the value of the visited expression, so far.
    gathered: Sources,
    /// Number of hazards and changes found, refused or allowed.
    judged_count: usize,
    /// Number of those that were refused.
    refused_count: usize,
    /// Whether the value of the next block is unused.
    discards_value: bool,
    report: &'a mut Report,
}

impl Lifter<'_> {
    /// Runs `visit` at a changed location.
    fn with_location<R>(
        &mut self,
        change: impl FnOnce(&mut Location),
        visit: impl FnOnce(&mut Self) -> R,
    ) -> R {
        let outer = self.location.clone();
        change(&mut self.location);
        let result = visit(self);
        self.location = outer;
        result
    }

    fn refuse(&mut self, rule: Rule, tokens: impl ToTokens, message: &str) {
        self.judged_count += 1;
        if !self.location.allowed.contains(&rule) {
            self.refused_count += 1;
            self.report.add(rule.error(tokens, message));
        }
    }

    fn refuse_hazard(&mut self, hazard: Option<Hazard>, tokens: impl ToTokens) {
        // Nested items are not checked, like other functions. Bodies are not run again.
        let runs_on_replay = !matches!(
            self.location.forbidden,
            Some(Forbidden::Item | Forbidden::Body(_))
        );
        if let Some(hazard) = hazard.filter(|_| runs_on_replay) {
            self.gathered.durable |= hazard.covers_await();
            self.refuse(hazard.rule, tokens, hazard.advice);
        }
    }

    /// Replaces a call site by its placeholder and keeps its model.
    fn lift(&mut self, kind: Kind, mac: &mut Macro, unawaited: bool) {
        let index = self.sites.len();
        let place = Place {
            scope: self.location.scope,
            repeat: self.location.repeat,
            concurrent: self.location.concurrent,
            forbidden: self.location.forbidden,
            cfgs: self.location.cfgs.clone(),
            unawaited: unawaited && kind.is_awaited(),
        };
        let call = Call::parse(kind, mac);
        let kind = call.kind;
        self.sites.push(Site { call, place });
        self.gather(|this| this.lift_nested(kind, index));
        self.gathered.durable |= kind.is_awaited();
        mac.path = Path::from(Ident::new(PLACEHOLDER, Span::mixed_site()));
        mac.tokens = TokenTree::from(Literal::usize_unsuffixed(index)).into();
    }

    /// Runs `visit` under the `cfg`s and allowed rules of `attributes`.
    fn with_attributes(
        &mut self,
        attributes: Option<&mut Vec<Attribute>>,
        visit: impl FnOnce(&mut Self),
    ) {
        let Some(attributes) = attributes.filter(|attributes| !attributes.is_empty()) else {
            return visit(self);
        };
        let (conditions, allowed) = self.take_attributes(attributes);
        let change = |location: &mut Location| {
            location.cfgs.extend(conditions);
            location.allowed.extend(allowed);
        };
        self.with_location(change, visit);
    }

    fn visit_site(&mut self, mac: &mut Macro, unawaited: bool) {
        match Kind::of_path(&mac.path, self.krate) {
            Some(kind) => self.lift(kind, mac, unawaited),
            None => self.visit_macro_mut(mac),
        }
    }
}

const HASH_ADVICE: &str = "the order of a hash table differs on every run, and so would the order of the durable calls: collect \
                           into a sorted `Vec` first, or use a `BTreeMap`";
