//! Calls: what is known by name, what they are given, and where that may end up.

use syn::punctuated::Punctuated;
use syn::visit_mut::VisitMut;
use syn::{Expr, ExprCall, ExprMethodCall, Token};

use super::Lifter;
use super::changes::Use;
use super::flow::Sources;
use super::here::Here;
use crate::hazards::{self, Hazard};
use crate::rules::Rule;
use crate::sites::Refused;

/// Methods that hand out exclusive access to a part of what they are called on.
const LEND: &[&str] = &["entry", "lock", "write", "by_ref", "or_default"];
/// Methods whose result holds nothing of the receiver.
const FORGET: &[&str] = &["len", "is_empty", "capacity"];

/// What a call is given.
struct Given {
    parts: Vec<Sources>,
    /// All that is no closure: a closure is called, and seldom kept.
    kept: Sources,
    /// Whether there are call sites in it.
    durable: bool,
}

impl Given {
    fn all(&self) -> Sources {
        let mut all = Sources::default();
        self.parts.iter().for_each(|part| all.merge(part.clone()));
        all
    }
}

impl Lifter<'_> {
    /// Runs `visit`, and returns what the value of the expression it looks at is made from.
    pub(super) fn gather(&mut self, visit: impl FnOnce(&mut Self)) -> Sources {
        let around = std::mem::take(&mut self.gathered);
        visit(self);
        std::mem::replace(&mut self.gathered, around)
    }

    /// Visits an expression whose value is used as `usage` says.
    pub(super) fn visit_used(&mut self, expr: &mut Expr, usage: Use) {
        match expr {
            Expr::MethodCall(one) => self.visit_method(one, usage),
            other => self.visit_expr_mut(other),
        }
    }

    fn visit_arguments(
        &mut self,
        spawns: bool,
        arguments: &mut Punctuated<Expr, Token![,]>,
    ) -> Given {
        let before = self.sites.len();
        let (mut parts, mut kept) = (Vec::new(), Sources::default());
        for argument in arguments {
            let part = self.gather(|this| {
                let change = |here: &mut Here| {
                    if spawns && here.refused.is_none() {
                        here.refused = Some(Refused::Spawned);
                    }
                };
                this.inside(change, |this| this.visit_expr_mut(argument));
            });
            if !self.is_closure(argument) {
                kept.merge(part.clone());
            }
            parts.push(part);
        }
        let durable = self.sites.len() > before;
        Given {
            parts,
            kept,
            durable,
        }
    }

    fn is_closure(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Closure(_) => true,
            Expr::Path(one) => one
                .path
                .get_ident()
                .and_then(|name| self.flow.resolve(name))
                .is_some_and(|node| self.flow.local(node).is_closure),
            _ => false,
        }
    }

    pub(super) fn visit_call(&mut self, one: &mut ExprCall) {
        let spawns = hazards::spawns(&one.func);
        let awaits = self.flow.awaits();
        let blocked = hazards::blocks_on(&one.func).then(|| one.args.clone());
        let mut given = self.visit_arguments(spawns, &mut one.args);
        // A durable call in what is spawned is the graver mistake: one report is enough.
        if spawns && given.durable {
            self.gathered.durable = true;
            return;
        }
        let refused = self.refused;
        let is_own = hazards::bare_name(one).is_some_and(|name| self.flow.resolve(name).is_some());
        if !is_own {
            self.refuse_call_of(one, &given);
            self.gathered.durable |= hazards::is_harmless(one);
        }
        let function = self.gather(|this| this.visit_expr_mut(&mut one.func));
        if self.refused > refused {
            // Moving the call into a step moves the awaits in its arguments too.
            self.flow.forgive(awaits);
        }
        if let Some(future) = blocked.as_ref().and_then(|arguments| arguments.first()) {
            return self.judge_await(given.all(), future, ".await");
        }
        for lender in given.parts.iter().filter(|part| part.lends) {
            self.flow.connect_all(&given.kept, lender);
        }
        given.parts.push(function);
        self.flow.call(&given.parts);
        self.gathered.merge(given.all());
    }

    /// Refuses what is known by the name of the function that is called.
    fn refuse_call_of(&mut self, one: &ExprCall, given: &Given) {
        let program = matches!(one.args.first(), Some(Expr::Lit(_)));
        let command = || hazards::of_command(one).filter(|_| program);
        let hazard = hazards::of_call(one).or_else(command);
        self.refuse_hazard(hazard, &one.func);
        if let Some(hazard) = hazards::of_combinator(one) {
            self.judge_durable(hazard, given.all(), &one.func);
        }
    }

    /// Refuses `hazard` if a durable call is among `sources`.
    fn judge_durable(
        &mut self,
        Hazard { rule, advice }: Hazard,
        sources: Sources,
        tokens: impl quote::ToTokens,
    ) {
        let is_refused = self.here.refused.is_none() && !self.here.allowed.contains(&rule);
        let error = is_refused.then(|| rule.error(tokens, advice));
        self.flow.judge_durable(sources, error);
    }

    pub(super) fn visit_method(&mut self, one: &mut ExprMethodCall, usage: Use) {
        let before = self.judged;
        let receiver = self.gather(|this| this.visit_expr_mut(&mut one.receiver));
        let spawns = hazards::spawns_by_name(&one.method);
        if self.judged == before {
            self.refuse_method(one, &receiver, usage);
        }
        if let Some(types) = &mut one.turbofish {
            self.visit_angle_bracketed_generic_arguments_mut(types);
        }
        let given = self.visit_arguments(spawns, &mut one.args);
        if given.durable && self.flow.in_hash_order(&one.receiver) {
            self.refuse(Rule::HashOrder, &one.receiver, super::HASH_ADVICE);
        }
        let method = one.method.to_string();
        let mut parts = given.parts.clone();
        parts.push(receiver.clone());
        self.flow.call(&parts);
        if receiver.lends || method.ends_with("_with") {
            self.flow.connect_all(&given.all(), &receiver);
        } else {
            self.flow.connect_all(&given.kept, &receiver);
        }
        let mut value = given.all();
        value.merge(receiver);
        value.lends |= method.ends_with("_mut") || LEND.contains(&method.as_str());
        if FORGET.contains(&method.as_str()) {
            value = value.only_awaits();
        }
        self.gathered.merge(value);
    }

    /// Refuses what is known by the method that is called.
    fn refuse_method(&mut self, one: &ExprMethodCall, receiver: &Sources, usage: Use) {
        // An atomic of the function's own starts anew on every run, as other locals do.
        let own_cell = || {
            self.place(&one.receiver)
                .is_some_and(|place| self.flow.local(place.node).holds.cell)
        };
        let hazard = hazards::of_method(one)
            .or_else(|| hazards::of_command_chain(one))
            .or_else(|| hazards::of_atomic(one).filter(|_| !own_cell()));
        let before = self.judged;
        self.refuse_hazard(hazard, &one.method);
        if self.judged == before {
            self.refuse_change_by_method(one, usage);
        }
        if let Some(hazard) = hazards::of_method_on_durable(one) {
            self.judge_durable(hazard, receiver.clone(), &one.method);
        }
    }
}
